package pebble

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	typev1 "delphis.dev/go/delphis/type/v1"
)

// What the array answers. Pointers are what it may leave out; zero is zero.
type (
	system struct {
		Serial, Label, Product, Release, State string
		RawGB                                  *int64 `json:"raw_gb"`
		SizeMiB                                *int64 `json:"size_mib"`
		UsedMiB                                *int64 `json:"used_mib"`
	}
	pool struct {
		ID, Label, State string
		SizeMiB          *int64 `json:"size_mib"`
		UsedMiB          *int64 `json:"used_mib"`
		Disks            []string
	}
	volume struct {
		ID, Label, State, Pool, WWN string
		SizeMiB                     *int64 `json:"size_mib"`
		UsedMiB                     *int64 `json:"used_mib"`
		Thin                        *bool
	}
	controller struct {
		ID, Label, State, Address string
		MemoryMiB                 *int64 `json:"memory_mib"`
		Cores                     *int32
	}
	port struct {
		ID, Label, Controller, Protocol, Link string
		GBps                                  *int64 `json:"gbps"`
		WWN, Address                          *string
	}
	disk struct {
		ID, Label, Serial, State, Technology string
		RPM                                  *int64
		GB                                   *int64
		WearPercent                          *int32 `json:"wear_percent"`
	}
	server    struct{ ID, Label, System, Address string }
	initiator struct {
		ID, Host, WWN string
		LoggedIn      *bool `json:"logged_in"`
	}
	export struct{ ID, Host, Volume string }
	alert  struct {
		Seq, Code, Object, Text string
		Level                   int
		Time                    time.Time
	}
)

// ---- Units and words ----

const mib, gb, gbit = 1 << 20, 1_000_000_000, 1_000_000_000

// times is a number in the contract's unit; what the array doesn't say stays unset.
func times(number *int64, unit int64) *int64 {
	if number == nil {
		return nil
	}
	return proto.Int64(*number * unit)
}

// rest is what is left of all.
func rest(all, used *int64) *int64 {
	if all == nil || used == nil {
		return nil
	}
	return proto.Int64(*all - *used)
}

// text is unset where the array says nothing.
func text(value string) *string {
	if value == "" {
		return nil
	}
	return &value
}

// wwn is hexadecimal in lower case, without the colons that the array prints.
func wwn(value string) *string { return text(strings.ToLower(strings.ReplaceAll(value, ":", ""))) }

// word finds the contract's value for a word of the array; one that isn't listed is unknown.
func word[Enum any](value string, words map[string]Enum, unknown Enum) *Enum {
	if value == "" {
		return nil
	}
	found, listed := words[value]
	if !listed {
		found = unknown
	}
	return &found
}

// ---- Resources ----

func (found *system) storage() *typev1.Storage {
	size, used := times(found.SizeMiB, mib), times(found.UsedMiB, mib)
	return &typev1.Storage{
		SerialNumber: text(found.Serial), Name: text(found.Label), Vendor: proto.String("Example"), Model: text(found.Product),
		FirmwareVersion: text(found.Release),
		Status: word(found.State, map[string]typev1.StorageStatus{
			"OK": typev1.StorageStatus_STORAGE_STATUS_NORMAL, "DEGRADED": typev1.StorageStatus_STORAGE_STATUS_DEGRADED,
			"FAILED": typev1.StorageStatus_STORAGE_STATUS_ABNORMAL,
		}, typev1.StorageStatus_STORAGE_STATUS_UNKNOWN),
		TotalCapacity: size, UsedCapacity: used, FreeCapacity: rest(size, used), RawCapacity: times(found.RawGB, gb),
	}
}

