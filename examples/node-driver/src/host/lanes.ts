// How many calls of one array run and wait at a time, so that no array takes all of the host, and no host all of an array.

import { Problem } from './errors.js';

interface Lane { running: number; waiting: Array<() => void> }

export class Lanes {
  readonly #byArray = new Map<string, Lane>();

  constructor(private readonly limit: number, private readonly queue: number) {}

  get size(): number { return this.#byArray.size; }

  /** Waits for a place; what it gives is called to leave it. */
  async enter(storageId: string, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    const lane = this.#byArray.get(storageId) ?? { running: 0, waiting: [] };
    this.#byArray.set(storageId, lane);
    if (lane.running >= this.limit) {
      if (lane.waiting.length >= this.queue) {
        throw new Problem('DRIVER_OVERLOADED', `${lane.waiting.length} calls wait for this array already.`, { retryAfter: 1 });
      }
      await this.#turn(lane, signal); // the place is handed over, not freed
    } else {
      lane.running += 1;
    }
    return () => {
      const next = lane.waiting.shift();
      if (next) next();
      else if (--lane.running === 0) this.#byArray.delete(storageId);
    };
  }

  #turn(lane: Lane, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const turn = (): void => { signal.removeEventListener('abort', gone); resolve(); };
      const gone = (): void => { lane.waiting = lane.waiting.filter((each) => each !== turn); reject(signal.reason); };
      signal.addEventListener('abort', gone, { once: true });
      lane.waiting.push(turn);
    });
  }
}
