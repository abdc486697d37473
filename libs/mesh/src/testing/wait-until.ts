import { setTimeout as pause } from "node:timers/promises";

/** Pause between two looks. */
const LOOK_MS = 10;

/** Waits for a condition that real time brings about; throws its description when `withinMs` have passed. */
export async function waitUntil(
  description: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 10_000,
): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`Not within ${withinMs} ms: ${description}.`);
    await pause(LOOK_MS);
  }
}
