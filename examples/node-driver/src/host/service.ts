// StorageDriver as gRPC sees it: each call gets a deadline, a place, a login, and a status for its error.

import { randomUUID } from 'node:crypto';

import * as grpc from '@grpc/grpc-js';

import type { GetDriverInfoResponse } from '../contract/delphis/driver/v1/GetDriverInfoResponse.js';
import type { ResourceMetrics__Output } from '../contract/delphis/type/v1/ResourceMetrics.js';
import type { MetricBatch } from '../contract/delphis/type/v1/MetricBatch.js';
import type { Target__Output } from '../contract/delphis/driver/v1/Target.js';
import type { Timestamp__Output } from '../contract/google/protobuf/Timestamp.js';
import type { Trap__Output } from '../contract/delphis/type/v1/Trap.js';
import type { TrapConfig__Output } from '../contract/delphis/type/v1/TrapConfig.js';
import type { Alert } from '../contract/delphis/type/v1/Alert.js';
import { type Method, methods, secretsOf, service } from './contract.js';
import type { ArrayMethods, Driver, StorageArray } from './driver.js';
import { Cancelled, Problem, asStatus, scrubbed, short, understood } from './errors.js';
import { Lanes } from './lanes.js';
import type { Log, Secrets } from './secrets.js';
import { Sessions } from './sessions.js';
import type { Settings } from './settings.js';

const MOST_ITEMS = 500;
const MOST_BYTES = (1 << 20) - 64; // what is around the items has room
const MOST_TRAPS = 500;
const MOST_STUCK = 8;
const STUCK_AFTER = 1000;

/** A request as it comes: each has a target, and some have more. */
interface Request {
  target?: Target__Output | null;
  begin_time?: Timestamp__Output | null;
  end_time?: Timestamp__Output | null;
  sequence_numbers?: string[];
  traps?: Trap__Output[];
  trap_config?: TrapConfig__Output | null;
  resource_metrics?: ResourceMetrics__Output[];
}

interface Call { request: Request; signal: AbortSignal }
type Unary = (call: Call) => Promise<object>;
type Lists = (array: StorageArray, call: Call) => AsyncIterable<object> | undefined;

const LISTS: Record<string, [keyof ArrayMethods, Lists]> = {
  ListStoragePools: ['pools', (array, { signal }) => array.pools?.(signal)],
  ListVolumes: ['volumes', (array, { signal }) => array.volumes?.(signal)],
  ListControllers: ['controllers', (array, { signal }) => array.controllers?.(signal)],
  ListPorts: ['ports', (array, { signal }) => array.ports?.(signal)],
  ListDisks: ['disks', (array, { signal }) => array.disks?.(signal)],
  ListStorageHosts: ['hosts', (array, { signal }) => array.hosts?.(signal)],
  ListStorageHostInitiators: ['initiators', (array, { signal }) => array.initiators?.(signal)],
  ListMaskingViews: ['maskingViews', (array, { signal }) => array.maskingViews?.(signal)],
  ListAlerts: ['alerts', (array, call) => alerts(array, call)],
  CollectPerfMetrics: ['samples', (array, call) => samples(array, call)],
};
const ON_ARRAYS: Record<string, keyof ArrayMethods> = {
  AddTrapConfig: 'addReceiver', RemoveTrapConfig: 'removeReceiver', GetAlertSources: 'sources', ClearAlert: 'clearAlert',
  GetCapabilities: 'capabilities', GetLatestPerfTimestamp: 'latest',
};

export class Service {
  readonly serverId = randomUUID();
  draining = false;
  readonly #running = new Map<object, number>(); // to their deadlines
  #idle: (() => void)[] = [];
  readonly #lanes: Lanes;
  readonly #epochs = new Map<string, bigint>();
  readonly #unary: Record<string, Unary>;
  readonly sessions: Sessions;

  constructor(
    private readonly settings: Settings, private readonly driver: Driver, private readonly secrets: Secrets, private readonly log: Log,
  ) {
    this.#lanes = new Lanes(settings.arrayCalls, settings.arrayQueue);
    this.sessions = new Sessions(driver, secrets, log, settings.sessions);
    this.#unary = this.#unaries();
  }

