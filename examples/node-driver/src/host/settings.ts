// How the host runs, read once from the environment.

import type { Pair } from '../contract/delphis/driver/v1/Pair.js';
import type { Level } from './secrets.js';

const PREFIX = 'DELPHIS_DRIVER_';

export interface Settings {
  name: string;
  version: string;
  serves: Pair[];
  /** unix:///path or tcp://host:port */
  endpoint: string;
  tls?: { ca: string; cert: string; key: string };
  /** The line `ready` is written here once the host serves. */
  readyFd?: number;
  /** The host ends with this process. */
  parentPid?: number;
  /** Milliseconds from SIGTERM to the end. */
  drain: number;
  /** Milliseconds after which an unused login is ended. */
  sessionIdle: number;
  sessions: number;
  /** Calls of an array that run at a time, and that wait. */
  arrayCalls: number;
  arrayQueue: number;
  logLevel: Level;
}

export interface Defaults { name: string; version: string; vendor: string; model: string }

/** A setting that can't be used; the message says which and why. */
export class SettingsError extends Error {}

export function fromEnvironment(environment: NodeJS.ProcessEnv, own: Defaults): Settings {
  const text = (name: string): string | undefined => environment[PREFIX + name] || undefined;
  const whole = (name: string): number | undefined => {
    const value = text(name);
    if (value === undefined) return undefined;
    if (!/^\d+$/.test(value)) throw new SettingsError(`${PREFIX}${name} must be a whole number, not '${value}'.`);
    return Number(value);
  };
  const seconds = (name: string, otherwise: number): number => {
    const value = Number(text(name) ?? otherwise);
    if (!(value > 0 && value < 1e9)) throw new SettingsError(`${PREFIX}${name} must be a number of seconds above 0.`);
    return value * 1000;
  };
  const endpoint = text('ENDPOINT');
  if (!endpoint) {
    throw new SettingsError(
      `${PREFIX}ENDPOINT is missing: a driver host is started by Delphis, or set it to unix:///path.`);
  }
  const level = (text('LOG_LEVEL') ?? 'INFO').toUpperCase();
  const [ca, cert, key] = [text('TLS_CA'), text('TLS_CERT'), text('TLS_KEY')];
  if ((ca || cert || key) && !(ca && cert && key)) {
    throw new SettingsError(`TLS needs all of ${PREFIX}TLS_CA, ${PREFIX}TLS_CERT and ${PREFIX}TLS_KEY.`);
  }
  const settings: Settings = {
    name: text('NAME') ?? own.name,
    version: text('VERSION') ?? own.version,
    serves: pairs(text('SERVES')) ?? [{ vendor: own.vendor, model: own.model }],
    endpoint,
    tls: ca && cert && key ? { ca, cert, key } : undefined,
    readyFd: whole('READY_FD'),
    parentPid: whole('PARENT_PID'),
    drain: seconds('DRAIN', 30),
    sessionIdle: seconds('SESSION_IDLE', 1800),
    sessions: whole('SESSIONS') || 1000,
    arrayCalls: whole('ARRAY_CALLS') || 4,
    arrayQueue: whole('ARRAY_QUEUE') ?? 64,
    logLevel: (['DEBUG', 'INFO', 'WARNING', 'ERROR'] as const).find((each) => each === level) ?? 'INFO',
  };
  checkEndpoint(settings);
  return settings;
}

function pairs(text: string | undefined): Pair[] | undefined {
  if (text === undefined) return undefined;
  try {
    const found: unknown = JSON.parse(text);
    if (Array.isArray(found)) return found.map((pair) => ({ vendor: String(pair.vendor), model: String(pair.model) }));
  } catch { /* said below */ }
  throw new SettingsError(`${PREFIX}SERVES must be a list of vendors and models, not '${text}'.`);
}

function checkEndpoint({ endpoint, tls }: Settings): void {
  if (endpoint.startsWith('unix:')) return;
  const host = /^tcp:\/\/(.+):\d+$/.exec(endpoint)?.[1];
  if (!host) throw new SettingsError(`The endpoint must be unix:///path or tcp://host:port, not '${endpoint}'.`);
  if (!tls && !/^(localhost|127\..*|\[::1\])$/.test(host)) {
    throw new SettingsError(
      `A host that serves at ${host} needs TLS, since calls carry credentials: set ${PREFIX}TLS_CA, _CERT and _KEY.`);
  }
}
