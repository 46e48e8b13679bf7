// What the array measures.

import type { Capabilities } from '../contract/delphis/type/v1/Capabilities.js';
import type { MetricBatch } from '../contract/delphis/type/v1/MetricBatch.js';

export const HISTORY = 86_400;
export const INTERVAL = 60;

type Load = Record<string, number>;
export interface Samples { start: number; step: number; samples: { array: Load; pools: Record<string, Load> }[] }

/** The array's word, ours, our unit, and what its number is multiplied by. */
const METRICS: [theirs: string, ours: string, unit: string, factor: number][] = [
  ['iops', 'iops', '1/s', 1],
  ['mbps', 'throughput', 'By/s', 1e6],
  ['latency_ms', 'responseTime', 's', 1e-3],
];

export function capabilities(): Capabilities {
  const metrics = METRICS.map(([, name, unit]) => ({ name, unit }));
  return {
    is_historic: true, retention: { seconds: HISTORY },
    resource_metrics: ['storage', 'storage_pool'].map((kind) => ({ kind, metrics, interval: { seconds: INTERVAL } })),
    kinds: [
      'storage_pool', 'volume', 'controller', 'port', 'disk', 'storage_host', 'storage_host_initiator', 'masking_view',
    ],
  };
}

/** Samples as the contract has them: time, then metric, then resource; NaN where there is none. */
export function batches(found: Samples, serial: string): MetricBatch[] {
  const columns = (kind: string, samples: Record<string, Load>[]): MetricBatch => {
    const ids = Object.keys(samples[0] ?? {}).sort();
    return {
      kind, native_ids: ids, metrics: METRICS.map(([, name]) => name),
      start: { seconds: found.start }, step: { seconds: found.step }, steps: samples.length,
      values: samples.flatMap((sample) => METRICS.flatMap(([theirs, , , factor]) =>
        ids.map((id) => (sample[id]?.[theirs] ?? NaN) * factor))),
    };
  };
  return [
    columns('storage', found.samples.map((sample) => ({ [serial]: sample.array }))),
    columns('storage_pool', found.samples.map((sample) => sample.pools)),
  ];
}
