import assert from "node:assert/strict";
import { test } from "node:test";
import { CountersignError, type ErrorTable, errorsOf } from "./errors.ts";

const table = {
  key_unknown: { kind: "refusal", http: 404, grpc: "NOT_FOUND", meaning: "There is no such key." },
} as const satisfies ErrorTable;

test("an error carries its code, everything its table says, the sentence for people, and its details", () => {
  const error = errorsOf(table)("key_unknown", "No key key-1 at this node.", { details: { keyId: "key-1" } });

  assert.ok(error instanceof CountersignError && error instanceof Error);
  const { name, code, kind, http, grpc, message, details } = error;
  assert.deepEqual(
    { name, code, kind, http, grpc, message, details },
    {
      name: "CountersignError",
      code: "key_unknown",
      kind: "refusal",
      http: 404,
      grpc: "NOT_FOUND",
      message: "No key key-1 at this node.",
      details: { keyId: "key-1" },
    },
  );
});

test("a cause is kept for logs, and there is no member for one that was not given", () => {
  const cause = new Error("the first failure");

  assert.equal(errorsOf(table)("key_unknown", "No key.", { cause }).cause, cause);
  assert.equal("cause" in errorsOf(table)("key_unknown", "No key."), false);
  assert.deepEqual(errorsOf(table)("key_unknown", "No key.").details, {});
});
