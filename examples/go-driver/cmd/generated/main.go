// generated serves arrays of volumes that it makes up, as they are asked for or, with the attribute `kept`, at the login:
// what the host itself costs, without an array and its HTTP. For benchmarks.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"google.golang.org/protobuf/proto"

	"delphis.dev/examples/go-driver/internal/host"
	driverv1 "delphis.dev/go/delphis/driver/v1"
	typev1 "delphis.dev/go/delphis/type/v1"
)

const volumes, kept = "volumes", "kept"

type driver struct{}

func (driver) AccessFields() []*driverv1.AccessField {
	return []*driverv1.AccessField{
		{Path: "extra_attributes." + volumes, Plain: true, DefaultValue: "10000", Description: "how many"},
		{Path: "extra_attributes." + kept, Plain: true, DefaultValue: "no", Description: "yes: all are made at the login"},
	}
}

func (driver) Zero() host.Array { return (*array)(nil) }

func (driver) Open(_ context.Context, access *typev1.AccessInfo) (host.Array, error) {
	count, err := strconv.Atoi(access.ExtraAttributes[volumes])
	if err != nil || count < 0 {
		return nil, host.Problem(typev1.Reason_REASON_ACCESS_INFO_INCOMPLETE, "extra_attributes.volumes must be a number.")
	}
	made := &array{serial: fmt.Sprintf("GEN-%d", access.GetRest().GetPort()), count: count}
	if access.ExtraAttributes[kept] == "yes" {
		for number := range count {
			made.kept = append(made.kept, volume(number))
		}
	}
	return made, nil
}

type array struct {
	serial string
	count  int
	kept   []*typev1.Volume
}

func (own *array) Close(context.Context) error { return nil }

func (own *array) Storage(context.Context) (*typev1.Storage, error) {
	return &typev1.Storage{SerialNumber: &own.serial, Name: &own.serial}, nil
}

func (own *array) Volumes(ctx context.Context, yield func(*typev1.Volume) error) error {
	for number := range own.count {
		var made *typev1.Volume
		if own.kept != nil {
			made = own.kept[number]
		} else {
			made = volume(number)
		}
		if err := yield(made); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func volume(number int) *typev1.Volume {
	size := int64(1+number%64) << 30
	return &typev1.Volume{
		NativeVolumeId: proto.String("vol-" + strconv.Itoa(number)), Name: proto.String("volume " + strconv.Itoa(number)),
		Wwn:    proto.String(fmt.Sprintf("6%031x", number)),
		Status: typev1.VolumeStatus_VOLUME_STATUS_AVAILABLE.Enum(), Type: typev1.VolumeType_VOLUME_TYPE_THIN.Enum(),
		NativeStoragePoolId: proto.String("pool-" + strconv.Itoa(number%4)),
		TotalCapacity:       &size, UsedCapacity: proto.Int64(size / 2), FreeCapacity: proto.Int64(size - size/2),
	}
}

func main() {
	os.Exit(host.Main(driver{}, host.Default{
		Name: "dev.delphis.example-generated", Version: "0.1.0", Vendor: "example", Model: "generated-go",
	}))
}
