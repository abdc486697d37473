import type { Clock } from "../clock.ts";

/** Events at one instant; more means that the simulated code loops without letting time pass. */
const EVENTS_AT_ONCE_MAX = 100_000;

interface Event {
  readonly at: number;
  readonly run: () => void;
}

/**
 * Time that passes only when it is told to. Events run one at a time, in order of time and then of scheduling; between two of
 * them every microtask runs out, so that asynchronous code above sees one event at a time. No real timer is involved.
 */
export class VirtualClock implements Clock {
  /** Ascending by time; equal times in order of scheduling. */
  readonly #events: Event[] = [];
  #now = 0;

  now(): number {
    return this.#now;
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    const event = { at: this.#now + Math.max(0, delayMs), run: callback };
    this.#events.splice(this.#placeAfter(event.at), 0, event);
    return () => {
      const place = this.#events.indexOf(event);
      if (place >= 0) this.#events.splice(place, 1);
    };
  }

  /** Lets this much time pass. */
  async advance(byMs: number): Promise<void> {
    const end = this.#now + byMs;
    await this.#runUntil(end, () => false);
    this.#now = end;
  }

  /**
   * Lets time pass until the promise settles, and gives its outcome. Throws when `withinMs` have passed, or nothing more can
   * happen, and it still has not.
   */
  async settle<T>(promise: Promise<T>, withinMs: number): Promise<T> {
    let isSettled = false;
    const mark = (): void => {
      isSettled = true;
    };
    promise.then(mark, mark);
    await this.#runUntil(this.#now + withinMs, () => isSettled);
    if (!isSettled) throw new Error(`Nothing settled the promise within ${withinMs} virtual milliseconds.`);
    return promise;
  }

  async #runUntil(end: number, isDone: () => boolean): Promise<void> {
    let atOnce = 0;
    for (;;) {
      await drainMicrotasks();
      const next = this.#events[0];
      if (isDone() || next === undefined || next.at > end) return;
      atOnce = next.at > this.#now ? 0 : atOnce + 1;
      if (atOnce > EVENTS_AT_ONCE_MAX) throw new Error(`The simulation stands still at ${this.#now} ms.`);
      this.#events.shift();
      this.#now = next.at;
      next.run();
    }
  }

  /** Index of the first event later than `at` (binary search). */
  #placeAfter(at: number): number {
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#events[middle]?.at ?? 0) <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The event loop reaches its next phase only when no microtask is left. */
function drainMicrotasks(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
