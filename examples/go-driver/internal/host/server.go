package host

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	driverv1 "delphis.dev/go/delphis/driver/v1"
)

const (
	housekeeping = 500 * time.Millisecond
	mostReceived = 16 << 20
	lastAnswers  = 2 * time.Second // those who watch the health would wait for ever
	forCalls     = 0.75            // of the time to drain; the rest is for logouts
)

// Main serves a driver as the environment says, and returns the process's exit code.
func Main(driver Driver, own Default) int {
	secrets := NewSecrets()
	settings, err := FromEnvironment(os.Getenv, own)
	var level slog.Level
	if level.UnmarshalText([]byte(settings.LogLevel)) != nil {
		level = slog.LevelInfo
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(secrets.Writer(os.Stderr), &slog.HandlerOptions{Level: level})))
	if err == nil {
		err = Serve(driver, settings, secrets)
	}
	if err != nil {
		slog.Error(err.Error())
		return 2
	}
	return 0
}

// Serve serves until SIGTERM or SIGINT, and then drains.
func Serve(driver Driver, settings Settings, secrets *Secrets) error {
	keepMemoryPrivate()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)

	calls := newCalls(secrets)
	own := &service{
		settings: settings, driver: driver, rpcs: announced(driver), serverID: rand.Text(), secrets: secrets,
		sessions: newSessions(driver, secrets, settings.Sessions), lanes: newLanes(settings.PerArray, settings.Queue),
		calls: calls, epochs: map[string]int64{},
	}
	options := []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(calls.unary),
		grpc.ChainStreamInterceptor(calls.stream),
		grpc.MaxRecvMsgSize(mostReceived),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	}
	listener, credential, err := listen(settings)
	if err != nil {
		return err
	}
	if credential != nil {
		options = append(options, grpc.Creds(credential))
	}
	server := grpc.NewServer(options...)
	healthy := health.NewServer()
	driverv1.RegisterStorageDriverServer(server, own)
	healthv1.RegisterHealthServer(server, healthy)
	reflection.Register(server)
	healthy.SetServingStatus(driverv1.StorageDriver_ServiceDesc.ServiceName, healthv1.HealthCheckResponse_SERVING)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	sayReady(settings.ReadyFD)
	slog.Info("the driver serves", "driver", settings.Name, "endpoint", settings.Endpoint)

	ticker := time.NewTicker(housekeeping)
	defer ticker.Stop()
	for {
		select {
		case err := <-failed:
			return err
		case <-stop:
			drain(server, healthy, own)
			return nil
		case <-ticker.C:
			own.sessions.forgetIdle(settings.SessionIdle)
			if settings.ParentPID != 0 && os.Getppid() != settings.ParentPID {
				slog.Warn("the process that started this host has ended", "pid", settings.ParentPID)
				drain(server, healthy, own)
				return nil
			}
			if stuck := calls.stuck(); stuck >= mostStuck {
				slog.Error("the host asks to be replaced", "stuck_calls", stuck)
				healthy.SetServingStatus("", healthv1.HealthCheckResponse_NOT_SERVING)
				healthy.SetServingStatus(driverv1.StorageDriver_ServiceDesc.ServiceName, healthv1.HealthCheckResponse_NOT_SERVING)
			}
		}
	}
}

// drain finishes what is under way. Not by GracefulStop, which would wait for those who watch the health, too.
func drain(server *grpc.Server, healthy *health.Server, own *service) {
	slog.Info("the driver stops", "driver", own.settings.Name)
	end := time.Now().Add(own.settings.Drain * 95 / 100)
	healthy.Shutdown()
	if left := own.calls.drain(time.Duration(float64(own.settings.Drain) * forCalls)); left > 0 {
		slog.Warn("calls did not end in time", "calls", left)
	}
	stopped := make(chan struct{})
	go func() { server.GracefulStop(); close(stopped) }()
	select { // lets the last answers out
	case <-stopped:
	case <-time.After(lastAnswers):
		server.Stop()
	}
	ctx, cancel := context.WithDeadline(context.Background(), end)
	defer cancel()
	own.sessions.closeAll(ctx)
}

func listen(settings Settings) (net.Listener, credentials.TransportCredentials, error) {
	if socket, found := strings.CutPrefix(settings.Endpoint, "unix:"); found {
		listener, err := listenUnix(strings.TrimPrefix(socket, "//"))
		return listener, nil, err
	}
	listener, err := net.Listen("tcp", strings.TrimPrefix(settings.Endpoint, "tcp://"))
	if err != nil || settings.TLS == nil {
		return listener, nil, err
	}
	certificate, err := tls.LoadX509KeyPair(settings.TLS.Cert, settings.TLS.Key)
	if err != nil {
		return nil, nil, fmt.Errorf("the TLS files can't be used: %w", err)
	}
	authorities, err := os.ReadFile(settings.TLS.CA)
	if err != nil {
		return nil, nil, fmt.Errorf("the TLS files can't be used: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authorities) {
		return nil, nil, fmt.Errorf("%s holds no certificate", settings.TLS.CA)
	}
	return listener, credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{certificate}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
		MinVersion: tls.VersionTLS12,
	}), nil
}

// listenUnix makes a socket that the group may use; one that a dead process left is replaced.
func listenUnix(socket string) (net.Listener, error) {
	before := syscall.Umask(0o117)
	defer syscall.Umask(before)
	listener, err := net.Listen("unix", socket)
	if errors.Is(err, syscall.EADDRINUSE) {
		if caller, refused := net.Dial("unix", socket); refused == nil {
			caller.Close()
			return nil, fmt.Errorf("another process serves at %s", socket)
		}
		if removed := os.Remove(socket); removed != nil {
			return nil, removed
		}
		return net.Listen("unix", socket)
	}
	return listener, err
}

func sayReady(descriptor int) {
	if descriptor < 0 {
		return
	}
	pipe := os.NewFile(uintptr(descriptor), "ready")
	if pipe == nil {
		slog.Warn("DELPHIS_DRIVER_READY_FD is no open file")
		return
	}
	defer pipe.Close()
	if _, err := pipe.WriteString("ready\n"); err != nil {
		slog.Warn("nobody could be told that the host is ready", "error", err)
	}
}

// keepMemoryPrivate: no core dumps, and no other process of the same user reads this one's memory. It holds credentials.
func keepMemoryPrivate() {
	err := errors.Join(
		syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}),
		unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0),
	)
	if err != nil {
		slog.Warn("the host's memory can be read by other processes", "error", err)
	}
}
