package host

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	driverv1 "delphis.dev/go/delphis/driver/v1"
	typev1 "delphis.dev/go/delphis/type/v1"
)

const extra = "extra_attributes."

// completed is a copy of the access info with defaults filled in, or ACCESS_INFO_INCOMPLETE.
func completed(given *typev1.AccessInfo, fields []*driverv1.AccessField) (*typev1.AccessInfo, error) {
	access := proto.Clone(given).(*typev1.AccessInfo)
	for _, field := range fields {
		if isSet(access, field.Path) {
			continue
		}
		if field.DefaultValue != "" {
			setDefault(access, field.Path, field.DefaultValue)
		} else if field.Required {
			problem := Problem(typev1.Reason_REASON_ACCESS_INFO_INCOMPLETE, "The access info lacks %s (%s), which the driver needs.",
				field.Path, field.Description)
			problem.Metadata = map[string]string{"field": field.Path}
			return nil, problem
		}
	}
	return access, nil
}

func isSet(access *typev1.AccessInfo, path string) bool {
	if key, found := strings.CutPrefix(path, extra); found {
		return access.ExtraAttributes[key] != ""
	}
	message := access.ProtoReflect()
	names := strings.Split(path, ".")
	for at, name := range names {
		field := message.Descriptor().Fields().ByName(protoreflect.Name(name))
		if field == nil || !message.Has(field) {
			return false
		}
		if at == len(names)-1 {
			return field.Kind() != protoreflect.StringKind || message.Get(field).String() != ""
		}
		message = message.Get(field).Message()
	}
	return false
}

// setDefault sets texts and numbers in blocks that the operator gave.
func setDefault(access *typev1.AccessInfo, path, value string) {
	if key, found := strings.CutPrefix(path, extra); found {
		if access.ExtraAttributes == nil {
			access.ExtraAttributes = map[string]string{}
		}
		access.ExtraAttributes[key] = value
		return
	}
	block, name, _ := strings.Cut(path, ".")
	field := access.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(block))
	if field == nil || field.Message() == nil || !access.ProtoReflect().Has(field) {
		return
	}
	message := access.ProtoReflect().Mutable(field).Message()
	inner := message.Descriptor().Fields().ByName(protoreflect.Name(name))
	switch {
	case inner == nil:
	case inner.Kind() == protoreflect.StringKind:
		message.Set(inner, protoreflect.ValueOfString(value))
	case inner.Kind() == protoreflect.Int32Kind:
		if number, err := strconv.ParseInt(value, 10, 32); err == nil {
			message.Set(inner, protoreflect.ValueOfInt32(int32(number)))
		}
	}
}
