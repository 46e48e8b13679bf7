package pebble

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	typev1 "delphis.dev/go/delphis/type/v1"
)

const (
	history  = 24 * time.Hour
	interval = time.Minute
)

// metrics are what the array measures: its word, ours, our unit, and what its number is multiplied by.
var metrics = []struct {
	theirs, ours, unit string
	factor             float64
}{
	{"iops", "iops", "1/s", 1},
	{"mbps", "throughput", "By/s", 1e6},
	{"latency_ms", "responseTime", "s", 1e-3},
}

// Capabilities says what this array measures.
func (own *array) Capabilities(context.Context) (*typev1.Capabilities, error) {
	var specs []*typev1.MetricSpec
	for _, metric := range metrics {
		specs = append(specs, &typev1.MetricSpec{Name: metric.ours, Unit: metric.unit})
	}
	return &typev1.Capabilities{
		IsHistoric: true, Retention: durationpb.New(history),
		ResourceMetrics: []*typev1.ResourceMetrics{
			{Kind: "storage", Metrics: specs, Interval: durationpb.New(interval)},
			{Kind: "storage_pool", Metrics: specs, Interval: durationpb.New(interval)},
		},
		Kinds: []string{
			"storage_pool", "volume", "controller", "port", "disk", "storage_host", "storage_host_initiator", "masking_view",
		},
	}, nil
}

type load map[string]float64

// Samples reads begin <= time < end, an hour a request.
func (own *array) Samples(ctx context.Context, begin, end time.Time, yield func(*typev1.MetricBatch) error) error {
	var serial string
	latest, err := own.Latest(ctx)
	if err != nil {
		return err
	}
	if first := latest.Add(-history); begin.Before(first) {
		begin = first
	}
	if last := latest.Add(interval); end.After(last) {
		end = last
	}
	for from := begin; from.Before(end); from = from.Add(time.Hour) {
		to := from.Add(time.Hour)
		if to.After(end) {
			to = end
		}
		var found struct {
			Start, Step int64
			Samples     []struct {
				Array load
				Pools map[string]load
			}
		}
		query := fmt.Sprintf("/api/performance?from=%.3f&to=%.3f", float64(from.UnixMilli())/1e3, float64(to.UnixMilli())/1e3)
		if err := own.client.do(ctx, http.MethodGet, query, nil, &found); err != nil {
			return err
		}
		if len(found.Samples) == 0 {
			continue
		}
		if serial == "" {
			storage, err := own.Storage(ctx)
			if err != nil {
				return err
			}
			serial = storage.GetSerialNumber()
		}
		ofArray, ofPools := make([]map[string]load, 0), make([]map[string]load, 0)
		for _, sample := range found.Samples {
			ofArray, ofPools = append(ofArray, map[string]load{serial: sample.Array}), append(ofPools, sample.Pools)
		}
		for _, group := range []struct {
			kind    string
			samples []map[string]load
		}{{"storage", ofArray}, {"storage_pool", ofPools}} {
			if err := yield(columns(group.kind, found.Start, found.Step, group.samples)); err != nil {
				return err
			}
		}
	}
	return nil
}

// columns are samples as the contract has them: time, then metric, then resource; NaN where there is none.
func columns(kind string, start, step int64, samples []map[string]load) *typev1.MetricBatch {
	ids := slices.Sorted(maps.Keys(samples[0]))
	batch := &typev1.MetricBatch{
		Kind: kind, NativeIds: ids, Start: &timestamppb.Timestamp{Seconds: start},
		Step: &durationpb.Duration{Seconds: step}, Steps: int32(len(samples)),
	}
	for _, metric := range metrics {
		batch.Metrics = append(batch.Metrics, metric.ours)
	}
	for _, sample := range samples {
		for _, metric := range metrics {
			for _, id := range ids {
				value, measured := sample[id][metric.theirs]
				if !measured {
					value = math.NaN()
				}
				batch.Values = append(batch.Values, value*metric.factor)
			}
		}
	}
	return batch
}
