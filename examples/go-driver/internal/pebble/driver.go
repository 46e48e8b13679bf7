package pebble

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"delphis.dev/examples/go-driver/internal/host"
	driverv1 "delphis.dev/go/delphis/driver/v1"
	typev1 "delphis.dev/go/delphis/type/v1"
)

// Driver drives Pebbles.
type Driver struct{}

// AccessFields says what is needed: an address, and a login.
func (Driver) AccessFields() []*driverv1.AccessField {
	return []*driverv1.AccessField{
		{Path: "rest.host", Required: true, Description: "name or address of the array"},
		{Path: "rest.port", DefaultValue: "443", Description: "port of the array's API"},
		{Path: "rest.username", Required: true, Description: "user of the array; the role monitor is enough"},
		{Path: "rest.password", Required: true, Description: "its password"},
	}
}

// Zero is a nil array.
func (Driver) Zero() host.Array { return (*array)(nil) }

// Open logs in.
func (Driver) Open(ctx context.Context, access *typev1.AccessInfo) (host.Array, error) {
	client, err := newClient(access.Rest)
	if err != nil {
		return nil, err
	}
	if _, err := client.session(ctx, ""); err != nil {
		client.http.CloseIdleConnections()
		return nil, err
	}
	return &array{client}, nil
}

// array is one Pebble.
type array struct{ client *client }

func (own *array) Close(ctx context.Context) error { return own.client.close(ctx) }

func (own *array) Storage(ctx context.Context) (*typev1.Storage, error) {
	var found system
	if err := own.client.do(ctx, http.MethodGet, "/api/system", nil, &found); err != nil {
		return nil, err
	}
	return found.storage(), nil
}

func (own *array) Pools(ctx context.Context, yield func(*typev1.StoragePool) error) error {
	return each(ctx, own.client, "pools", func(found *pool) error { return yield(found.resource()) })
}

func (own *array) Volumes(ctx context.Context, yield func(*typev1.Volume) error) error {
	return each(ctx, own.client, "volumes", func(found *volume) error { return yield(found.resource()) })
}

func (own *array) Controllers(ctx context.Context, yield func(*typev1.Controller) error) error {
	return each(ctx, own.client, "controllers", func(found *controller) error { return yield(found.resource()) })
}

func (own *array) Ports(ctx context.Context, yield func(*typev1.Port) error) error {
	return each(ctx, own.client, "ports", func(found *port) error { return yield(found.resource()) })
}

func (own *array) Disks(ctx context.Context, yield func(*typev1.Disk) error) error {
	return each(ctx, own.client, "disks", func(found *disk) error { return yield(found.resource()) })
}

func (own *array) Hosts(ctx context.Context, yield func(*typev1.StorageHost) error) error {
	return each(ctx, own.client, "hosts", func(found *server) error { return yield(found.resource()) })
}

func (own *array) Initiators(ctx context.Context, yield func(*typev1.StorageHostInitiator) error) error {
	return each(ctx, own.client, "initiators", func(found *initiator) error { return yield(found.resource()) })
}

func (own *array) MaskingViews(ctx context.Context, yield func(*typev1.MaskingView) error) error {
	return each(ctx, own.client, "exports", func(found *export) error { return yield(found.resource()) })
}

func (own *array) Alerts(ctx context.Context, yield func(*typev1.Alert) error) error {
	return each(ctx, own.client, "alerts", func(found *alert) error { return yield(found.resource()) })
}

func (own *array) ClearAlert(ctx context.Context, number string) error {
	return ignoringAbsence(own.client.do(ctx, http.MethodDelete, "/api/alerts/"+url.PathEscape(number), nil, nil))
}

func (own *array) AddReceiver(ctx context.Context, config *typev1.TrapConfig) error {
	return own.client.do(ctx, http.MethodPut, receiver(config), map[string]any{
		"host": config.Host, "port": config.Port, "community": config.CommunityString,
	}, nil)
}

func (own *array) RemoveReceiver(ctx context.Context, config *typev1.TrapConfig) error {
	return ignoringAbsence(own.client.do(ctx, http.MethodDelete, receiver(config), nil, nil))
}

func receiver(config *typev1.TrapConfig) string {
	address := net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port)))
	return "/api/trap-receivers/" + url.PathEscape(address)
}

// Sources are the controllers' own addresses.
func (own *array) Sources(ctx context.Context) ([]*typev1.AlertSource, error) {
	var sources []*typev1.AlertSource
	err := own.Controllers(ctx, func(found *typev1.Controller) error {
		sources = append(sources, &typev1.AlertSource{Host: found.GetMgmtIp(), ControllerName: found.GetName()})
		return nil
	})
	return sources, err
}

// ignoringAbsence: there is nothing to clear or remove, and so it is done.
func ignoringAbsence(err error) error {
	if problem, known := err.(*host.Error); known && problem.Reason == typev1.Reason_REASON_ARRAY_OBJECT_NOT_FOUND {
		return nil
	}
	return err
}

// Latest is when the newest sample was taken.
func (own *array) Latest(ctx context.Context) (time.Time, error) {
	var found struct{ Time int64 }
	err := own.client.do(ctx, http.MethodGet, "/api/performance/latest", nil, &found)
	return time.Unix(found.Time, 0), err
}