func (found *pool) resource() *typev1.StoragePool {
	size, used := times(found.SizeMiB, mib), times(found.UsedMiB, mib)
	return &typev1.StoragePool{
		NativeStoragePoolId: text(found.ID), Name: text(found.Label),
		Status: word(found.State, map[string]typev1.StoragePoolStatus{
			"OK": typev1.StoragePoolStatus_STORAGE_POOL_STATUS_NORMAL, "DEGRADED": typev1.StoragePoolStatus_STORAGE_POOL_STATUS_DEGRADED,
			"FAILED": typev1.StoragePoolStatus_STORAGE_POOL_STATUS_ABNORMAL,
		}, typev1.StoragePoolStatus_STORAGE_POOL_STATUS_UNKNOWN),
		StorageType:   typev1.StorageType_STORAGE_TYPE_BLOCK.Enum(),
		TotalCapacity: size, UsedCapacity: used, FreeCapacity: rest(size, used), NativeDiskIds: found.Disks,
	}
}

func (found *volume) resource() *typev1.Volume {
	size, used := times(found.SizeMiB, mib), times(found.UsedMiB, mib)
	kind := typev1.VolumeType_VOLUME_TYPE_THICK.Enum()
	if found.Thin == nil {
		kind = nil
	} else if *found.Thin {
		kind = typev1.VolumeType_VOLUME_TYPE_THIN.Enum()
	}
	return &typev1.Volume{
		NativeVolumeId: text(found.ID), Name: text(found.Label), Wwn: wwn(found.WWN),
		Status: word(found.State, map[string]typev1.VolumeStatus{
			"OK": typev1.VolumeStatus_VOLUME_STATUS_NORMAL, "FAILED": typev1.VolumeStatus_VOLUME_STATUS_ABNORMAL,
			"OFFLINE": typev1.VolumeStatus_VOLUME_STATUS_OFFLINE,
		}, typev1.VolumeStatus_VOLUME_STATUS_UNKNOWN),
		Type: kind, NativeStoragePoolId: text(found.Pool),
		TotalCapacity: size, UsedCapacity: used, FreeCapacity: rest(size, used),
		Native: map[string]string{"state": found.State},
	}
}

func (found *controller) resource() *typev1.Controller {
	return &typev1.Controller{
		NativeControllerId: text(found.ID), Name: text(found.Label),
		Status: word(found.State, map[string]typev1.ControllerStatus{
			"OK": typev1.ControllerStatus_CONTROLLER_STATUS_NORMAL, "FAILED": typev1.ControllerStatus_CONTROLLER_STATUS_FAULT,
		}, typev1.ControllerStatus_CONTROLLER_STATUS_UNKNOWN),
		MemorySize: times(found.MemoryMiB, mib), CpuCount: found.Cores, MgmtIp: text(found.Address),
	}
}

func (found *port) resource() *typev1.Port {
	made := &typev1.Port{
		NativePortId: text(found.ID), Name: text(found.Label), NativeParentId: text(found.Controller),
		Type: word(found.Protocol, map[string]typev1.PortType{
			"FC": typev1.PortType_PORT_TYPE_FC, "ISCSI": typev1.PortType_PORT_TYPE_ISCSI,
		}, typev1.PortType_PORT_TYPE_UNKNOWN),
		LogicalType: typev1.PortLogicalType_PORT_LOGICAL_TYPE_FRONTEND.Enum(),
		ConnectionStatus: word(found.Link, map[string]typev1.PortConnectionStatus{
			"UP":   typev1.PortConnectionStatus_PORT_CONNECTION_STATUS_CONNECTED,
			"DOWN": typev1.PortConnectionStatus_PORT_CONNECTION_STATUS_DISCONNECTED,
		}, typev1.PortConnectionStatus_PORT_CONNECTION_STATUS_UNKNOWN),
		MaxSpeed: times(found.GBps, gbit), Ipv4: found.Address,
	}
	if found.WWN != nil {
		made.Wwn = wwn(*found.WWN)
	}
	return made
}

