package host

import (
	"context"
	"log/slog"
	"path"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	driverv1 "delphis.dev/go/delphis/driver/v1"
	typev1 "delphis.dev/go/delphis/type/v1"
)

// A call that is so long past its deadline doesn't heed it.
const stuckAfter = time.Second

// calls are the RPCs of StorageDriver under way: each gets a deadline, keeps a drain waiting, and has its error understood.
type calls struct {
	secrets  *Secrets
	defaults map[string]time.Duration

	lock     sync.Mutex
	draining bool
	running  map[*time.Time]struct{} // their deadlines
	idle     *sync.Cond
}

type methodKey struct{}

func methodOf(ctx context.Context) string {
	name, _ := ctx.Value(methodKey{}).(string)
	return name
}

func newCalls(secrets *Secrets) *calls {
	own := &calls{secrets: secrets, defaults: map[string]time.Duration{}, running: map[*time.Time]struct{}{}}
	own.idle = sync.NewCond(&own.lock)
	methods := driverv1.File_delphis_driver_v1_storage_driver_proto.Services().ByName("StorageDriver").Methods()
	for at := range methods.Len() {
		own.defaults[string(methods.Get(at).Name())] = defaultDeadline(methods.Get(at))
	}
	return own
}

// defaultDeadline is what a call gets that comes without a deadline; the contract says it.
func defaultDeadline(method protoreflect.MethodDescriptor) time.Duration {
	found, _ := proto.GetExtension(method.Options(), typev1.E_DefaultDeadline).(*durationpb.Duration)
	if found == nil {
		return time.Minute
	}
	return found.AsDuration()
}

// budget is how long the driver may take, so that our error arrives before the caller's own.
func budget(remaining time.Duration) time.Duration {
	return remaining - min(500*time.Millisecond, max(50*time.Millisecond, remaining/5), remaining/2)
}

// run does one call.
func (own *calls) run(ctx context.Context, fullMethod string, work func(context.Context) error) (err error) {
	service, name := path.Split(fullMethod)
	if service != "/"+driverv1.StorageDriver_ServiceDesc.ServiceName+"/" {
		return work(ctx) // health and reflection keep no drain waiting
	}
	seconds := own.defaults[name]
	if deadline, set := ctx.Deadline(); set {
		seconds = budget(time.Until(deadline))
	}
	deadline := time.Now().Add(seconds)
	own.lock.Lock()
	if own.draining {
		own.lock.Unlock()
		// Without a reason of ours: to the router the host is gone, and it asks another.
		return status.Error(codes.Unavailable, "The driver host stops.")
	}
	own.running[&deadline] = struct{}{}
	own.lock.Unlock()
	ctx, cancel := context.WithDeadline(context.WithValue(ctx, methodKey{}, name), deadline)
	defer func() {
		if fault := recover(); fault != nil {
			slog.Error("the driver panicked", "method", name, "fault", fault, "stack", stack())
			err = Problem(typev1.Reason_REASON_DRIVER_FAULT, "The driver failed: %v.", fault)
		}
		err = asStatus(ctx, name, err, own.secrets)
		cancel()
		own.lock.Lock()
		delete(own.running, &deadline)
		own.idle.Broadcast()
		own.lock.Unlock()
	}()
	return work(ctx)
}

func (own *calls) unary(
	ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
) (answer any, err error) {
	err = own.run(ctx, info.FullMethod, func(ctx context.Context) (err error) {
		answer, err = handler(ctx, request)
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

func (own *calls) stream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	return own.run(stream.Context(), info.FullMethod, func(ctx context.Context) error {
		return handler(server, withContext{stream, ctx})
	})
}

type withContext struct {
	grpc.ServerStream
	ctx context.Context
}

func (stream withContext) Context() context.Context { return stream.ctx }

// stuck counts calls that don't come back.
func (own *calls) stuck() int {
	own.lock.Lock()
	defer own.lock.Unlock()
	late := 0
	for deadline := range own.running {
		if time.Since(*deadline) > stuckAfter {
			late++
		}
	}
	return late
}

// drain takes no more calls, and waits for those under way, so long at most. It returns how many are left.
func (own *calls) drain(grace time.Duration) int {
	timer := time.AfterFunc(grace, own.idle.Broadcast)
	defer timer.Stop()
	end := time.Now().Add(grace)
	own.lock.Lock()
	defer own.lock.Unlock()
	own.draining = true
	for len(own.running) > 0 && time.Now().Before(end) {
		own.idle.Wait()
	}
	return len(own.running)
}