  /** Names of the methods that the driver has. */
  get announced(): string[] {
    const has = (name: keyof ArrayMethods | undefined): boolean => name !== undefined && this.driver.has.has(name);
    return methods.map((method) => method.name).filter((name) =>
      ['GetDriverInfo', 'GetStorage', 'ResetConnection', 'CloseStorage'].includes(name) ||
      (name === 'ParseAlert' && this.driver.parseTrap !== undefined) || has(LISTS[name]?.[0]) || has(ON_ARRAYS[name]));
  }

  /** What grpc-js is given: a handler for each method of the contract. */
  handlers(): grpc.UntypedServiceImplementation {
    const announced = new Set(this.announced);
    return Object.fromEntries(methods.map((method) => [
      method.name, method.streams ? this.#streamHandler(method, announced) : this.#unaryHandler(method, announced),
    ]));
  }

  stuck(): number {
    return [...this.#running.values()].filter((deadline) => Date.now() - deadline > STUCK_AFTER).length;
  }

  get wantsReplacement(): boolean { return this.stuck() >= MOST_STUCK; }

  /** Takes no more calls, and waits for those under way. */
  async drained(): Promise<void> {
    this.draining = true;
    if (this.#running.size) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  get underWay(): number { return this.#running.size; }

  // ---- From gRPC and back ----

  #unaryHandler(method: Method, announced: Set<string>): grpc.handleUnaryCall<Request, object> {
    return (call, callback) => {
      void this.#served(method, announced, call, async (signal) => {
        const answer = await this.#unary[method.name]?.({ request: call.request, signal });
        callback(null, answer);
      }).catch((error: grpc.ServiceError) => callback(error));
    };
  }