func (found *disk) resource() *typev1.Disk {
	made := &typev1.Disk{
		NativeDiskId: text(found.ID), Name: text(found.Label), SerialNumber: text(found.Serial),
		PhysicalType: word(found.Technology, map[string]typev1.DiskPhysicalType{
			"NVME": typev1.DiskPhysicalType_DISK_PHYSICAL_TYPE_NVME_SSD, "NL-SAS": typev1.DiskPhysicalType_DISK_PHYSICAL_TYPE_NL_SAS,
		}, typev1.DiskPhysicalType_DISK_PHYSICAL_TYPE_UNKNOWN),
		Status: word(found.State, map[string]typev1.DiskStatus{
			"OK": typev1.DiskStatus_DISK_STATUS_NORMAL, "WORN": typev1.DiskStatus_DISK_STATUS_DEGRADED,
			"FAILED": typev1.DiskStatus_DISK_STATUS_ABNORMAL,
		}, typev1.DiskStatus_DISK_STATUS_UNKNOWN),
		Speed: found.RPM, Capacity: times(found.GB, gb),
	}
	if found.WearPercent != nil {
		made.HealthScore = proto.Int32(100 - *found.WearPercent)
	}
	return made
}

func (found *server) resource() *typev1.StorageHost {
	return &typev1.StorageHost{
		NativeStorageHostId: text(found.ID), Name: text(found.Label), IpAddress: text(found.Address),
		OsType: word(found.System, map[string]typev1.HostOsType{
			"linux": typev1.HostOsType_HOST_OS_TYPE_LINUX, "windows": typev1.HostOsType_HOST_OS_TYPE_WINDOWS,
			"vmware": typev1.HostOsType_HOST_OS_TYPE_VMWARE_ESX,
		}, typev1.HostOsType_HOST_OS_TYPE_UNKNOWN),
		Native: map[string]string{"system": found.System},
	}
}

func (found *initiator) resource() *typev1.StorageHostInitiator {
	made := &typev1.StorageHostInitiator{
		NativeStorageHostInitiatorId: text(found.ID), Name: wwn(found.WWN), Wwn: wwn(found.WWN),
		Type: typev1.InitiatorType_INITIATOR_TYPE_FC.Enum(), NativeStorageHostId: text(found.Host),
	}
	if found.LoggedIn != nil {
		made.Status = typev1.InitiatorStatus_INITIATOR_STATUS_OFFLINE.Enum()
		if *found.LoggedIn {
			made.Status = typev1.InitiatorStatus_INITIATOR_STATUS_ONLINE.Enum()
		}
	}
	return made
}

func (found *export) resource() *typev1.MaskingView {
	return &typev1.MaskingView{
		NativeMaskingViewId: text(found.ID), Name: text(fmt.Sprintf("%s on %s", found.Volume, found.Host)),
		NativeStorageHostId: text(found.Host), NativeVolumeId: text(found.Volume),
	}
}

// ---- Alerts ----

// severities by the array's level, worst first.
var severities = []typev1.Severity{
	1: typev1.Severity_SEVERITY_CRITICAL, 2: typev1.Severity_SEVERITY_MAJOR, 3: typev1.Severity_SEVERITY_MINOR,
	4: typev1.Severity_SEVERITY_WARNING,
}

func severity(level int) *typev1.Severity {
	if level < 1 || level >= len(severities) {
		return typev1.Severity_SEVERITY_NOT_SPECIFIED.Enum()
	}
	return severities[level].Enum()
}

// kinds by the array's word before the colon of an object.
var kinds = map[string]string{"disk": "disk", "pool": "storage_pool", "port": "port", "volume": "volume", "controller": "controller"}

func (found *alert) resource() *typev1.Alert {
	made := &typev1.Alert{
		AlertId: text(found.Code), AlertName: text(strings.ReplaceAll(strings.ToLower(found.Code), "_", " ")),
		SequenceNumber: text(found.Seq), MatchKey: text(found.Code + " " + found.Object), Severity: severity(found.Level),
		Category: typev1.AlertCategory_ALERT_CATEGORY_FAULT.Enum(), Type: typev1.AlertType_ALERT_TYPE_EQUIPMENT_ALARM.Enum(),
		Description: text(found.Text), Location: text(found.Object), ResourceType: proto.String("storage"),
	}
	if !found.Time.IsZero() {
		made.OccurTime = timestamppb.New(found.Time)
	}
	word, id, named := strings.Cut(found.Object, ":")
	if kind, known := kinds[word]; known && named {
		made.ResourceType, made.NativeResourceId = &kind, text(id)
	}
	return made
}
