import assert from "node:assert/strict";
import { CountersignError } from "@countersign/errors";

/** The code that a call fails with, `accepted` when it does not; anything but a typed error is a failure of the test. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  return (await errorOf(call))?.code ?? "accepted";
}

/** Likewise, for calls that must be refused for what they are: an outage or a bug is no refusal. */
export async function refusalOf(call: Promise<unknown>): Promise<string> {
  const error = await errorOf(call);
  if (error !== undefined) assert.equal(error.kind, "refusal", `${error.code}: ${error.message}`);
  return error?.code ?? "accepted";
}

async function errorOf(call: Promise<unknown>): Promise<CountersignError | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    if (error instanceof CountersignError) return error;
    throw error;
  }
}
