import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { concatBytes, hex } from "@countersign/bytes";
import { HeaderSchema } from "@countersign/proto/mesh";
import fc from "fast-check";
import { decodeHeader, encodeHeader, messageStatement } from "./header.ts";

const facts = {
  sessionId: new Uint8Array(32).fill(0x11),
  sessionDigest: new Uint8Array(32).fill(0x22),
  round: "commit",
  from: 1,
  to: 2,
};

describe("a header", () => {
  test("has this encoding, which other versions have to read", () => {
    const expected = `0801${"1220"}${"11".repeat(32)}${"1a20"}${"22".repeat(32)}2206636f6d6d697428013002`;

    assert.equal(hex(encodeHeader(facts)), expected);
  });

  test("decodes to what was encoded, and encodes to what was decoded", () => {
    const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
    const round = fc.string({ minLength: 1, maxLength: 32, unit: "grapheme-ascii" });
    const index = fc.integer({ min: 1, max: 2 ** 32 - 1 });
    fc.assert(
      fc.property(bytes32, bytes32, round, index, fc.nat(), (sessionId, sessionDigest, name, from, to) => {
        const some = { sessionId, sessionDigest, round: name, from, to };
        assert.deepEqual(decodeHeader(encodeHeader(some)), some);
      }),
    );
  });

  test("of random bytes is none", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => assert.equal(decodeHeader(bytes), undefined)));
  });

  for (const [what, change] of Object.entries({
    "with another version": { version: 2 },
    "with a short session id": { sessionId: new Uint8Array(31) },
    "with a long session digest": { sessionDigest: new Uint8Array(33) },
    "without a round": { round: "" },
    "with a long round": { round: "r".repeat(33) },
    "from nobody": { from: 0 },
  }))
    test(`${what} is none`, () => {
      const bytes = toBinary(HeaderSchema, create(HeaderSchema, { version: 1, ...facts, ...change }));

      assert.equal(decodeHeader(bytes), undefined);
    });

  test("has one spelling", () => {
    const bytes = encodeHeader(facts);

    for (const more of [
      [0x78, 1],
      [0x08, 1],
      [0x30, 0],
      [0x30, 0x82, 0],
    ])
      assert.equal(decodeHeader(concatBytes(bytes, Uint8Array.from(more))), undefined);
  });
});

test("a statement never moves bytes between header and body", () => {
  const [a, b] = [Uint8Array.of(1, 2), Uint8Array.of(3)];

  assert.notDeepEqual(messageStatement("dep", a, b), messageStatement("dep", a.subarray(0, 1), Uint8Array.of(2, 3)));
  assert.notDeepEqual(messageStatement("dep", a, b), messageStatement("de", concatBytes(Uint8Array.of(0x70), a), b));
});
