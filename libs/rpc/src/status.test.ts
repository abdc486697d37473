import assert from "node:assert/strict";
import { test } from "node:test";
import { CountersignError, errorsOf } from "@countersign/errors";
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import fc from "fast-check";
import { fromStatus, RemoteError, toStatus } from "./status.ts";
import { probeNetwork } from "./testing/network.ts";
import { refused } from "./testing/refused.ts";

const raise = errorsOf({
  nonce_reused: { kind: "abort", http: 502, grpc: "ABORTED", meaning: "A test error." },
});
const AT = { method: "/a.B/C", address: "localhost:1" };

test("an error of ours reaches the caller with code, kind, statuses and details, without its cause", async (t) => {
  const { client } = await probeNetwork(t, {
    echo: async () => {
      throw raise("nonce_reused", "Party 2 used a nonce twice: “ü”.", {
        details: { culprits: [2, 3], round: "commit", final: true },
        cause: new Error("hunter2"),
      });
    },
  });

  const error = await refused(client.echo({}), "nonce_reused");

  assert.ok(error instanceof RemoteError);
  assert.equal(error.message, "Party 2 used a nonce twice: “ü”.");
  assert.deepEqual([error.kind, error.http, error.grpc], ["abort", 502, "ABORTED"]);
  assert.deepEqual(error.details, { culprits: [2, 3], round: "commit", final: true });
  assert.ok(!JSON.stringify({ ...error, cause: error.cause, stack: error.stack }).includes("hunter2"));
});

test("an unforeseen failure reaches the caller as `internal` and its own side in full", async (t) => {
  const failures: unknown[] = [];
  const broken = new Error("secret is hunter2");
  const { client } = await probeNetwork(
    t,
    {
      echo: async () => {
        throw broken;
      },
    },
    { onFailure: (error) => failures.push(error) },
  );

  const error = await refused(client.echo({}), "internal");

  assert.equal(error.kind, "bug");
  assert.ok(!error.message.includes("hunter2"));
  assert.deepEqual(failures, [broken]);
});

test("a refusal is not reported as a failure", async (t) => {
  const failures: unknown[] = [];
  const { client } = await probeNetwork(
    t,
    {
      echo: async () => {
        throw raise("nonce_reused", "No.");
      },
    },
    { onFailure: (error) => failures.push(error) },
  );

  await refused(client.echo({}), "nonce_reused");

  assert.deepEqual(failures, []);
});

test("a message with half a surrogate pair, or a very long one, still crosses", async (t) => {
  const { client } = await probeNetwork(t, {
    echo: async ({ body }) => {
      throw raise("nonce_reused", body.length === 0 ? "half \ud800" : "long ".repeat(100_000));
    },
  });

  await refused(client.echo({}), "nonce_reused");
  await refused(client.echo({ body: new Uint8Array(1) }), "nonce_reused");
});

test("details that do not fit into a header stay behind", () => {
  const error = raise("nonce_reused", "Many culprits.", {
    details: { culprits: Array.from({ length: 5_000 }, () => 1) },
  });

  const received = fromStatus(serviceError(toStatus(error)), AT);

  assert.equal(received.code, "nonce_reused");
  assert.deepEqual(received.details, {});
});

test("a bare status becomes the rpc code that names it", () => {
  const codes = [
    [status.UNAVAILABLE, "", "rpc_unavailable"],
    [status.DEADLINE_EXCEEDED, "", "rpc_deadline"],
    [status.CANCELLED, "", "rpc_cancelled"],
    [status.UNAUTHENTICATED, "", "rpc_unauthenticated"],
    [status.PERMISSION_DENIED, "", "rpc_role_refused"],
    [status.UNIMPLEMENTED, "", "rpc_unimplemented"],
    [status.RESOURCE_EXHAUSTED, "Received message larger than max (5 vs 4)", "rpc_too_large"],
    [status.RESOURCE_EXHAUSTED, "Bandwidth exhausted", "rpc_overloaded"],
    [status.INTERNAL, "", "rpc_failed"],
    [status.UNKNOWN, "", "rpc_failed"],
  ] as const;

  for (const [code, details, expected] of codes)
    assert.equal(fromStatus(serviceError({ code, details, metadata: new Metadata() }), AT).code, expected);
});

test("whatever a hostile service puts into the error metadata, the caller gets one error of a known form", () => {
  const error = fc.record(
    { code: fc.anything(), kind: fc.anything(), http: fc.anything(), message: fc.anything(), details: fc.anything() },
    { requiredKeys: [] },
  );
  const metadataValue = fc.oneof(error.map(stringify), fc.string(), fc.json());

  fc.assert(
    fc.property(metadataValue, fc.integer({ min: 1, max: 16 }), (value, code) => {
      const metadata = new Metadata();
      metadata.set("countersign-error-bin", Buffer.from(value));

      const received = fromStatus(serviceError({ code, details: "", metadata }), AT);

      assert.ok(received instanceof CountersignError);
      assert.match(received.code, /^[a-z][a-z0-9_]+$/);
      assert.ok(received.http >= 400 && received.http <= 599);
    }),
  );
});

test("an HTTP status, kind or code that no error of ours has makes the metadata void", () => {
  const good = { code: "nonce_reused", kind: "abort", http: 502, message: "m", details: {} };
  const codeOf = (value: unknown) => {
    const metadata = new Metadata();
    metadata.set("countersign-error-bin", Buffer.from(JSON.stringify(value)));
    return fromStatus(serviceError({ code: status.ABORTED, details: "", metadata }), AT).code;
  };

  assert.equal(codeOf(good), "nonce_reused");
  for (const bad of [{ http: 200 }, { http: "502" }, { kind: "fine" }, { code: "A b" }, { message: 1 }])
    assert.equal(codeOf({ ...good, ...bad }), "rpc_failed", JSON.stringify(bad));
  assert.equal(codeOf(null), "rpc_failed");
});

function serviceError(value: { code: number; details: string; metadata: Metadata }): ServiceError {
  return Object.assign(new Error(value.details), value);
}

function stringify(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => (typeof member === "bigint" ? String(member) : member)) ?? "";
}
