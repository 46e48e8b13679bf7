// The array's words and units, and the contract's.

import type { Alert } from '../contract/delphis/type/v1/Alert.js';
import type { Controller } from '../contract/delphis/type/v1/Controller.js';
import type { Disk } from '../contract/delphis/type/v1/Disk.js';
import type { MaskingView } from '../contract/delphis/type/v1/MaskingView.js';
import type { Port } from '../contract/delphis/type/v1/Port.js';
import type { Severity } from '../contract/delphis/type/v1/Severity.js';
import type { Storage } from '../contract/delphis/type/v1/Storage.js';
import type { StorageHost } from '../contract/delphis/type/v1/StorageHost.js';
import type { StorageHostInitiator } from '../contract/delphis/type/v1/StorageHostInitiator.js';
import type { StoragePool } from '../contract/delphis/type/v1/StoragePool.js';
import type { Volume } from '../contract/delphis/type/v1/Volume.js';

type Said<T> = T | null | undefined;
const MIB = 1n << 20n, GB = 1_000_000_000n, GBIT = 1_000_000_000n;

// ---- What the array answers ----

export interface TheSystem {
  serial: string; label?: string; product?: string; release?: string; state?: string;
  raw_gb?: Said<number>; size_mib?: Said<number>; used_mib?: Said<number>;
}
export interface ThePool { id: string; label?: string; state?: string; size_mib?: Said<number>; used_mib?: Said<number>; disks?: string[] }
export interface TheVolume {
  id: string; label?: string; state?: string; pool?: string; wwn?: string; thin?: Said<boolean>;
  size_mib?: Said<number>; used_mib?: Said<number>;
}
export interface TheController { id: string; label?: string; state?: string; address?: string; memory_mib?: Said<number>; cores?: Said<number> }
export interface ThePort {
  id: string; label?: string; controller?: string; protocol?: string; link?: string; gbps?: Said<number>;
  wwn?: Said<string>; address?: Said<string>;
}
export interface TheDisk {
  id: string; label?: string; serial?: string; state?: string; technology?: string;
  rpm?: Said<number>; gb?: Said<number>; wear_percent?: Said<number>;
}
export interface TheHost { id: string; label?: string; system?: string; address?: string }
export interface TheInitiator { id: string; host?: string; wwn?: string; logged_in?: Said<boolean> }
export interface TheExport { id: string; host: string; volume: string }
export interface TheAlert { seq?: string; code?: string; level?: number; object?: string; text?: string; time?: string }

// ---- Units and words ----

/** A number in the contract's unit, exact beyond 2^53; what the array doesn't say stays unset. */
function times(number: Said<number>, unit: bigint): string | undefined {
  return number === null || number === undefined ? undefined : String(BigInt(number) * unit);
}

/** What is left of all. */
function rest(all: string | undefined, used: string | undefined): string | undefined {
  return all === undefined || used === undefined ? undefined : String(BigInt(all) - BigInt(used));
}

function capacities(found: { size_mib?: Said<number>; used_mib?: Said<number> }): {
  total_capacity?: string; used_capacity?: string; free_capacity?: string;
} {
  const size = times(found.size_mib, MIB), used = times(found.used_mib, MIB);
  return { total_capacity: size, used_capacity: used, free_capacity: rest(size, used) };
}

/** Hexadecimal in lower case, without the colons that the array prints. */
function wwn(text: Said<string>): string | undefined { return text?.replaceAll(':', '').toLowerCase(); }

/** The contract's value for a word of the array; one that isn't listed is unknown. */
function word<Value>(said: Said<string>, words: Record<string, Value>, unknown: Value): Value | undefined {
  return said ? (words[said] ?? unknown) : undefined;
}

// ---- Resources ----

export const storage = (found: TheSystem): Storage => ({
  serial_number: found.serial, name: found.label, vendor: 'Example', model: found.product, firmware_version: found.release,
  status: word<Storage['status']>(found.state, {
    OK: 'STORAGE_STATUS_NORMAL', DEGRADED: 'STORAGE_STATUS_DEGRADED', FAILED: 'STORAGE_STATUS_ABNORMAL',
  }, 'STORAGE_STATUS_UNKNOWN'),
  ...capacities(found), raw_capacity: times(found.raw_gb, GB),
});

export const pool = (found: ThePool): StoragePool => ({
  native_storage_pool_id: found.id, name: found.label, storage_type: 'STORAGE_TYPE_BLOCK', native_disk_ids: found.disks,
  status: word<StoragePool['status']>(found.state, {
    OK: 'STORAGE_POOL_STATUS_NORMAL', DEGRADED: 'STORAGE_POOL_STATUS_DEGRADED', FAILED: 'STORAGE_POOL_STATUS_ABNORMAL',
  }, 'STORAGE_POOL_STATUS_UNKNOWN'),
  ...capacities(found),
});

