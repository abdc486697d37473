import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescMessage, toBinary } from "@bufbuild/protobuf";
import { SettleRequestSchema, SignRequestSchema, SignResponseSchema } from "@countersign/proto/signer";
import { ELEMENTS_MAX } from "./element-bound.ts";
import { MESSAGE_BYTES_MAX } from "./limits.ts";
import { decodeMessage } from "./messages.ts";

/** `repeat` copies of two bytes. */
const pairs = (first: number, second: number, repeat: number) =>
  Buffer.from(new Uint8Array(2 * repeat).map((_, i) => (i % 2 ? second : first)));

const field = (tag: number, bytes: Buffer) => {
  const size = [bytes.length & 0x7f, (bytes.length >> 7) & 0x7f, (bytes.length >> 14) & 0x7f, bytes.length >> 21];
  return Buffer.concat([Buffer.from([tag, ...size.map((digit, i) => (i < 3 ? digit | 0x80 : digit))]), bytes]);
};

const HALF = MESSAGE_BYTES_MAX / 2 - 100;

test("a message of the allowed size that would decode to millions of objects is refused before it is decoded", () => {
  const hostile: [string, DescMessage, Buffer][] = [
    ["empty messages in a list", SignResponseSchema, pairs(0x0a, 0, HALF)],
    ["the same message again and again", SignRequestSchema, pairs(0x0a, 0, HALF)],
    ["a list two levels down", SettleRequestSchema, field(0x12, pairs(0x0a, 0, HALF))],
    ["a packed list", SignRequestSchema, field(0x0a, field(0x1a, Buffer.alloc(2 * HALF, 1)))],
    ["an unpacked list", SignRequestSchema, field(0x0a, pairs(0x18, 1, HALF))],
    ["unknown fields", SignRequestSchema, pairs(0x78, 0, HALF)],
  ];

  for (const [what, type, bytes] of hostile) {
    assert.ok(bytes.length <= MESSAGE_BYTES_MAX);
    assert.throws(() => decodeMessage(type, bytes), { code: "rpc_too_large" }, what);
  }
});

test("groups nested without end, and a length beyond the message, are malformed", () => {
  assert.throws(() => decodeMessage(SignRequestSchema, Buffer.alloc(MESSAGE_BYTES_MAX, 0x7b)), {
    code: "rpc_malformed",
  });
  assert.throws(() => decodeMessage(SignRequestSchema, Buffer.from([0x0a, 0x7f, 0x00])), { code: "rpc_malformed" });
});

test("exactly the allowed number of elements passes, one more does not", () => {
  const of = (count: number) =>
    Buffer.from(toBinary(SignResponseSchema, create(SignResponseSchema, { partials: Array(count).fill({}) })));

  decodeMessage(SignResponseSchema, of(ELEMENTS_MAX));
  assert.throws(() => decodeMessage(SignResponseSchema, of(ELEMENTS_MAX + 1)), { code: "rpc_too_large" });
});

test("the largest answer of ours, 200 items of 20 parties, passes", () => {
  const bytes = new Uint8Array(100).fill(1);
  const commitments = Array.from({ length: 20 }, () => ({ header: bytes, body: bytes, signature: bytes }));
  const value = { packageHash: bytes, commitments, z: bytes, signature: bytes };
  const partials = Array.from({ length: 200 }, () => ({ scheme: { case: "schnorr" as const, value } }));
  const encoded = toBinary(SignResponseSchema, create(SignResponseSchema, { partials }));

  const decoded = decodeMessage(SignResponseSchema, Buffer.from(encoded));

  assert.deepEqual(decoded, create(SignResponseSchema, { partials }));
});
