// The driver of the Pebble, a small array with an HTTP API; see examples/array.

import type { Storage } from '../contract/delphis/type/v1/Storage.js';
import type { AlertSource } from '../contract/delphis/type/v1/AlertSource.js';
import type { Capabilities } from '../contract/delphis/type/v1/Capabilities.js';
import type { MetricBatch } from '../contract/delphis/type/v1/MetricBatch.js';
import type { TrapConfig__Output } from '../contract/delphis/type/v1/TrapConfig.js';
import type { ArrayMethods, Driver, StorageArray } from '../host/driver.js';
import { Problem } from '../host/errors.js';
import { Client } from './client.js';
import { HISTORY, INTERVAL, type Samples, batches, capabilities } from './metrics.js';
import * as resources from './resources.js';
import { parseTrap } from './traps.js';

class Pebble implements StorageArray, ArrayMethods {
  readonly pools = this.#list('pools', resources.pool);
  readonly volumes = this.#list('volumes', resources.volume);
  readonly controllers = this.#list('controllers', resources.controller);
  readonly ports = this.#list('ports', resources.port);
  readonly disks = this.#list('disks', resources.disk);
  readonly hosts = this.#list('hosts', resources.host);
  readonly initiators = this.#list('initiators', resources.initiator);
  readonly maskingViews = this.#list('exports', resources.view);
  readonly alerts = this.#list('alerts', resources.alert);

  constructor(private readonly client: Client) {}

  #list<Theirs, Ours>(kind: string, make: (found: Theirs) => Ours): (signal: AbortSignal) => AsyncGenerator<Ours> {
    const client = (): Client => this.client;
    return async function* (signal) {
      for await (const found of client().each<Theirs>(kind, signal)) yield make(found);
    };
  }

  async storage(signal: AbortSignal): Promise<Storage> {
    return resources.storage(await this.client.ask<resources.TheSystem>('GET', '/api/system', signal));
  }

  close(signal: AbortSignal): Promise<void> { return this.client.close(signal); }

  clearAlert(sequenceNumber: string, signal: AbortSignal): Promise<void> {
    return ignoringAbsence(this.client.ask('DELETE', `/api/alerts/${encodeURIComponent(sequenceNumber)}`, signal));
  }

  async addReceiver(config: TrapConfig__Output, signal: AbortSignal): Promise<void> {
    await this.client.ask('PUT', receiver(config), signal,
      { host: config.host, port: config.port, community: config.community_string });
  }

  removeReceiver(config: TrapConfig__Output, signal: AbortSignal): Promise<void> {
    return ignoringAbsence(this.client.ask('DELETE', receiver(config), signal));
  }

  /** The controllers' own addresses. */
  async sources(signal: AbortSignal): Promise<AlertSource[]> {
    const found: AlertSource[] = [];
    for await (const controller of this.controllers(signal)) {
      found.push({ host: controller.mgmt_ip, controller_name: controller.name });
    }
    return found;
  }

  async capabilities(): Promise<Capabilities> { return capabilities(); }

  async latest(signal: AbortSignal): Promise<number> {
    return (await this.client.ask<{ time: number }>('GET', '/api/performance/latest', signal)).time;
  }

  /** begin <= time < end, an hour a request. */
  async* samples(begin: number, end: number, signal: AbortSignal): AsyncGenerator<MetricBatch> {
    const latest = await this.latest(signal), { serial_number: serial } = await this.storage(signal);
    const last = Math.min(end, latest + INTERVAL);
    for (let from = Math.max(begin, latest - HISTORY); from < last; from += 3600) {
      const to = Math.min(from + 3600, last);
      const found = await this.client.ask<Samples>('GET', `/api/performance?from=${from}&to=${to}`, signal);
      if (found.samples.length) yield* batches(found, serial ?? '');
    }
  }
}

function receiver(config: TrapConfig__Output): string {
  return `/api/trap-receivers/${encodeURIComponent(`${config.host}:${config.port}`)}`;
}

/** There is nothing to clear or remove, and so it is done. */
async function ignoringAbsence(asked: Promise<unknown>): Promise<void> {
  try {
    await asked;
  } catch (error) {
    if (!(error instanceof Problem && error.reason === 'ARRAY_OBJECT_NOT_FOUND')) throw error;
  }
}

export const driver: Driver = {
  accessFields: [
    { path: 'rest.host', required: true, description: 'name or address of the array' },
    { path: 'rest.port', default_value: '443', description: "port of the array's API" },
    { path: 'rest.username', required: true, description: 'user of the array; the role monitor is enough' },
    { path: 'rest.password', required: true, description: 'its password' },
  ],
  has: new Set<keyof ArrayMethods>([
    'pools', 'volumes', 'controllers', 'ports', 'disks', 'hosts', 'initiators', 'maskingViews', 'alerts', 'clearAlert',
    'addReceiver', 'removeReceiver', 'sources', 'capabilities', 'samples', 'latest',
  ]),
  async open(access, signal) {
    if (!access.rest) throw new Problem('ACCESS_INFO_INCOMPLETE', 'The access info lacks rest.');
    const client = new Client(access.rest);
    try {
      await client.logIn(signal);
    } catch (error) {
      await client.close(signal).catch(() => undefined);
      throw error;
    }
    return new Pebble(client);
  },
  parseTrap,
};