  #streamHandler(method: Method, announced: Set<string>): grpc.handleServerStreamingCall<Request, object> {
    return (call) => {
      void this.#served(method, announced, call, async (signal) => {
        const list = LISTS[method.name];
        await this.#withArray(call.request, signal, async (array) => {
          const items = list?.[1](array, { request: call.request, signal });
          if (!items) throw unsupported(method.name);
          await this.#send(method.name, items, call, signal);
        });
        call.end();
      }).catch((error: grpc.ServiceError) => call.emit('error', error));
    };
  }

  /** Runs a call. What it throws is a status. */
  async #served(
    method: Method, announced: Set<string>, call: grpc.ServerUnaryCall<Request, object> | grpc.ServerWritableStream<Request, object>,
    work: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    if (this.draining) {
      // Without a reason of ours: to the router the host is gone, and it asks another.
      throw Object.assign(new Error('The driver host stops.'),
        { code: grpc.status.UNAVAILABLE, details: 'The driver host stops.', metadata: new grpc.Metadata() });
    }
    const given = call.getDeadline();
    const until = given instanceof Date ? given.getTime() : given;
    const remaining = Number.isFinite(until) ? budget(until - Date.now()) : method.defaultDeadline;
    const controller = new AbortController();
    const late = new Problem('ARRAY_TIMEOUT', `${method.name} was not answered in time.`);
    const timer = setTimeout(() => controller.abort(late), Math.max(0, Math.min(remaining, 2 ** 31 - 1)));
    call.on('cancelled', () => controller.abort(new Cancelled('The caller gave up.')));
    this.#running.set(call, Date.now() + remaining);
    try {
      if (!announced.has(method.name)) throw unsupported(method.name);
      await work(controller.signal);
    } catch (error) {
      const meaning = understood(error, method.name, controller.signal);
      if (meaning instanceof Problem && meaning.reason === 'DRIVER_FAULT' && error instanceof Error) {
        this.log.say('ERROR', `${method.name} failed: ${error.stack ?? error.message}`);
      }
      throw asStatus(scrubbed(meaning, this.secrets));
    } finally {
      clearTimeout(timer);
      this.#running.delete(call);
      if (!this.#running.size) this.#idle.splice(0).forEach((resolve) => resolve());
    }
  }

  /** Sends a list in batches, the last of them with `complete`. */
  async #send(
    name: string, items: AsyncIterable<object>, call: grpc.ServerWritableStream<Request, object>, signal: AbortSignal,
  ): Promise<void> {
    const serialize = service[name]?.responseSerialize;
    let batch: object[] = [], bytes = 0;
    for await (const item of items) {
      signal.throwIfAborted();
      const size = serialize?.({ items: [item] }).length ?? 0;
      if (batch.length === MOST_ITEMS || (batch.length && bytes + size > MOST_BYTES)) {
        await write(call, { items: batch }, signal);
        batch = [], bytes = 0;
      }
      batch.push(item), bytes += size;
    }
    await write(call, { items: batch, complete: true }, signal);
  }

  // ---- Methods ----

  #unaries(): Record<string, Unary> {
    const onArray = (work: (array: StorageArray, call: Call) => Promise<object> | undefined): Unary =>
      (call) => this.#withArray(call.request, call.signal, async (array) => {
        const answer = work(array, call);
        if (!answer) throw unsupported('such a method');
        return answer;
      });
    const withConfig = (name: 'addReceiver' | 'removeReceiver'): Unary => async (call) => {
      const config = call.request.trap_config;
      if (!config) throw new Problem('INVALID_INPUT', 'The request has no trap_config.');
      this.secrets.add(call, secretsOf('delphis.type.v1.TrapConfig', config));
      try {
        return await onArray((array) => array[name]?.(config, call.signal).then(() => ({})))(call);
      } finally {
        this.secrets.remove(call);
      }
    };
    return {
      GetDriverInfo: async () => this.#info(),
      GetStorage: onArray(async (array, { signal }) => {
        const storage = await array.storage(signal);
        if (!storage.serial_number) {
          throw new Problem('INVALID_RESULTS', "The driver found no serial number; it is the array's identity.");
        }
        return { storage };
      }),
      ResetConnection: (call) => {
        void this.sessions.forget(call.request.target?.storage_id ?? '');
        return onArray(async () => ({}))(call);
      },
      CloseStorage: async ({ request }) => {
        await this.sessions.forget(this.#checked(request).storage_id ?? '');
        return {};
      },
      ClearAlert: onArray((array, { request, signal }) => array.clearAlert && (async () => {
        for (const number of request.sequence_numbers ?? []) await array.clearAlert?.(number, signal);
        return {};
      })()),
      ParseAlert: async ({ request }) => this.#parseAlert(request),
      AddTrapConfig: withConfig('addReceiver'),
      RemoveTrapConfig: withConfig('removeReceiver'),
      GetAlertSources: onArray((array, { signal }) => array.sources?.(signal).then((found) => ({ alert_sources: found }))),
      GetCapabilities: onArray((array, { signal }) => array.capabilities?.(signal).then((found) => ({ capabilities: found }))),
      GetLatestPerfTimestamp: onArray((array, { signal }) => array.latest?.(signal).then((seconds) => (
        seconds === undefined ? {} : { timestamp: { seconds: String(seconds) } }))),
    };
  }

  #info(): GetDriverInfoResponse {
    return {
      name: this.settings.name, version: this.settings.version, server_id: this.serverId, serves: this.settings.serves,
      rpcs: this.announced, access_fields: this.driver.accessFields, runtime: `node-driver (Node.js ${process.version})`,
      stuck_calls: this.stuck(), wants_replacement: this.wantsReplacement,
    };
  }

  #parseAlert(request: Request): object {
    this.#checked(request);
    const traps = request.traps ?? [];
    if (traps.length > MOST_TRAPS) throw new Problem('INVALID_INPUT', `${traps.length} traps; at most ${MOST_TRAPS} are taken.`);
    const results = traps.map((trap) => {
      try {
        return this.driver.parseTrap?.(trap) ?? {};
      } catch (error) { // whatever a driver throws is about this trap alone
        return { warning: { reason: 'REASON_DRIVER_FAULT', message: short(this.secrets.scrub(String(error))) } };
      }
    });
    return { results };
  }

  #checked(request: Request): Target__Output {
    const target = request.target;
    if (!target?.storage_id) throw new Problem('INVALID_INPUT', 'The request names no storage.');
    const epoch = BigInt(target.owner_epoch ?? 0), seen = this.#epochs.get(target.storage_id) ?? 0n;
    if (epoch && epoch < seen) {
      throw new Problem('OWNER_EPOCH_STALE',
        `Storage ${target.storage_id} belongs to another core since: epoch ${epoch} < ${seen}.`);
    }
    if (epoch) this.#epochs.set(target.storage_id, epoch);
    return target;
  }

  /** Calls the driver for an array, when there is a place and a login. */
  async #withArray<T>(request: Request, signal: AbortSignal, work: (array: StorageArray) => Promise<T>): Promise<T> {
    const target = this.#checked(request);
    const leave = await this.#lanes.enter(target.storage_id ?? '', signal);
    try {
      return await this.sessions.use(target, signal, work);
    } finally {
      leave();
    }
  }
}

