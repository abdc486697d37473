import { setTimeout as delay } from "node:timers/promises";

/** Short against everything a real network does. */
const INTERVAL_MS = 20;

/**
 * Asks until the answer is something other than undefined and false. Fails with `what` and the last error of asking once
 * `timeoutMs` (default 20 s, many times what a healthy network needs) has passed.
 */
export async function until<T>(
  what: string,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 20_000,
): Promise<T> {
  let cause: unknown;
  for (const deadline = performance.now() + timeoutMs; performance.now() < deadline; await delay(INTERVAL_MS)) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      // Asked again: a network under test is often away for a moment.
      cause = error;
    }
  }
  throw new Error(`After ${timeoutMs} ms still not so: ${what}.`, { cause });
}
