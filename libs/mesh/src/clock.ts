/**
 * Time as the mesh sees it: passed in, so that a simulated network runs everything above it in virtual time.
 */
export interface Clock {
  /** Milliseconds since an arbitrary start, with fractions; never goes back. */
  now(): number;
  /** Calls back once after `delayMs`, never before this call returned; the result cancels it. */
  setTimer(delayMs: number, callback: () => void): () => void;
}

/** The machine's monotonic clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/** A signal that aborts with a `TimeoutError` after `delayMs` on the given clock, as `AbortSignal.timeout` does on the machine's. */
export function deadlineSignal(clock: Clock, delayMs: number): AbortSignal {
  const controller = new AbortController();
  clock.setTimer(delayMs, () => controller.abort(new DOMException(`${delayMs} ms have passed.`, "TimeoutError")));
  return controller.signal;
}