function unsupported(name: string): Problem {
  return new Problem('STORAGE_CAPABILITY_NOT_SUPPORTED', `The driver has no ${name}.`);
}

/** How long the driver may take, so that our error arrives before the caller's own. */
function budget(remaining: number): number {
  return remaining - Math.min(500, Math.max(50, remaining / 5), remaining / 2);
}

/** Waits until the message has left: what is still here when a drain closes the connection is lost. */
function write(call: grpc.ServerWritableStream<Request, object>, message: object, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const gone = (): void => reject(signal.reason);
    signal.addEventListener('abort', gone, { once: true });
    call.write(message, undefined, () => { signal.removeEventListener('abort', gone); resolve(); });
  });
}

function seconds(time: Timestamp__Output | null | undefined): number | undefined {
  return time ? Number(time.seconds ?? 0) + (time.nanos ?? 0) / 1e9 : undefined;
}

function alerts(array: StorageArray, { request, signal }: Call): AsyncIterable<Alert> | undefined {
  const all = array.alerts?.(signal);
  const begin = seconds(request.begin_time) ?? -Infinity, end = seconds(request.end_time) ?? Infinity;
  return all && (async function* () {
    for await (const alert of all) {
      const at = alert.occur_time ? Number(alert.occur_time.seconds ?? 0) + (alert.occur_time.nanos ?? 0) / 1e9 : undefined;
      if (at === undefined || (at >= begin && at < end)) yield alert;
    }
  })();
}

function samples(array: StorageArray, { request, signal }: Call): AsyncIterable<MetricBatch> | undefined {
  const begin = seconds(request.begin_time), end = seconds(request.end_time);
  if (begin === undefined || end === undefined) {
    throw new Problem('INVALID_INPUT', 'CollectPerfMetrics needs begin_time and end_time.');
  }
  const all = array.samples?.(begin, end, signal);
  const groups = request.resource_metrics ?? [];
  const wanted = new Map(groups.map((group) => [group.kind, new Set((group.metrics ?? []).map((metric) => metric.name))]));
  return all && (async function* () {
    for await (const batch of all) {
      const kept = wanted.size ? chosen(batch, wanted.get(batch.kind) ?? new Set()) : batch;
      if (kept.metrics?.length) yield kept;
    }
  })();
}

/** A batch with the wanted metrics alone. */
function chosen(batch: MetricBatch, wanted: Set<string | undefined>): MetricBatch {
  const names = batch.metrics ?? [], width = batch.native_ids?.length ?? 0, all = batch.values ?? [];
  const values = Array.from({ length: batch.steps ?? 0 }, (_, step) => names.flatMap((name, at) =>
    (wanted.has(name) ? all.slice((step * names.length + at) * width, (step * names.length + at + 1) * width) : []))).flat();
  return { ...batch, metrics: names.filter((name) => wanted.has(name)), values };
}
