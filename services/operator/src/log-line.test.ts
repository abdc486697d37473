import assert from "node:assert/strict";
import { test } from "node:test";
import { parseLogLine, printLogLine } from "./log-line.ts";

const PLAIN = { width: 0, coloured: false };

test("a line of a service shows time, level, message and its other members", () => {
  const text =
    '{"level":"warn","time":"2026-06-01T12:00:00.250Z","service":"signer","pid":7,"msg":"late","party":2,"at":{"round":"commit"}}';

  const line = parseLogLine("node-1", text);

  assert.equal(line.timeMs, Date.parse("2026-06-01T12:00:00.250Z"));
  assert.equal(printLogLine(line, PLAIN), '12:00:00.250  warn   late party=2 at={"round":"commit"}');
  assert.equal(printLogLine(line, { width: 8, coloured: false }).startsWith("node-1    12:00:00.250"), true);
  assert.ok(printLogLine(line, { width: 0, coloured: true }).includes("\u001b[33mwarn"));
});

test("lines of NATS and Redis are shown as they are and sorted by their own time", () => {
  const nats = parseLogLine("nats", "[12] 2026/06/01 12:00:00.250111 [INF] Server is ready");
  const redis = parseLogLine("redis", "12:M 01 Jun 2026 12:00:00.251 * Ready to accept connections");

  assert.equal(redis.timeMs - nats.timeMs, 1);
  assert.equal(printLogLine(nats, PLAIN), nats.text);
});

test("what is no JSON object, or cut short, is shown as the text it is", () => {
  for (const text of ["{", "[1]", "null", '{"level":"info","msg":"cut', "    at somewhere"]) {
    const line = parseLogLine("api", text);

    assert.equal(line.timeMs, 0);
    assert.equal(printLogLine(line, PLAIN), text);
  }
});
