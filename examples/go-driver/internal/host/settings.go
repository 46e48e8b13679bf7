package host

import (
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	driverv1 "delphis.dev/go/delphis/driver/v1"
)

const prefix = "DELPHIS_DRIVER_"

// Settings is what a host is told by whoever starts it.
type Settings struct {
	Name, Version string
	Serves        []*driverv1.Pair
	Endpoint      string // unix:///path or tcp://host:port
	TLS           *TLSFiles
	ReadyFD       int           // the line "ready" is written here once the host serves; -1: nowhere
	ParentPID     int           // the host ends with this process; 0: with none
	Drain         time.Duration // from SIGTERM to the end
	SessionIdle   time.Duration // an unused login is ended after it
	Sessions      int           // arrays that stay logged in
	PerArray      int           // calls of an array that run at a time
	Queue         int           // calls of an array that wait
	LogLevel      string
}

// TLSFiles are PEM files for mutual TLS: callers must show a certificate of CA.
type TLSFiles struct{ CA, Cert, Key string }

// Default says what a driver is called where nobody tells it.
type Default struct{ Name, Version, Vendor, Model string }

// FromEnvironment reads the settings. The error names the variable that is wrong.
func FromEnvironment(environment func(string) string, own Default) (Settings, error) {
	get := func(name, otherwise string) string {
		if value := environment(prefix + name); value != "" {
			return value
		}
		return otherwise
	}
	settings := Settings{
		Name:     get("NAME", own.Name),
		Version:  get("VERSION", own.Version),
		Serves:   []*driverv1.Pair{{Vendor: own.Vendor, Model: own.Model}},
		Endpoint: get("ENDPOINT", ""),
		LogLevel: strings.ToUpper(get("LOG_LEVEL", "INFO")),
	}
	if settings.Endpoint == "" {
		return settings, fmt.Errorf("%sENDPOINT is missing: a driver host is started by Delphis, or set it to unix:///path", prefix)
	}
	if text := get("SERVES", ""); text != "" {
		settings.Serves = nil
		if err := json.Unmarshal([]byte(text), &settings.Serves); err != nil {
			return settings, fmt.Errorf("%sSERVES must be a list of vendors and models, not %q", prefix, text)
		}
	}
	for _, number := range []struct {
		name      string
		otherwise int
		into      *int
	}{
		{"READY_FD", -1, &settings.ReadyFD},
		{"PARENT_PID", 0, &settings.ParentPID},
		{"SESSIONS", 1000, &settings.Sessions},
		{"ARRAY_CALLS", 4, &settings.PerArray},
		{"ARRAY_QUEUE", 64, &settings.Queue},
	} {
		*number.into = number.otherwise
		if text := get(number.name, ""); text != "" {
			value, err := strconv.Atoi(text)
			if err != nil || value < 0 {
				return settings, fmt.Errorf("%s%s must be a whole number, not %q", prefix, number.name, text)
			}
			*number.into = value
		}
	}
	for _, seconds := range []struct {
		name      string
		otherwise float64
		into      *time.Duration
	}{{"DRAIN", 30, &settings.Drain}, {"SESSION_IDLE", 1800, &settings.SessionIdle}} {
		value, err := strconv.ParseFloat(get(seconds.name, fmt.Sprint(seconds.otherwise)), 64)
		if err != nil || !(value > 0 && value < 1e9) {
			return settings, fmt.Errorf("%s%s must be a number of seconds above 0", prefix, seconds.name)
		}
		*seconds.into = time.Duration(value * float64(time.Second))
	}
	files := TLSFiles{get("TLS_CA", ""), get("TLS_CERT", ""), get("TLS_KEY", "")}
	if files != (TLSFiles{}) {
		if files.CA == "" || files.Cert == "" || files.Key == "" {
			return settings, fmt.Errorf("TLS needs all of %[1]sTLS_CA, %[1]sTLS_CERT and %[1]sTLS_KEY", prefix)
		}
		settings.TLS = &files
	}
	return settings, settings.checkEndpoint()
}

func (settings Settings) checkEndpoint() error {
	if strings.HasPrefix(settings.Endpoint, "unix:") {
		return nil
	}
	host, _, err := net.SplitHostPort(strings.TrimPrefix(settings.Endpoint, "tcp://"))
	if err != nil || !strings.HasPrefix(settings.Endpoint, "tcp://") {
		return fmt.Errorf("the endpoint must be unix:///path or tcp://host:port, not %q", settings.Endpoint)
	}
	ip := net.ParseIP(host)
	if settings.TLS == nil && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("a host that serves at %q needs TLS, since calls carry credentials: set %sTLS_CA, _CERT and _KEY",
			host, prefix)
	}
	return nil
}