export const volume = (found: TheVolume): Volume => ({
  native_volume_id: found.id, name: found.label, wwn: wwn(found.wwn), native_storage_pool_id: found.pool,
  status: word<Volume['status']>(found.state, {
    OK: 'VOLUME_STATUS_NORMAL', FAILED: 'VOLUME_STATUS_ABNORMAL', OFFLINE: 'VOLUME_STATUS_OFFLINE',
  }, 'VOLUME_STATUS_UNKNOWN'),
  type: typeof found.thin === 'boolean' ? (found.thin ? 'VOLUME_TYPE_THIN' : 'VOLUME_TYPE_THICK') : undefined,
  ...capacities(found), native: { state: found.state ?? '' },
});

export const controller = (found: TheController): Controller => ({
  native_controller_id: found.id, name: found.label, mgmt_ip: found.address, cpu_count: found.cores ?? undefined,
  status: word<Controller['status']>(
    found.state, { OK: 'CONTROLLER_STATUS_NORMAL', FAILED: 'CONTROLLER_STATUS_FAULT' }, 'CONTROLLER_STATUS_UNKNOWN'),
  memory_size: times(found.memory_mib, MIB),
});

export const port = (found: ThePort): Port => ({
  native_port_id: found.id, name: found.label, native_parent_id: found.controller, wwn: wwn(found.wwn),
  ipv4: found.address ?? undefined, logical_type: 'PORT_LOGICAL_TYPE_FRONTEND', max_speed: times(found.gbps, GBIT),
  type: word<Port['type']>(found.protocol, { FC: 'PORT_TYPE_FC', ISCSI: 'PORT_TYPE_ISCSI' }, 'PORT_TYPE_UNKNOWN'),
  connection_status: word<Port['connection_status']>(found.link, {
    UP: 'PORT_CONNECTION_STATUS_CONNECTED', DOWN: 'PORT_CONNECTION_STATUS_DISCONNECTED',
  }, 'PORT_CONNECTION_STATUS_UNKNOWN'),
});

export const disk = (found: TheDisk): Disk => ({
  native_disk_id: found.id, name: found.label, serial_number: found.serial, speed: found.rpm ?? undefined,
  capacity: times(found.gb, GB),
  health_score: typeof found.wear_percent === 'number' ? 100 - found.wear_percent : undefined,
  physical_type: word<Disk['physical_type']>(found.technology, {
    NVME: 'DISK_PHYSICAL_TYPE_NVME_SSD', 'NL-SAS': 'DISK_PHYSICAL_TYPE_NL_SAS',
  }, 'DISK_PHYSICAL_TYPE_UNKNOWN'),
  status: word<Disk['status']>(found.state, {
    OK: 'DISK_STATUS_NORMAL', WORN: 'DISK_STATUS_DEGRADED', FAILED: 'DISK_STATUS_ABNORMAL',
  }, 'DISK_STATUS_UNKNOWN'),
});

export const host = (found: TheHost): StorageHost => ({
  native_storage_host_id: found.id, name: found.label, ip_address: found.address, native: { system: found.system ?? '' },
  os_type: word<StorageHost['os_type']>(found.system, {
    linux: 'HOST_OS_TYPE_LINUX', windows: 'HOST_OS_TYPE_WINDOWS', vmware: 'HOST_OS_TYPE_VMWARE_ESX',
  }, 'HOST_OS_TYPE_UNKNOWN'),
});

export const initiator = (found: TheInitiator): StorageHostInitiator => ({
  native_storage_host_initiator_id: found.id, name: wwn(found.wwn), wwn: wwn(found.wwn), native_storage_host_id: found.host,
  type: 'INITIATOR_TYPE_FC',
  status: typeof found.logged_in === 'boolean'
    ? (found.logged_in ? 'INITIATOR_STATUS_ONLINE' : 'INITIATOR_STATUS_OFFLINE') : undefined,
});

export const view = (found: TheExport): MaskingView => ({
  native_masking_view_id: found.id, name: `${found.volume} on ${found.host}`,
  native_storage_host_id: found.host, native_volume_id: found.volume,
});

// ---- Alerts ----

const SEVERITIES: Severity[] = [
  'SEVERITY_NOT_SPECIFIED', 'SEVERITY_CRITICAL', 'SEVERITY_MAJOR', 'SEVERITY_MINOR', 'SEVERITY_WARNING',
];
const KINDS: Record<string, string> = {
  disk: 'disk', pool: 'storage_pool', port: 'port', volume: 'volume', controller: 'controller',
};

export function alert(found: TheAlert): Alert {
  const [kind = '', id] = (found.object ?? '').split(':', 2);
  const at = found.time === undefined ? NaN : Date.parse(found.time);
  return {
    alert_id: found.code, alert_name: found.code?.toLowerCase().replaceAll('_', ' '), sequence_number: found.seq,
    match_key: `${found.code} ${found.object}`, severity: SEVERITIES[found.level ?? 0] ?? 'SEVERITY_NOT_SPECIFIED',
    category: 'ALERT_CATEGORY_FAULT', type: 'ALERT_TYPE_EQUIPMENT_ALARM', description: found.text, location: found.object,
    occur_time: Number.isNaN(at) ? undefined : { seconds: String(Math.floor(at / 1000)) },
    ...(KINDS[kind] && id ? { resource_type: KINDS[kind], native_resource_id: id } : { resource_type: 'storage' }),
  };
}
