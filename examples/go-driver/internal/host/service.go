package host

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	driverv1 "delphis.dev/go/delphis/driver/v1"
	typev1 "delphis.dev/go/delphis/type/v1"
)

const (
	mostItems = 500
	mostBytes = 1<<20 - 64 // what is around the items has room
	mostTraps = 500
	mostStuck = 8
)

// service is StorageDriver. Methods of kinds that it hasn't are the embedded ones, which say UNIMPLEMENTED.
type service struct {
	driverv1.UnimplementedStorageDriverServer

	settings Settings
	driver   Driver
	rpcs     []string
	serverID string
	secrets  *Secrets
	sessions *sessions
	lanes    *lanes
	calls    *calls

	lock   sync.Mutex
	epochs map[string]int64
}

// GetDriverInfo says who the driver is.
func (own *service) GetDriverInfo(context.Context, *driverv1.GetDriverInfoRequest) (*driverv1.GetDriverInfoResponse, error) {
	stuck := own.calls.stuck()
	return &driverv1.GetDriverInfoResponse{
		Name: own.settings.Name, Version: own.settings.Version, ServerId: own.serverID, Serves: own.settings.Serves,
		Rpcs: own.rpcs, AccessFields: own.driver.AccessFields(), Runtime: "go-driver (" + runtime.Version() + ")",
		StuckCalls: int32(stuck), WantsReplacement: stuck >= mostStuck,
	}, nil
}

func (own *service) checkTarget(target *driverv1.Target) error {
	if target.GetStorageId() == "" {
		return Problem(typev1.Reason_REASON_INVALID_INPUT, "The request names no storage.")
	}
	if target.OwnerEpoch == 0 {
		return nil
	}
	own.lock.Lock()
	defer own.lock.Unlock()
	if seen := own.epochs[target.StorageId]; target.OwnerEpoch < seen {
		return Problem(typev1.Reason_REASON_OWNER_EPOCH_STALE, "Storage %s belongs to another core since: epoch %d < %d.",
			target.StorageId, target.OwnerEpoch, seen)
	}
	own.epochs[target.StorageId] = target.OwnerEpoch
	return nil
}

// with calls the driver for an array, when there is a place and a login.
func (own *service) with(ctx context.Context, target *driverv1.Target, work func(Array) error) error {
	if err := own.checkTarget(target); err != nil {
		return err
	}
	if target.AccessInfo == nil {
		return Problem(typev1.Reason_REASON_ACCESS_INFO_INCOMPLETE, "The request for storage %s came without access info.",
			target.StorageId)
	}
	leave, err := own.lanes.enter(ctx, target.StorageId)
	if err != nil {
		return err
	}
	defer leave()
	array, done, err := own.sessions.enter(ctx, target)
	if err != nil {
		return err
	}
	defer done()
	return asStatus(ctx, methodOf(ctx), work(array), own.secrets) // while the session holds its secrets
}

// GetStorage reads what the array says of itself.
func (own *service) GetStorage(ctx context.Context, request *driverv1.GetStorageRequest) (*driverv1.GetStorageResponse, error) {
	answer := &driverv1.GetStorageResponse{}
	err := own.with(ctx, request.Target, func(array Array) (err error) {
		if answer.Storage, err = array.Storage(ctx); err == nil && answer.Storage.GetSerialNumber() == "" {
			err = Problem(typev1.Reason_REASON_INVALID_RESULTS, "The driver found no serial number; it is the array's identity.")
		}
		return err
	})
	return answer, err
}

// ResetConnection logs in anew. It ends what is under way only when that has ended by itself.
func (own *service) ResetConnection(
	ctx context.Context, request *driverv1.ResetConnectionRequest,
) (*driverv1.ResetConnectionResponse, error) {
	own.sessions.forget(request.GetTarget().GetStorageId())
	return &driverv1.ResetConnectionResponse{}, own.with(ctx, request.Target, func(Array) error { return nil })
}

