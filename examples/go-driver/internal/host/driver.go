// Package host serves a storage driver to Delphis: the launch protocol, sessions, limits, deadlines, errors, secrets and
// drain. It knows nothing of any vendor; package pebble knows nothing of gRPC.
package host

import (
	"context"
	"time"

	driverv1 "delphis.dev/go/delphis/driver/v1"
	typev1 "delphis.dev/go/delphis/type/v1"
)

// Driver makes arrays of access info.
type Driver interface {
	// AccessFields says what the driver wants to know to reach an array.
	AccessFields() []*driverv1.AccessField
	// Open logs in. The access info has every field that is required, and the default of each that has one.
	Open(ctx context.Context, access *typev1.AccessInfo) (Array, error)
	// Zero is a nil array of the driver's type: what it implements of the interfaces below is what is announced.
	Zero() Array
}

// Array is one array that is logged in. Several calls use it at a time. What is read goes to yield, item by item; an error
// that yield gives ends the list.
type Array interface {
	Storage(ctx context.Context) (*typev1.Storage, error)
	Close(ctx context.Context) error
}

// TrapParser makes alerts of a trap without asking the array; incomplete: the trap says too little.
type TrapParser interface {
	ParseTrap(trap *typev1.Trap) (alerts []*typev1.Alert, incomplete bool, err error)
}

// What an array may have beside.
type (
	PoolLister interface {
		Pools(context.Context, func(*typev1.StoragePool) error) error
	}
	VolumeLister interface {
		Volumes(context.Context, func(*typev1.Volume) error) error
	}
	ControllerLister interface {
		Controllers(context.Context, func(*typev1.Controller) error) error
	}
	PortLister interface {
		Ports(context.Context, func(*typev1.Port) error) error
	}
	DiskLister interface {
		Disks(context.Context, func(*typev1.Disk) error) error
	}
	HostLister interface {
		Hosts(context.Context, func(*typev1.StorageHost) error) error
	}
	InitiatorLister interface {
		Initiators(context.Context, func(*typev1.StorageHostInitiator) error) error
	}
	ViewLister interface {
		MaskingViews(context.Context, func(*typev1.MaskingView) error) error
	}
	AlertLister interface {
		Alerts(context.Context, func(*typev1.Alert) error) error
	}
	AlertClearer interface {
		ClearAlert(context.Context, string) error
	}
	TrapSender interface {
		AddReceiver(context.Context, *typev1.TrapConfig) error
		RemoveReceiver(context.Context, *typev1.TrapConfig) error
		Sources(context.Context) ([]*typev1.AlertSource, error)
	}
	Meter interface {
		Capabilities(context.Context) (*typev1.Capabilities, error)
		Samples(ctx context.Context, begin, end time.Time, yield func(*typev1.MetricBatch) error) error
		Latest(context.Context) (time.Time, error)
	}
)

func has[Interface any](array Array) bool {
	_, found := array.(Interface)
	return found
}

// announced names the methods that a driver has.
func announced(driver Driver) []string {
	array := driver.Zero()
	_, parses := driver.(TrapParser)
	all := []struct {
		there bool
		names []string
	}{
		{true, []string{"GetDriverInfo", "GetStorage", "ResetConnection", "CloseStorage"}},
		{has[PoolLister](array), []string{"ListStoragePools"}},
		{has[VolumeLister](array), []string{"ListVolumes"}},
		{has[ControllerLister](array), []string{"ListControllers"}},
		{has[PortLister](array), []string{"ListPorts"}},
		{has[DiskLister](array), []string{"ListDisks"}},
		{has[HostLister](array), []string{"ListStorageHosts"}},
		{has[InitiatorLister](array), []string{"ListStorageHostInitiators"}},
		{has[ViewLister](array), []string{"ListMaskingViews"}},
		{has[TrapSender](array), []string{"AddTrapConfig", "RemoveTrapConfig", "GetAlertSources"}},
		{parses, []string{"ParseAlert"}},
		{has[AlertLister](array), []string{"ListAlerts"}},
		{has[AlertClearer](array), []string{"ClearAlert"}},
		{has[Meter](array), []string{"GetCapabilities", "CollectPerfMetrics", "GetLatestPerfTimestamp"}},
	}
	var names []string
	for _, group := range all {
		if group.there {
			names = append(names, group.names...)
		}
	}
	return names
}
