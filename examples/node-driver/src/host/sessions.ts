// The arrays that are logged in: one login for each storage and revision of its access info.

import { isDeepStrictEqual } from 'node:util';

import type { Target__Output } from '../contract/delphis/driver/v1/Target.js';
import type { AccessInfo__Output } from '../contract/delphis/type/v1/AccessInfo.js';
import { completed } from './access.js';
import { secretsOf } from './contract.js';
import type { Driver, StorageArray } from './driver.js';
import { Problem, scrubbed, understood } from './errors.js';
import type { Log, Secrets } from './secrets.js';

const LOGIN_TIME = 60_000; // a login goes on when its first caller has given up: others may wait for it
const LOGOUT_TIME = 10_000;

class Session {
  ready!: Promise<StorageArray>;
  users = 0;
  lastUsed = Date.now();
  ended?: Promise<void>;
  retired = false;
  finish!: () => void;
  readonly finished = new Promise<void>((resolve) => { this.finish = resolve; });

  constructor(readonly storageId: string, readonly revision: bigint, readonly access: AccessInfo__Output) {}

  /** Whether a call may use it. Revision 0 is what callers send that count no revisions. */
  serves(revision: bigint, access: AccessInfo__Output): boolean {
    return this.revision === revision && (revision > 0n || isDeepStrictEqual(this.access, access));
  }
}

export class Sessions {
  readonly #current = new Map<string, Session>();
  readonly #closing = new Set<Promise<void>>();
  readonly #plain: Set<string>;

  constructor(
    private readonly driver: Driver, private readonly secrets: Secrets, private readonly log: Log, private readonly most: number,
  ) {
    this.#plain = new Set(driver.accessFields
      .filter((field) => field.plain).map((field) => (field.path ?? '').replace('extra_attributes.', '')));
  }

  /** Calls `work` with the array of a call, logged in. */
  async use<T>(target: Target__Output, signal: AbortSignal, work: (array: StorageArray) => Promise<T>): Promise<T> {
    const access = target.access_info;
    if (!access) {
      throw new Problem('ACCESS_INFO_INCOMPLETE', `The request for storage ${target.storage_id} came without access info.`);
    }
    const storageId = target.storage_id ?? '', revision = BigInt(target.access_revision ?? 0);
    let own = this.#current.get(storageId);
    if (own && !own.serves(revision, access)) {
      this.#retire(own);
      own = undefined;
    }
    if (!own) {
      own = new Session(storageId, revision, access);
      this.#current.set(storageId, own);
      this.#begin(own);
      this.#makeRoom(own);
    }
    own.users += 1;
    try {
      return await work(await unlessAborted(own.ready, signal));
    } catch (error) {
      throw scrubbed(understood(error, 'a call', signal), this.secrets); // while the session holds its secrets
    } finally {
      own.users -= 1;
      own.lastUsed = Date.now();
      if (own.retired && !own.users) this.#end(own);
    }
  }

  #begin(own: Session): void {
    this.secrets.add(own, secretsOf('delphis.type.v1.AccessInfo', own.access, this.#plain));
    const signal = AbortSignal.timeout(LOGIN_TIME);
    const logIn = async (): Promise<StorageArray> => this.driver.open(completed(own.access, this.driver.accessFields), signal);
    own.ready = logIn().catch((error: unknown) => {
      this.#retire(own); // the next call tries again
      throw scrubbed(understood(error, 'the login'), this.secrets);
    });
    own.ready.catch(() => { /* told to those who wait */ });
  }

  /** Logs out; resolved when that is done. */
  async forget(storageId: string): Promise<void> {
    const own = this.#current.get(storageId);
    if (!own) return;
    this.#retire(own);
    await own.finished;
  }

  forgetIdle(idle: number): void {
    for (const own of this.#current.values()) {
      if (!own.users && Date.now() - own.lastUsed > idle) this.#retire(own);
    }
  }

  async closeAll(): Promise<void> {
    for (const own of this.#current.values()) this.#retire(own);
    await Promise.all(this.#closing);
  }

  /** Ends a session as soon as no call uses it. */
  #retire(own: Session): void {
    if (this.#current.get(own.storageId) === own) this.#current.delete(own.storageId);
    if (own.retired) return;
    own.retired = true;
    if (!own.users) this.#end(own);
  }

  #end(own: Session): void {
    const closing = this.#logOut(own).finally(() => {
      this.secrets.remove(own);
      this.#closing.delete(closing);
      own.finish();
    });
    this.#closing.add(closing);
  }

  async #logOut(own: Session): Promise<void> {
    const array = await own.ready.catch(() => undefined);
    try {
      await array?.close(AbortSignal.timeout(LOGOUT_TIME));
    } catch (error) {
      this.log.say('WARNING', `the logout of storage ${own.storageId} failed: ${String(error)}`);
    }
  }

  /** Logs out of the arrays that were left alone the longest. */
  #makeRoom(newest: Session): void {
    const unused = [...this.#current.values()].filter((own) => own !== newest && !own.users);
    unused.sort((one, other) => one.lastUsed - other.lastUsed);
    for (const own of unused.slice(0, Math.max(0, this.#current.size - this.most))) this.#retire(own);
  }
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const gone = (): void => reject(signal.reason);
    if (signal.aborted) { gone(); return; }
    signal.addEventListener('abort', gone, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', gone));
  });
}
