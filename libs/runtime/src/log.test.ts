import assert from "node:assert/strict";
import { test } from "node:test";
import { Secret } from "@countersign/bytes";
import { errorsOf } from "@countersign/errors";
import { createLog, type Log } from "./log.ts";

const raise = errorsOf({ bus_lost: { kind: "outage", http: 503, grpc: "UNAVAILABLE", meaning: "A test error." } });

test("a line has level, time, service and process", () => {
  const line = written((log) => log.info({ sessions: 3 }, "hello"));

  const { time, ...rest } = line;
  assert.match(String(time), /^\d{4}-\d\d-\d\dT/);
  assert.deepEqual(rest, { level: "info", service: "probe", pid: process.pid, sessions: 3, msg: "hello" });
});

test("secrets and bytes do not print, wherever they stand", () => {
  const secret = new Secret(new Uint8Array([104, 117, 110, 116]));
  const bytes = new Uint8Array(32).fill(7);
  const value = { secret, deep: { list: [secret, { bytes }], map: new Map([["key", bytes]]) }, big: 5n };

  const line = written((log) => log.child({ seed: bytes, secret }).info(value, "keys"));

  const { seed, secret: printed, big, deep } = line;
  assert.deepEqual([seed, printed, big], ["[32 bytes]", "[secret]", "5"]);
  assert.deepEqual(deep, { list: ["[secret]", { bytes: "[32 bytes]" }], map: { key: "[32 bytes]" } });
});

test("an error prints its code, kind, details and causes, and nothing else that hangs on it", () => {
  const cause = Object.assign(new Error("connection refused"), { code: "ECONNREFUSED", request: { body: "hunter2" } });
  const error = Object.assign(raise("bus_lost", "The bus is gone.", { details: { server: "a:1" }, cause }), {
    evidence: { messages: ["hunter2"] },
  });

  for (const line of [written((log) => log.error(error)), written((log) => log.error({ err: error }, "lost"))]) {
    assert.partialDeepStrictEqual(line, {
      err: {
        code: "bus_lost",
        kind: "outage",
        details: { server: "a:1" },
        message: "The bus is gone.",
        cause: { code: "ECONNREFUSED", message: "connection refused" },
      },
    });
    assert.ok(!JSON.stringify(line).includes("hunter2"));
  }
});

test("a line stays bounded: long text, deep objects and endless causes are cut", () => {
  const loop = new Error("loop");
  loop.cause = loop;
  let deep: unknown = "bottom";
  for (let i = 0; i < 100; i++) deep = { deep };

  const line = written((log) => log.error({ err: loop, deep, text: "x".repeat(1_000_000) }, "all at once"));

  assert.ok(JSON.stringify(line).length < 50_000);
  assert.ok(!JSON.stringify(line).includes("bottom"));
});

function written(write: (log: Log) => void): Record<string, unknown> {
  let text = "";
  const destination = {
    write: (chunk: string) => {
      text += chunk;
    },
  };
  write(createLog({ name: "probe", destination }));
  return JSON.parse(text);
}
