import { setTimeout as delay } from "node:timers/promises";

/** Short enough that nobody notices, long enough to cost nothing. */
const INTERVAL_MS = 25;

/** Asks until the answer is not undefined; undefined when `timeoutMs` passed first. */
export async function waitUntil<T>(
  ask: () => T | undefined | Promise<T | undefined>,
  timeoutMs: number,
): Promise<T | undefined> {
  for (const deadline = performance.now() + timeoutMs; ; await delay(INTERVAL_MS)) {
    const answer = await ask();
    if (answer !== undefined || performance.now() > deadline) return answer;
  }
}
