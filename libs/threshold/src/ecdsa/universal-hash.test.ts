import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { systemRng } from "../testing/system-rng.ts";
import { TH } from "./transcript.ts";
import { transpose } from "./transpose.ts";
import { UniversalHash } from "./universal-hash.ts";

const COLUMNS = 128;
const ROW_WORDS = 17;
const POLYNOMIAL = (1n << 128n) | 0x87n;

const randomWords = (count: number) => new Int32Array(systemRng(4 * count).buffer);
const bitOf = (words: Int32Array, bit: number) => ((words[bit >>> 5] ?? 0) >>> (bit & 31)) & 1;

/** Little-endian words as an integer: bit b is the coefficient of x^b. */
function integer(words: Int32Array): bigint {
  return words.reduceRight((total, word) => (total << 32n) | BigInt(word >>> 0), 0n);
}

/** Bit by bit, with long division at the end. */
function multiply(a: bigint, b: bigint): bigint {
  let product = 0n;
  for (let bit = 0n; bit < 128n; bit++) if ((b >> bit) & 1n) product ^= a << bit;
  for (let bit = 254n; bit >= 128n; bit--) if ((product >> bit) & 1n) product ^= POLYNOMIAL << (bit - 128n);
  return product;
}

function reference(psid1: Uint8Array, corrections: Uint8Array, row: Int32Array): bigint {
  const bits = integer(row);
  let hash = bits >> 416n;
  for (let m = 0; m < 4; m++) {
    const coefficient = integer(new Int32Array(TH("chi", psid1, TH("C", corrections), m).buffer, 0, 4));
    const block = (bits >> BigInt(128 * m)) & ((1n << BigInt(m < 3 ? 128 : 32)) - 1n);
    hash ^= multiply(coefficient, block);
  }
  return hash;
}

describe("bit matrices", () => {
  test("are transposed as bit by bit", () => {
    for (const [rows, rowWords] of [
      [32, 1],
      [128, 17],
      [416, 4],
      [128, 4],
    ] as const) {
      const matrix = randomWords(rows * rowWords);
      const out = new Int32Array(rows * rowWords);

      transpose(matrix, rows, rowWords, out);

      for (let row = 0; row < rows; row++)
        for (let column = 0; column < 32 * rowWords; column++)
          assert.equal(
            bitOf(out.subarray((column * rows) / 32), row),
            bitOf(matrix.subarray(row * rowWords), column),
            `row ${row}, column ${column}`,
          );
    }
  });
});

describe("the universal hash", () => {
  test("of a row equals arithmetic in GF(2^128) bit by bit", () => {
    const bytes = (size: number) => fc.uint8Array({ minLength: size, maxLength: size });
    fc.assert(
      fc.property(bytes(32), bytes(40), bytes(68), (psid1, corrections, bits) => {
        const row = new Int32Array(bits.slice().buffer);

        const hash = new UniversalHash(psid1, corrections).ofRow(row);

        assert.equal(integer(hash), reference(psid1, corrections, row));
      }),
      { numRuns: 40 },
    );
  });

  test("of all columns equals the hash of each row", () => {
    const hash = new UniversalHash(systemRng(32), systemRng(100));
    const rows = randomWords(COLUMNS * ROW_WORDS);
    const columns = new Int32Array(rows.length);
    transpose(rows, COLUMNS, ROW_WORDS, columns);

    const hashes = hash.ofColumns(columns);

    for (let row = 0; row < COLUMNS; row++)
      assert.deepEqual(
        hashes.subarray(4 * row, 4 * row + 4),
        hash.ofRow(rows.subarray(ROW_WORDS * row, ROW_WORDS * (row + 1))),
      );
  });

  test("the reference multiplies in a field: x^(2^128) = x", () => {
    let power = 0x1234567890abcdef1234567890abcdefn;
    const start = power;

    for (let k = 0; k < 128; k++) power = multiply(power, power);

    assert.equal(power, start);
  });
});
