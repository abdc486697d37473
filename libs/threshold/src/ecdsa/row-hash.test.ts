import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { concatBytes, hex, u32be } from "@countersign/bytes";
import fc from "fast-check";
import { compress, INITIAL, RowHash } from "./row-hash.ts";
import { TH } from "./transcript.ts";

const bytesOf = (count: number) => fc.uint8Array({ minLength: count, maxLength: count });

/** Hashes of four rows, j being the first one's. */
function rowHashes(hasher: RowHash, j: number, i: number, rows: Uint8Array, difference = new Int32Array(4)): string[] {
  hasher.take(new Int32Array(rows.slice().buffer), 0, difference);
  const words = hasher.hash(j, i);
  return [0, 1, 2, 3].map((lane) =>
    hex(concatBytes(...Array.from({ length: 8 }, (_, word) => u32be((words[4 * word + lane] ?? 0) >>> 0)))),
  );
}

describe("the row hash", () => {
  test("has the specification's known answer", () => {
    const row = Uint8Array.from({ length: 16 }, (_, place) => place);
    const rows = concatBytes(row, new Uint8Array(48));

    const [digest] = rowHashes(new RowHash(new Uint8Array(32).fill(0x22)), 5, 3, rows);

    assert.equal(digest, "c0f831d77eae079745c9689fb334d3ae803c4bc54ce22f8c5437096db9abb344");
  });

  test("is SHA-256 of prefix, zeros, j, i and row, for four rows at once", () => {
    fc.assert(
      fc.property(bytesOf(32), fc.nat({ max: 412 }), fc.nat({ max: 3 }), bytesOf(64), (psid2, j, i, rows) => {
        const expected = [0, 1, 2, 3].map((lane) => {
          const row = rows.subarray(16 * lane, 16 * lane + 16);
          const input = concatBytes(TH("row", psid2), new Uint8Array(32), u32be(j + lane), u32be(i), row);
          return createHash("sha256").update(input).digest("hex");
        });

        assert.deepEqual(rowHashes(new RowHash(psid2), j, i, rows), expected);
      }),
      { numRuns: 300 },
    );
  });

  test("of rows with a difference is the hash of their sum", () => {
    const hasher = new RowHash(new Uint8Array(32).fill(1));
    const rows = Uint8Array.from({ length: 64 }, (_, place) => 3 * place);
    const difference = Uint8Array.from({ length: 16 }, (_, place) => 251 - place);
    const sums = rows.map((byte, place) => byte ^ (difference[place % 16] ?? 0));

    assert.deepEqual(rowHashes(hasher, 8, 2, rows, new Int32Array(difference.buffer)), rowHashes(hasher, 8, 2, sums));
  });

  test("two instances take turns without mixing their prefixes", () => {
    const rows = new Uint8Array(64).fill(5);
    const [one, other] = [1, 2].map((value) => new RowHash(new Uint8Array(32).fill(value))) as [RowHash, RowHash];
    const first = rowHashes(one, 0, 1, rows);
    const second = rowHashes(other, 0, 1, rows);

    assert.deepEqual(rowHashes(one, 0, 1, rows), first);
    assert.notDeepEqual(first, second);
  });

  test("a compression on its own is SHA-256's", () => {
    const block = new Int32Array(64);
    block.set([0x61626380, ...new Array<number>(14).fill(0), 24]);
    const state = new Int32Array(8);

    compress(block, INITIAL, state);

    const digest = hex(concatBytes(...Array.from(state, (word) => u32be(word >>> 0))));
    assert.equal(digest, createHash("sha256").update("abc").digest("hex"));
  });

  test("leaves nothing in the kernel's memory once wiped", () => {
    const hasher = new RowHash(new Uint8Array(32).fill(1));
    hasher.take(new Int32Array(16).fill(7), 0, new Int32Array(4));
    const hashes = hasher.hash(0, 1);
    assert.ok(hashes.some((word) => word !== 0));

    hasher.wipe();

    assert.ok(new Int32Array(hashes.buffer).every((word) => word === 0));
  });
});
