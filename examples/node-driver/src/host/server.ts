// Runs a host: from its settings to its exit code.

import { closeSync, readFileSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';

import * as grpc from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';

import { SERVICE, definition, service } from './contract.js';
import type { Driver } from './driver.js';
import { Log, Secrets } from './secrets.js';
import { Service } from './service.js';
import { type Defaults, type Settings, SettingsError, fromEnvironment } from './settings.js';

const HOUSEKEEPING = 500;
const MOST_RECEIVED = 16 << 20;
// Between the end of the last call and the end of its connection: Node.js 18 loses a status that was written just before.
const LAST_ANSWERS = 200;
const FOR_CALLS = 0.75; // of the time to drain; the rest is for logouts

/** Serves a driver as the environment says; the process's exit code. */
export async function main(driver: Driver, own: Defaults): Promise<number> {
  const secrets = new Secrets();
  try {
    const settings = fromEnvironment(process.env, own);
    await serve(driver, settings, secrets, new Log(secrets, settings.logLevel));
    return 0;
  } catch (error) {
    new Log(secrets).say('ERROR', error instanceof Error ? error.message : String(error));
    return error instanceof SettingsError ? 2 : 1;
  }
}

/** Serves until SIGTERM or SIGINT, and then drains. */
async function serve(driver: Driver, settings: Settings, secrets: Secrets, log: Log): Promise<void> {
  const stopped = new Promise<void>((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => resolve());
    if (settings.parentPid) {
      setInterval(() => { if (process.ppid !== settings.parentPid) resolve(); }, HOUSEKEEPING).unref();
    }
  });
  process.on('unhandledRejection', (reason) => log.say('ERROR', `nobody waited for a failure: ${String(reason)}`));

  const own = new Service(settings, driver, secrets, log);
  const server = new grpc.Server({ 'grpc.max_receive_message_length': MOST_RECEIVED });
  const health = new HealthImplementation({ '': 'SERVING', [SERVICE]: 'SERVING' });
  server.addService(service, own.handlers());
  health.addToServer(server);
  new ReflectionService(definition).addToServer(server);
  await listen(server, settings);
  sayReady(settings, log);
  log.say('INFO', `the driver ${settings.name} serves at ${settings.endpoint}`);

  const housekeeping = setInterval(() => {
    own.sessions.forgetIdle(settings.sessionIdle);
    if (own.wantsReplacement) {
      health.setStatus('', 'NOT_SERVING');
      health.setStatus(SERVICE, 'NOT_SERVING');
    }
  }, HOUSEKEEPING);
  await stopped;

  clearInterval(housekeeping);
  log.say('INFO', `the driver ${settings.name} stops; ${own.underWay} calls are under way`);
  const end = Date.now() + settings.drain * 0.95;
  health.setStatus('', 'NOT_SERVING');
  health.setStatus(SERVICE, 'NOT_SERVING');
  await within(own.drained(), settings.drain * FOR_CALLS);
  if (own.underWay) log.say('WARNING', `${own.underWay} calls did not end in time`);
  await new Promise((resolve) => setTimeout(resolve, LAST_ANSWERS));
  await within(promisify(server.tryShutdown.bind(server))(), LAST_ANSWERS); // those who watch the health never end
  server.forceShutdown();
  await within(own.sessions.closeAll(), end - Date.now());
}

async function within(promise: Promise<unknown>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => { timer = setTimeout(resolve, Math.max(0, milliseconds)); });
  await Promise.race([promise.catch(() => undefined), late]);
  clearTimeout(timer);
}

async function listen(server: grpc.Server, settings: Settings): Promise<void> {
  const bind = promisify<string, grpc.ServerCredentials, number>(server.bindAsync.bind(server));
  if (settings.endpoint.startsWith('unix:')) {
    const before = process.umask(0o117); // 0660: who may connect is decided by the folder and this
    try {
      await bind(`unix:${settings.endpoint.replace(/^unix:(\/\/)?/, '')}`, grpc.ServerCredentials.createInsecure());
    } finally {
      process.umask(before);
    }
    return;
  }
  await bind(settings.endpoint.replace('tcp://', ''), credentials(settings));
}

function credentials({ tls }: Settings): grpc.ServerCredentials {
  if (!tls) return grpc.ServerCredentials.createInsecure();
  const read = (path: string): Buffer => {
    try {
      return readFileSync(path);
    } catch {
      throw new SettingsError(`The TLS file ${path} can't be read.`);
    }
  };
  return grpc.ServerCredentials.createSsl(read(tls.ca), [{ private_key: read(tls.key), cert_chain: read(tls.cert) }], true);
}

function sayReady({ readyFd }: Settings, log: Log): void {
  if (readyFd === undefined) return;
  try {
    writeSync(readyFd, 'ready\n');
    closeSync(readyFd);
  } catch (error) {
    log.say('WARNING', `nobody could be told that the host is ready: ${String(error)}`);
  }
}
