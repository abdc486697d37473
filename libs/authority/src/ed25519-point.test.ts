import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeHex, hex } from "@countersign/bytes";
import { ed25519 } from "@noble/curves/ed25519.js";
import { isPrimeOrderPoint } from "./ed25519-point.ts";
import { rawPublicKey, seededKey } from "./testing/fixture.ts";

/** The eight points of small order in canonical encoding. */
const SMALL_ORDER = [
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0000000000000000000000000000000000000000000000000000000000000080",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
];

/** Second spellings of small points, and y of p and above. */
const NOT_CANONICAL = [
  "0100000000000000000000000000000000000000000000000000000000000080",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
  "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

test("public keys of honest seeds are of prime order", () => {
  for (let byte = 1; byte <= 5; byte++) assert.ok(isPrimeOrderPoint(rawPublicKey(seededKey(byte))));
});

test("points of small order are refused", () => {
  for (const point of SMALL_ORDER) assert.ok(!isPrimeOrderPoint(decodeHex(point)), point);
});

test("encodings that are not canonical are refused", () => {
  for (const point of NOT_CANONICAL) assert.ok(!isPrimeOrderPoint(decodeHex(point)), point);
});

test("an honest key with a small component added is refused", () => {
  const honest = ed25519.Point.fromBytes(rawPublicKey(seededKey(1)));
  for (const small of SMALL_ORDER.slice(1)) {
    const mixed = honest.add(ed25519.Point.fromBytes(decodeHex(small), true)).toBytes();

    assert.ok(!isPrimeOrderPoint(mixed), hex(mixed));
  }
});

test("bytes that are no point, and other lengths, are refused", () => {
  assert.ok(!isPrimeOrderPoint(decodeHex(`02${"00".repeat(31)}`)));
  for (const size of [0, 31, 33, 64]) assert.ok(!isPrimeOrderPoint(new Uint8Array(size).fill(1)));
});
