import assert from "node:assert/strict";
import { CountersignError } from "@countersign/errors";

/** Asserts that something is refused with one code of ours. */
export function refused(run: () => unknown, code: string, context = ""): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof CountersignError, `${context}: not a typed error: ${error}`);
    assert.equal(error.code, code, `${context}: ${error.message}`);
    return true;
  });
}
