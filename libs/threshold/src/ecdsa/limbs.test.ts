import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hex } from "@countersign/bytes";
import fc from "fast-check";
import type { Scalar } from "../curves/curve.ts";
import { fromHex } from "../testing/vectors.ts";
import {
  addLimbs,
  addProduct,
  factorTable,
  innerProduct,
  LIMBS,
  limbsToWords,
  multiplyLimbs,
  negateLimbs,
  readLimbs,
  reduceScalar,
  reduceSum,
  wordsToLimbs,
  writeLimbs,
} from "./limbs.ts";

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const MAX = 2n ** 256n - 1n;
/** The most terms and the largest limbs that the protocol ever sums. */
const GADGET_LENGTH = 416;

const encode = (value: bigint) => fromHex(value.toString(16).padStart(64, "0"));
const decode = (bytes: Uint8Array) => BigInt(`0x${hex(bytes)}`);
const mod = (value: bigint) => ((value % ORDER) + ORDER) % ORDER;
const limbsOf = (value: bigint) => readLimbs(encode(value));
const bigOf = (limbs: Float64Array) => decode(writeLimbs(limbs));

const EDGES = [0n, 1n, 2n, ORDER - 1n, ORDER, ORDER + 1n, MAX, MAX - 1n, 2n ** 128n, 2n ** 255n, (1n << 240n) - 1n];
/** Any 256-bit value: hash outputs come in unreduced. */
const words = fc.oneof(fc.constantFrom(...EDGES), fc.bigInt(0n, MAX));
const RUNS = { numRuns: 500 };

describe("limb arithmetic equals big integers", () => {
  test("reading and writing canonical scalars", () => {
    fc.assert(
      fc.property(words.map(mod), (value) => assert.equal(bigOf(limbsOf(value)), value)),
      RUNS,
    );
  });

  test("words to limbs and back, for all 256-bit values", () => {
    fc.assert(
      fc.property(words, (value) => {
        const there = Int32Array.from(new Uint32Array(encode(value).buffer));
        const limbs = new Float64Array(LIMBS + 1);
        const back = new Int32Array(9);

        wordsToLimbs(there, 0, 1, limbs, 1);
        limbsToWords(limbs, 1, back, 1);

        assert.deepEqual(back.subarray(1), there);
        assert.ok(limbs.subarray(1).every((limb) => limb >= 0 && limb < 2 ** 20));
      }),
      RUNS,
    );
  });

  test("reduction of any 256-bit value", () => {
    fc.assert(
      fc.property(words, (value) => assert.equal(decode(reduceScalar(encode(value))), mod(value))),
      RUNS,
    );
  });

  test("sum, product and negation", () => {
    fc.assert(
      fc.property(words, words, (a, b) => {
        assert.equal(bigOf(addLimbs(limbsOf(a), limbsOf(b))), mod(a + b));
        assert.equal(bigOf(multiplyLimbs(limbsOf(a), limbsOf(b))), mod(a * b));
        assert.equal(bigOf(negateLimbs(limbsOf(a))), mod(-a));
      }),
      RUNS,
    );
  });

  test("inner products of any length up to the gadget's", () => {
    const list = (length: number) => fc.array(words, { minLength: length, maxLength: length });
    const pairs = fc.integer({ min: 1, max: 20 }).chain((length) => fc.tuple(list(length), list(length)));
    fc.assert(
      fc.property(pairs, ([as, bs]) => {
        const expected = as.reduce((total, a, k) => total + a * (bs[k] ?? 0n), 0n);

        assert.equal(bigOf(innerProduct(joined(as), joined(bs), as.length)), mod(expected));
      }),
      RUNS,
    );
  });

  test("the largest inner product there is: every limb of every term full", () => {
    const full = new Float64Array(LIMBS * GADGET_LENGTH).fill(2 ** 20);
    const value = (2n ** 20n * (2n ** 260n - 1n)) / (2n ** 20n - 1n);

    assert.equal(bigOf(innerProduct(full, full, GADGET_LENGTH)), mod(BigInt(GADGET_LENGTH) * value * value));
  });

  test("the check's sum of two products and two terms", () => {
    fc.assert(
      fc.property(words, words, words, words.map(mod), words.map(mod), (x, y, z, c, d) => {
        const columns = limbsOf(z);
        const table = (value: bigint) => factorTable(encode(value) as Scalar);

        addProduct(columns, joined([0n, x]), LIMBS, table(c));
        addProduct(columns, limbsOf(y), 0, table(d));
        const out = new Float64Array(LIMBS + 3);
        reduceSum(columns, out, 3);

        assert.equal(bigOf(out.subarray(3)), mod(x * c + y * d + z));
      }),
      RUNS,
    );
  });

  test("the largest sum that a reduction is given", () => {
    // Three products of 13 full limbs; in the top column each factor's limb has 16 bits.
    const columns = new Float64Array(LIMBS).fill(3 * LIMBS * 2 ** 40);
    columns[LIMBS - 1] = 3 * LIMBS * 2 ** 36;
    const value = Array.from(columns).reduceRight((total, column) => (total << 20n) + BigInt(column), 0n);
    reduceSum(columns, columns);

    assert.equal(bigOf(columns), mod(value));
  });

  test("results next to q are canonical", () => {
    for (const offset of [-2n, -1n, 0n, 1n, 2n]) {
      const value = ORDER + offset;
      assert.equal(bigOf(addLimbs(limbsOf(value - 5n), limbsOf(5n))), mod(value));
      assert.equal(bigOf(addLimbs(limbsOf(MAX), limbsOf(value))), mod(MAX + value));
    }
  });
});

function joined(values: readonly bigint[]): Float64Array {
  const limbs = new Float64Array(LIMBS * values.length);
  for (const [place, value] of values.entries()) limbs.set(limbsOf(value), LIMBS * place);
  return limbs;
}
