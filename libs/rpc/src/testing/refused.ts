import assert from "node:assert/strict";
import { CountersignError } from "@countersign/errors";

/** Awaits a call that must fail with a code, and returns its error. */
export async function refused(call: Promise<unknown>, code: string): Promise<CountersignError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof CountersignError, `expected ${code}, found ${String(error)}`);
  assert.equal(error.code, code, error.message);
  return error;
}

/** Awaits a condition, asking every few milliseconds; fails with the sentence once `deadlineMs` passed. */
export async function eventually(holds: () => boolean, sentence: string, deadlineMs = 5_000): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!holds()) {
    assert.ok(performance.now() < end, sentence);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
