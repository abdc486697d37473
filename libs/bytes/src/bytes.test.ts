import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes, equalBytes, sha256, u16be, u32be, u64be, wipe } from "./bytes.ts";
import { hex } from "./hex.ts";
import { LP, lengthPrefixed } from "./length-prefixed.ts";

test("integers encode big-endian over their whole range", () => {
  assert.equal(hex(u16be(0xfffe)), "fffe");
  assert.equal(hex(u32be(0xfffffffe)), "fffffffe");
  assert.equal(hex(u64be(Number.MAX_SAFE_INTEGER)), "001fffffffffffff");
  assert.equal(hex(u64be((1n << 64n) - 1n)), "ffffffffffffffff");
  assert.equal(hex(u64be(0)), "0000000000000000");
});

test("an integer out of range throws instead of wrapping to another one", () => {
  for (const value of [-1, 65_536, 1.5, Number.NaN]) assert.throws(() => u16be(value), RangeError);
  for (const value of [-1, 2 ** 32, 0.1, Number.POSITIVE_INFINITY]) assert.throws(() => u32be(value), RangeError);
  for (const value of [-1, 2 ** 53, 1.5, -1n, 1n << 64n]) assert.throws(() => u64be(value), RangeError);
});

test("bytes are equal exactly if length and content are", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 8 }), fc.uint8Array({ maxLength: 8 }), (a, b) => {
      assert.equal(equalBytes(a, b), hex(a) === hex(b));
      assert.ok(equalBytes(a, a.slice()));
    }),
  );
});

test("sha256 is SHA-256 in memory of its own", () => {
  const digest = sha256(Uint8Array.of(1, 2, 3));

  assert.equal(
    hex(digest),
    createHash("sha256")
      .update(Uint8Array.of(1, 2, 3))
      .digest("hex"),
  );
  assert.equal(digest.buffer.byteLength, 32);
});

test("wipe overwrites every byte", () => {
  const secret = Uint8Array.of(1, 2, 3);

  wipe(secret);

  assert.deepEqual(secret, new Uint8Array(3));
});

/** Parts that invite confusion: empty ones, ones that look like length prefixes, and texts. */
const part = fc.oneof(
  fc.uint8Array({ maxLength: 6 }),
  fc.constantFrom(new Uint8Array(0), new Uint8Array(4), Uint8Array.of(0, 0, 0, 1), Uint8Array.of(0, 0, 0, 4)),
  fc.string({ maxLength: 4 }),
);
const asBytes = (value: Uint8Array | string) => (typeof value === "string" ? Buffer.from(value, "utf8") : value);
const spell = (parts: readonly (Uint8Array | string)[]) => parts.map((one) => hex(asBytes(one))).join("|");

test("two different lists of parts never have the same length-prefixed encoding (P1)", () => {
  const list = fc.array(part, { maxLength: 5 });
  fc.assert(
    fc.property(list, list, (a, b) => {
      const same = hex(lengthPrefixed(...a)) === hex(lengthPrefixed(...b));

      // An empty list and a list of one empty part spell alike here, so the count is compared too.
      assert.equal(same, a.length === b.length && spell(a) === spell(b));
    }),
    { numRuns: 5_000 },
  );
});

test("moving a byte over the border between two parts changes the encoding", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 12 }), fc.nat(), fc.nat(), (whole, x, y) => {
      const [i, j] = [x % (whole.length + 1), y % (whole.length + 1)];
      const cut = (at: number) => hex(lengthPrefixed(whole.subarray(0, at), whole.subarray(at)));

      assert.equal(cut(i) === cut(j), i === j);
    }),
  );
});

test("LP is a four-byte length and the bytes", () => {
  assert.equal(hex(LP("ab")), "000000026162");
  assert.equal(hex(LP("")), "00000000");
  assert.equal(hex(lengthPrefixed("a", Uint8Array.of(255))), "000000016100000001ff");
  assert.equal(hex(concatBytes(LP("a"), LP("b"))), hex(lengthPrefixed("a", "b")));
});
