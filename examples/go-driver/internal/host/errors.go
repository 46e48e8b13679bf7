package host

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	typev1 "delphis.dev/go/delphis/type/v1"
)

const domain = "delphis.dev"

// gRPC refuses trailers of more than 8 KiB, and the message is in them twice.
const longestMessage = 600

// Error is what a driver can't do or finds wrong: a reason of the contract and a sentence.
type Error struct {
	Reason     typev1.Reason
	Message    string
	RetryAfter time.Duration // with ARRAY_BUSY and DRIVER_OVERLOADED
	Metadata   map[string]string
}

func (problem *Error) Error() string { return problem.Message }

// Problem makes an Error.
func Problem(reason typev1.Reason, format string, arguments ...any) *Error {
	return &Error{Reason: reason, Message: fmt.Sprintf(format, arguments...)}
}

// code of a reason: the contract says it, as an option of the enum's value.
func code(reason typev1.Reason) codes.Code {
	value := typev1.Reason(0).Descriptor().Values().ByNumber(reason.Number())
	if value == nil || !proto.HasExtension(value.Options(), typev1.E_Code) {
		return codes.Internal
	}
	return codes.Code(proto.GetExtension(value.Options(), typev1.E_Code).(int32))
}

// understood is what an error means to the caller; nil: the caller gave up. The only place where this is decided.
func understood(ctx context.Context, method string, err error) *Error {
	var problem *Error
	switch {
	case errors.As(err, &problem):
		return problem
	case errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.Is(err, context.DeadlineExceeded):
		return Problem(typev1.Reason_REASON_ARRAY_TIMEOUT, "%s was not answered in time.", method)
	case errors.Is(ctx.Err(), context.Canceled):
		return nil
	case status.Code(err) == codes.Unimplemented:
		return Problem(typev1.Reason_REASON_STORAGE_CAPABILITY_NOT_SUPPORTED, "The driver has no %s.", method)
	default:
		return Problem(typev1.Reason_REASON_DRIVER_FAULT, "The driver failed: %v.", err)
	}
}

// asStatus is the status that the caller gets for an error. To be called while the secrets that may be in it are held.
func asStatus(ctx context.Context, method string, err error, secrets *Secrets) error {
	if err == nil {
		return nil
	}
	if known, isStatus := status.FromError(err); isStatus && (len(known.Details()) > 0 || known.Code() == codes.Canceled) {
		return err
	}
	problem := understood(ctx, method, err)
	if problem == nil {
		return status.Error(codes.Canceled, "The caller gave up.")
	}
	return problem.scrubbed(secrets).status()
}

// scrubbed is the same without secrets.
func (problem *Error) scrubbed(secrets *Secrets) *Error {
	clean := &Error{Reason: problem.Reason, RetryAfter: problem.RetryAfter, Metadata: map[string]string{}}
	clean.Message = short(secrets.Scrub(problem.Message), longestMessage)
	for key, value := range problem.Metadata {
		clean.Metadata[key] = short(secrets.Scrub(value), 200)
	}
	return clean
}

func (problem *Error) status() error {
	reason := strings.TrimPrefix(problem.Reason.String(), "REASON_")
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: reason, Domain: domain, Metadata: problem.Metadata}}
	if problem.RetryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(problem.RetryAfter)})
	}
	answer, err := status.New(code(problem.Reason), problem.Message).WithDetails(details...)
	if err != nil {
		return status.Error(code(problem.Reason), problem.Message)
	}
	return answer.Err()
}

// short is one line of so many bytes at most.
func short(text string, longest int) string {
	text = strings.ToValidUTF8(strings.Join(strings.Fields(text), " "), "�")
	for len(text) > longest {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}