// CloseStorage logs out.
func (own *service) CloseStorage(
	ctx context.Context, request *driverv1.CloseStorageRequest,
) (*driverv1.CloseStorageResponse, error) {
	if err := own.checkTarget(request.GetTarget()); err != nil {
		return nil, err
	}
	select {
	case <-own.sessions.forget(request.Target.StorageId):
		return &driverv1.CloseStorageResponse{}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ---- Lists ----

// list sends what an array lists in batches, the last of them with `complete`.
func list[Lister any, Item proto.Message](
	own *service, ctx context.Context, target *driverv1.Target,
	read func(Lister, context.Context, func(Item) error) error, send func(items []Item, complete bool) error,
) error {
	return own.with(ctx, target, func(array Array) error {
		lister, found := array.(Lister)
		if !found {
			return Problem(typev1.Reason_REASON_STORAGE_CAPABILITY_NOT_SUPPORTED, "The driver has no %s.", methodOf(ctx))
		}
		batch, bytes := make([]Item, 0, mostItems), 0
		err := read(lister, ctx, func(item Item) error {
			size := proto.Size(item) + 5 // its tag and length
			if len(batch) == mostItems || (len(batch) > 0 && bytes+size > mostBytes) {
				if err := send(batch, false); err != nil {
					return err
				}
				batch, bytes = batch[:0], 0
			}
			batch, bytes = append(batch, item), bytes+size
			return nil
		})
		if err != nil {
			return err
		}
		return send(batch, true)
	})
}

func (own *service) ListStoragePools(request *driverv1.ListStoragePoolsRequest, out driverv1.StorageDriver_ListStoragePoolsServer) error {
	return list(own, out.Context(), request.Target, PoolLister.Pools, func(items []*typev1.StoragePool, complete bool) error {
		return out.Send(&driverv1.ListStoragePoolsResponse{Items: items, Complete: complete})
	})
}

func (own *service) ListVolumes(request *driverv1.ListVolumesRequest, out driverv1.StorageDriver_ListVolumesServer) error {
	return list(own, out.Context(), request.Target, VolumeLister.Volumes, func(items []*typev1.Volume, complete bool) error {
		return out.Send(&driverv1.ListVolumesResponse{Items: items, Complete: complete})
	})
}

func (own *service) ListControllers(request *driverv1.ListControllersRequest, out driverv1.StorageDriver_ListControllersServer) error {
	return list(own, out.Context(), request.Target, ControllerLister.Controllers, func(items []*typev1.Controller, complete bool) error {
		return out.Send(&driverv1.ListControllersResponse{Items: items, Complete: complete})
	})
}

func (own *service) ListPorts(request *driverv1.ListPortsRequest, out driverv1.StorageDriver_ListPortsServer) error {
	return list(own, out.Context(), request.Target, PortLister.Ports, func(items []*typev1.Port, complete bool) error {
		return out.Send(&driverv1.ListPortsResponse{Items: items, Complete: complete})
	})
}

func (own *service) ListDisks(request *driverv1.ListDisksRequest, out driverv1.StorageDriver_ListDisksServer) error {
	return list(own, out.Context(), request.Target, DiskLister.Disks, func(items []*typev1.Disk, complete bool) error {
		return out.Send(&driverv1.ListDisksResponse{Items: items, Complete: complete})
	})
}

func (own *service) ListStorageHosts(request *driverv1.ListStorageHostsRequest, out driverv1.StorageDriver_ListStorageHostsServer) error {
	return list(own, out.Context(), request.Target, HostLister.Hosts, func(items []*typev1.StorageHost, complete bool) error {
		return out.Send(&driverv1.ListStorageHostsResponse{Items: items, Complete: complete})
	})
}

func (own *service) ListStorageHostInitiators(
	request *driverv1.ListStorageHostInitiatorsRequest, out driverv1.StorageDriver_ListStorageHostInitiatorsServer,
) error {
	send := func(items []*typev1.StorageHostInitiator, complete bool) error {
		return out.Send(&driverv1.ListStorageHostInitiatorsResponse{Items: items, Complete: complete})
	}
	return list(own, out.Context(), request.Target, InitiatorLister.Initiators, send)
}

func (own *service) ListMaskingViews(request *driverv1.ListMaskingViewsRequest, out driverv1.StorageDriver_ListMaskingViewsServer) error {
	return list(own, out.Context(), request.Target, ViewLister.MaskingViews, func(items []*typev1.MaskingView, complete bool) error {
		return out.Send(&driverv1.ListMaskingViewsResponse{Items: items, Complete: complete})
	})
}

// ---- Alerts ----

func (own *service) ListAlerts(request *driverv1.ListAlertsRequest, out driverv1.StorageDriver_ListAlertsServer) error {
	within := func(lister AlertLister, ctx context.Context, yield func(*typev1.Alert) error) error {
		return lister.Alerts(ctx, func(alert *typev1.Alert) error {
			at := alert.OccurTime
			if at != nil && request.BeginTime != nil && at.AsTime().Before(request.BeginTime.AsTime()) ||
				at != nil && request.EndTime != nil && !at.AsTime().Before(request.EndTime.AsTime()) {
				return nil
			}
			return yield(alert)
		})
	}
	return list(own, out.Context(), request.Target, within, func(items []*typev1.Alert, complete bool) error {
		return out.Send(&driverv1.ListAlertsResponse{Items: items, Complete: complete})
	})
}

// ask calls a method that an array may have.
func ask[Interface any](own *service, ctx context.Context, target *driverv1.Target, work func(Interface) error) error {
	return own.with(ctx, target, func(array Array) error {
		able, found := array.(Interface)
		if !found {
			return Problem(typev1.Reason_REASON_STORAGE_CAPABILITY_NOT_SUPPORTED, "The driver has no %s.", methodOf(ctx))
		}
		return work(able)
	})
}

func (own *service) ClearAlert(ctx context.Context, request *driverv1.ClearAlertRequest) (*driverv1.ClearAlertResponse, error) {
	return &driverv1.ClearAlertResponse{}, ask(own, ctx, request.Target, func(array AlertClearer) error {
		for _, number := range request.SequenceNumbers {
			if err := array.ClearAlert(ctx, number); err != nil {
				return err
			}
		}
		return nil
	})
}

// ParseAlert asks no array. A trap that can't be parsed doesn't spoil the others.
func (own *service) ParseAlert(_ context.Context, request *driverv1.ParseAlertRequest) (*driverv1.ParseAlertResponse, error) {
	parser, found := own.driver.(TrapParser)
	if !found {
		return nil, Problem(typev1.Reason_REASON_STORAGE_CAPABILITY_NOT_SUPPORTED, "The driver has no ParseAlert.")
	}
	if err := own.checkTarget(request.Target); err != nil {
		return nil, err
	}
	if len(request.Traps) > mostTraps {
		return nil, Problem(typev1.Reason_REASON_INVALID_INPUT, "%d traps; at most %d are taken.", len(request.Traps), mostTraps)
	}
	answer := &driverv1.ParseAlertResponse{}
	for _, trap := range request.Traps {
		result := &driverv1.ParsedTrap{}
		var err error
		if result.Alerts, result.Incomplete, err = parser.ParseTrap(trap); err != nil {
			result.Warning = &driverv1.Warning{
				Reason: typev1.Reason_REASON_DRIVER_FAULT, Message: short(own.secrets.Scrub(err.Error()), longestMessage),
			}
		}
		answer.Results = append(answer.Results, result)
	}
	return answer, nil
}

func (own *service) AddTrapConfig(ctx context.Context, request *driverv1.AddTrapConfigRequest) (*driverv1.AddTrapConfigResponse, error) {
	if request.TrapConfig == nil {
		return nil, Problem(typev1.Reason_REASON_INVALID_INPUT, "The request has no trap_config.")
	}
	own.secrets.Add(request, request.TrapConfig, nil)
	defer own.secrets.Remove(request)
	return &driverv1.AddTrapConfigResponse{}, ask(own, ctx, request.Target, func(array TrapSender) error {
		return array.AddReceiver(ctx, request.TrapConfig)
	})
}

func (own *service) RemoveTrapConfig(
	ctx context.Context, request *driverv1.RemoveTrapConfigRequest,
) (*driverv1.RemoveTrapConfigResponse, error) {
	if request.TrapConfig == nil {
		return nil, Problem(typev1.Reason_REASON_INVALID_INPUT, "The request has no trap_config.")
	}
	own.secrets.Add(request, request.TrapConfig, nil)
	defer own.secrets.Remove(request)
	return &driverv1.RemoveTrapConfigResponse{}, ask(own, ctx, request.Target, func(array TrapSender) error {
		return array.RemoveReceiver(ctx, request.TrapConfig)
	})
}

func (own *service) GetAlertSources(
	ctx context.Context, request *driverv1.GetAlertSourcesRequest,
) (*driverv1.GetAlertSourcesResponse, error) {
	answer := &driverv1.GetAlertSourcesResponse{}
	return answer, ask(own, ctx, request.Target, func(array TrapSender) (err error) {
		answer.AlertSources, err = array.Sources(ctx)
		return err
	})
}

// ---- Metrics ----

func (own *service) GetCapabilities(
	ctx context.Context, request *driverv1.GetCapabilitiesRequest,
) (*driverv1.GetCapabilitiesResponse, error) {
	answer := &driverv1.GetCapabilitiesResponse{}
	return answer, ask(own, ctx, request.Target, func(array Meter) (err error) {
		answer.Capabilities, err = array.Capabilities(ctx)
		return err
	})
}

func (own *service) CollectPerfMetrics(
	request *driverv1.CollectPerfMetricsRequest, out driverv1.StorageDriver_CollectPerfMetricsServer,
) error {
	if request.BeginTime == nil || request.EndTime == nil {
		return Problem(typev1.Reason_REASON_INVALID_INPUT, "CollectPerfMetrics needs begin_time and end_time.")
	}
	wanted := map[string]map[string]bool{}
	for _, group := range request.ResourceMetrics {
		wanted[group.Kind] = map[string]bool{}
		for _, metric := range group.Metrics {
			wanted[group.Kind][metric.Name] = true
		}
	}
	read := func(meter Meter, ctx context.Context, yield func(*typev1.MetricBatch) error) error {
		return meter.Samples(ctx, request.BeginTime.AsTime(), request.EndTime.AsTime(), func(batch *typev1.MetricBatch) error {
			if len(wanted) > 0 {
				batch = chosen(batch, wanted[batch.Kind])
			}
			if batch == nil {
				return nil
			}
			return yield(batch)
		})
	}
	return list(own, out.Context(), request.Target, read, func(items []*typev1.MetricBatch, complete bool) error {
		return out.Send(&driverv1.CollectPerfMetricsResponse{Items: items, Complete: complete})
	})
}

// chosen is a batch with the wanted metrics alone; nil if it has none of them.
func chosen(batch *typev1.MetricBatch, wanted map[string]bool) *typev1.MetricBatch {
	kept := &typev1.MetricBatch{
		Kind: batch.Kind, NativeIds: batch.NativeIds, Start: batch.Start, Step: batch.Step, Steps: batch.Steps,
	}
	width := len(batch.NativeIds)
	for _, name := range batch.Metrics {
		if wanted[name] {
			kept.Metrics = append(kept.Metrics, name)
		}
	}
	for step := range int(batch.Steps) {
		for at, name := range batch.Metrics {
			if wanted[name] {
				row := (step*len(batch.Metrics) + at) * width
				kept.Values = append(kept.Values, batch.Values[row:row+width]...)
			}
		}
	}
	if len(kept.Metrics) == 0 {
		return nil
	}
	return kept
}

func (own *service) GetLatestPerfTimestamp(
	ctx context.Context, request *driverv1.GetLatestPerfTimestampRequest,
) (*driverv1.GetLatestPerfTimestampResponse, error) {
	answer := &driverv1.GetLatestPerfTimestampResponse{}
	return answer, ask(own, ctx, request.Target, func(array Meter) error {
		latest, err := array.Latest(ctx)
		if err == nil && !latest.Equal(time.Time{}) {
			answer.Timestamp = timestamppb.New(latest)
		}
		return err
	})
}

func stack() string { return string(debug.Stack()) }
