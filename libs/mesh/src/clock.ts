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

/** A deadline on a clock, from its start until it is disposed of. */
export interface Deadline extends Disposable {
  /** Aborts with a `TimeoutError`, as `AbortSignal.timeout` does. */
  readonly signal: AbortSignal;
}

/** Starts a deadline. Dispose of it with what it bounds: thousands of requests a minute would leave their timers behind. */
export function startDeadline(clock: Clock, delayMs: number): Deadline {
  const controller = new AbortController();
  const cancel = clock.setTimer(delayMs, () =>
    controller.abort(new DOMException(`${delayMs} ms have passed.`, "TimeoutError")),
  );
  return { signal: controller.signal, [Symbol.dispose]: cancel };
}
