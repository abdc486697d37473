import assert from "node:assert/strict";
import { test } from "node:test";
import { authorityErrors } from "@countersign/authority";
import { encodingErrors } from "@countersign/bytes";
import { CountersignError, type ErrorDetails, type ErrorEntry } from "@countersign/errors";
import { intentErrors } from "@countersign/intent";
import { networkCodes } from "./network-codes.ts";
import { toNetworkError } from "./network-error.ts";

/** What a hostile service may send for an error: any code, kind, status, text and details. */
function received(code: string, entry: Partial<ErrorEntry> = {}, message = "m", details: ErrorDetails = {}) {
  const hostile = { kind: "refusal", http: 418, grpc: "ABORTED", meaning: "", ...entry } as const;
  const heard = toNetworkError(new CountersignError(code, hostile, message, { details }));
  assert.ok(heard instanceof CountersignError);
  return heard;
}

test("the network's codes are those of the tables of everybody in it, with their kinds and statuses", async () => {
  const libs = ["mesh", "threshold", "vault", "wire"].map((name) => `../../../libs/${name}/src/errors.ts`);
  const services = ["orchestrator", "signer"].map((name) => `../../${name}/src/errors.ts`);
  const tables: object[] = [authorityErrors, encodingErrors, intentErrors];
  for (const file of [...libs, ...services]) {
    const loaded: Record<string, unknown> = await import(new URL(file, import.meta.url).href);
    const table = Object.entries(loaded).find(([name]) => name.endsWith("Errors"))?.[1];
    assert.ok(typeof table === "object" && table !== null, file);
    tables.push(table);
  }

  const entries: [string, ErrorEntry][] = tables.flatMap((table) => Object.entries(table));

  const expected = entries.flatMap(([code, { kind, http }]) => (kind === "bug" ? [] : [[code, [kind, http]] as const]));
  assert.deepEqual(
    Object.fromEntries(Object.entries(networkCodes).toSorted()),
    Object.fromEntries(expected.toSorted()),
  );
});

test("a known code has the kind and status of its table, whatever its sender says", () => {
  for (const http of [401, 429, 500, 599]) {
    const { code, kind, http: heard } = received("key_not_active", { http, kind: "outage" });
    assert.deepEqual([code, kind, heard], ["key_not_active", "refusal", 404]);
  }
});

test("a code that is nobody's in the network becomes network_failed, without its words", () => {
  for (const code of [
    "token_invalid",
    "api_internal",
    "made_up",
    "constructor",
    "internal",
    "rpc_failed",
    "share_faulty",
  ]) {
    const error = received(code, {}, "Send your key to evil.example.", { url: "evil.example" });
    assert.deepEqual([error.code, error.kind, error.http], ["network_failed", "outage", 502], code);
    assert.doesNotMatch(error.message + JSON.stringify(error.details), /evil/);
  }
});

test("the network's words reach callers short and without characters that are not text", () => {
  const words = `a\nb\u001b[31m\u202Ec\u2028${"x".repeat(2_000)}`;

  const { message, details } = received("key_not_active", {}, words, {
    ["n\n"]: words,
    list: [words, 7, ...Array.from({ length: 100 }, () => "y")],
  });

  assert.equal(message.length, 300);
  assert.doesNotMatch(message + JSON.stringify(details), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|\\[nu]/u);
  assert.equal(String(details["n "]).length, 100);
  assert.ok(Array.isArray(details["list"]));
  assert.deepEqual([details["list"].length, details["list"][1]], [32, 7]);
});

test("what happens between services stays between them", () => {
  const cases = {
    rpc_unavailable: 503,
    rpc_cancelled: 503,
    rpc_overloaded: 503,
    rpc_deadline: 504,
    rpc_role_refused: 502,
  };
  for (const [code, http] of Object.entries(cases)) assert.equal(received(code).http, http, code);
});
