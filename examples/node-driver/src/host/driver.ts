// What an author of a driver writes.

import type { AccessField } from '../contract/delphis/driver/v1/AccessField.js';
import type { ParsedTrap } from '../contract/delphis/driver/v1/ParsedTrap.js';
import type { AccessInfo__Output } from '../contract/delphis/type/v1/AccessInfo.js';
import type { Alert } from '../contract/delphis/type/v1/Alert.js';
import type { AlertSource } from '../contract/delphis/type/v1/AlertSource.js';
import type { Capabilities } from '../contract/delphis/type/v1/Capabilities.js';
import type { Controller } from '../contract/delphis/type/v1/Controller.js';
import type { Disk } from '../contract/delphis/type/v1/Disk.js';
import type { MaskingView } from '../contract/delphis/type/v1/MaskingView.js';
import type { MetricBatch } from '../contract/delphis/type/v1/MetricBatch.js';
import type { Port } from '../contract/delphis/type/v1/Port.js';
import type { Storage } from '../contract/delphis/type/v1/Storage.js';
import type { StorageHost } from '../contract/delphis/type/v1/StorageHost.js';
import type { StorageHostInitiator } from '../contract/delphis/type/v1/StorageHostInitiator.js';
import type { StoragePool } from '../contract/delphis/type/v1/StoragePool.js';
import type { Trap__Output } from '../contract/delphis/type/v1/Trap.js';
import type { TrapConfig__Output } from '../contract/delphis/type/v1/TrapConfig.js';
import type { Volume } from '../contract/delphis/type/v1/Volume.js';

/** Makes arrays of access info. */
export interface Driver {
  /** What the driver wants to know to reach an array. */
  readonly accessFields: AccessField[];
  /** The array's methods: what is there is announced. */
  readonly has: ReadonlySet<keyof ArrayMethods>;
  /** Logs in. The access info has every field that is required, and the default of each that has one. */
  open(access: AccessInfo__Output, signal: AbortSignal): Promise<StorageArray>;
  /** Makes alerts of a trap, asking nobody. */
  parseTrap?(trap: Trap__Output): ParsedTrap;
}

type List<Item> = (signal: AbortSignal) => AsyncIterable<Item>;

/** What an array may have beside. */
export interface ArrayMethods {
  pools: List<StoragePool>;
  volumes: List<Volume>;
  controllers: List<Controller>;
  ports: List<Port>;
  disks: List<Disk>;
  hosts: List<StorageHost>;
  initiators: List<StorageHostInitiator>;
  maskingViews: List<MaskingView>;
  alerts: List<Alert>;
  clearAlert(sequenceNumber: string, signal: AbortSignal): Promise<void>;
  addReceiver(config: TrapConfig__Output, signal: AbortSignal): Promise<void>;
  removeReceiver(config: TrapConfig__Output, signal: AbortSignal): Promise<void>;
  sources(signal: AbortSignal): Promise<AlertSource[]>;
  capabilities(signal: AbortSignal): Promise<Capabilities>;
  samples(begin: number, end: number, signal: AbortSignal): AsyncIterable<MetricBatch>;
  latest(signal: AbortSignal): Promise<number | undefined>;
}

/** One array that is logged in. Several calls use it at a time. */
export interface StorageArray extends Partial<ArrayMethods> {
  storage(signal: AbortSignal): Promise<Storage>;
  close(signal: AbortSignal): Promise<void>;
}
