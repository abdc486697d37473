import type { Scalar } from "../curves/curve.ts";

/**
 * Secret scalars of secp256k1 between the wire's bytes and the protocol's sums: 13 limbs of 20 bits, least significant first, in
 * float64. A product of two limbs has 40 bits, so that the 416 * 13 products of a column in an inner product stay below 2^53 and
 * need neither carries nor reductions on the way. No branch, index or operand size depends on a value.
 */
export type Limbs = Float64Array;

/** Limbs of a value below 2^260. */
export const LIMBS = 13;
const BITS = 20;
const BASE = 2 ** BITS;
const MASK = BASE - 1;
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
/** Bits of limb 12 that are below 2^256. */
const TOP_BITS = 16;
const TOP_BASE = 2 ** TOP_BITS;
const TOP_MASK = TOP_BASE - 1;
/** 2^256 - q, seven limbs: what one multiple of 2^256 leaves mod q. */
const COMPLEMENT = publicLimbs(2n ** 256n - ORDER);
const COMPLEMENT_LIMBS = 7;
/** 2q, which keeps the difference of two 256-bit values positive. */
export const TWICE_ORDER = publicLimbs(2n * ORDER);
const ORDER_WORDS = Int32Array.from({ length: 8 }, (_, word) =>
  Number(BigInt.asIntN(32, ORDER >> BigInt(224 - 32 * word))),
);
/** Limbs of a sum of products: columns 0..24, and two for the carry. */
const WIDE = 27;
/** 2^(20 k) mod q for k = 13..26, one after the other. */
const HIGH_POWERS = powersOf(publicLimbs(2n ** 260n % ORDER), WIDE - LIMBS);

/** Reads 32 bytes, big-endian, any value below 2^256. */
export function readLimbs(bytes: Uint8Array): Limbs {
  const words = new Int32Array(8);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let word = 0; word < 8; word++) words[word] = view.getInt32(4 * word);
  const limbs = new Float64Array(LIMBS);
  wordsToLimbs(words, 0, 1, limbs, 0);
  words.fill(0);
  return limbs;
}

/** Encodes a value that is below q. */
export function writeLimbs(limbs: Limbs): Scalar {
  const words = new Int32Array(8);
  limbsToWords(limbs, 0, words, 0);
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  for (let word = 0; word < 8; word++) view.setInt32(4 * word, words[word] as number);
  words.fill(0);
  return bytes as Scalar;
}

/** A big-endian value below 2^256, mod q. */
export function reduceScalar(bytes: Uint8Array): Scalar {
  const limbs = readLimbs(bytes);
  reduceSum(limbs, limbs);
  const scalar = writeLimbs(limbs);
  limbs.fill(0);
  return scalar;
}

/** a*b mod q. */
export function multiplyLimbs(a: Limbs, b: Limbs): Limbs {
  return innerProduct(a, b, 1);
}

/** a + b mod q. */
export function addLimbs(a: Limbs, b: Limbs): Limbs {
  const sum = new Float64Array(LIMBS);
  for (let limb = 0; limb < LIMBS; limb++) sum[limb] = (a[limb] as number) + (b[limb] as number);
  reduceSum(sum, sum);
  return sum;
}

/** -a mod q. */
export function negateLimbs(a: Limbs): Limbs {
  const negated = new Float64Array(LIMBS);
  // Twice q is above any value of 256 bits, so that the limbs' sum is not negative.
  for (let limb = 0; limb < LIMBS; limb++) negated[limb] = (TWICE_ORDER[limb] as number) - (a[limb] as number);
  carry(negated, LIMBS);
  reduceSum(negated, negated);
  return negated;
}

/** Sum of a_j*b_j mod q over `count` terms, each value 13 limbs of at most 2^20, one after the other; at most 416 terms. */
export function innerProduct(a: Float64Array, b: Float64Array, count: number): Limbs {
  const columns = new Float64Array(WIDE);
  for (let k = 0; k < LIMBS; k++) {
    let [s0, s1, s2, s3, s4, s5, s6] = [0, 0, 0, 0, 0, 0, 0];
    let [s7, s8, s9, s10, s11, s12] = [0, 0, 0, 0, 0, 0];
    for (let j = 0, at = 0; j < count; j++, at += LIMBS) {
      const x = a[at + k] as number;
      s0 += x * (b[at] as number);
      s1 += x * (b[at + 1] as number);
      s2 += x * (b[at + 2] as number);
      s3 += x * (b[at + 3] as number);
      s4 += x * (b[at + 4] as number);
      s5 += x * (b[at + 5] as number);
      s6 += x * (b[at + 6] as number);
      s7 += x * (b[at + 7] as number);
      s8 += x * (b[at + 8] as number);
      s9 += x * (b[at + 9] as number);
      s10 += x * (b[at + 10] as number);
      s11 += x * (b[at + 11] as number);
      s12 += x * (b[at + 12] as number);
    }
    const sums = [s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12];
    for (let l = 0; l < LIMBS; l++) columns[k + l] = (columns[k + l] as number) + (sums[l] as number);
  }
  const product = reduceColumns(columns);
  columns.fill(0);
  return product;
}

/**
 * Sum of 27 columns, each below 2^53 and worth 2^(20 k), mod q: carries once, then weighs the limbs from 2^260 on with their
 * powers mod q. Overwrites the columns.
 */
function reduceColumns(columns: Float64Array): Limbs {
  carry(columns, WIDE);
  const sum = columns.slice(0, LIMBS);
  for (let k = 0; k < WIDE - LIMBS; k++) {
    const high = columns[LIMBS + k] as number;
    for (let l = 0; l < LIMBS; l++) sum[l] = (sum[l] as number) + high * (HIGH_POWERS[k * LIMBS + l] as number);
  }
  reduceSum(sum, sum);
  return sum;
}

/**
 * The canonical value mod q of 13 columns below 2^50 whose sum is not negative and below 2^286; a column may be negative. Folds what is
 * above 2^256 once, and subtracts q or zero. `out` may be `columns`, which is overwritten either way.
 */
export function reduceSum(columns: Float64Array, out: Float64Array, outAt = 0): void {
  spread(columns, LIMBS);
  // Fewer than 2^30 multiples of 2^256; folded, they leave less than 2^160 of excess.
  const top = columns[LIMBS - 1] as number;
  const multiples = Math.floor(top * (1 / TOP_BASE));
  columns[LIMBS - 1] = top - multiples * TOP_BASE;
  for (let l = 0; l < COMPLEMENT_LIMBS; l++)
    columns[l] = (columns[l] as number) + multiples * (COMPLEMENT[l] as number);
  spread(columns, COMPLEMENT_LIMBS + 1);
  // Every column is below 2^31 now, and the value below 2q.
  let carried = 0;
  let reach = 0;
  for (let l = 0; l < LIMBS - 1; l++) {
    const value = ((columns[l] as number) | 0) + carried;
    const limb = value & MASK;
    carried = value >> BITS;
    columns[l] = limb;
    reach = (limb + (COMPLEMENT[l] as number) + reach) >> BITS;
  }
  const last = ((columns[LIMBS - 1] as number) | 0) + carried;
  // Adding 2^256 - q reaches 2^256 exactly if the value is not below q; then that sum, less 2^256, is the value less q.
  const isAbove = (last + reach) >> TOP_BITS;
  carried = 0;
  for (let l = 0; l < LIMBS - 1; l++) {
    const value = (columns[l] as number) + isAbove * (COMPLEMENT[l] as number) + carried;
    out[outAt + l] = value & MASK;
    carried = value >> BITS;
  }
  out[outAt + LIMBS - 1] = (last + carried) & TOP_MASK;
}

/**
 * Moves what each of the first `count` columns has above 20 bits to the next one, once and not any further: no column waits for the
 * one before it.
 */
function spread(columns: Float64Array, count: number): void {
  let high = 0;
  for (let l = 0; l < count - 1; l++) {
    const value = columns[l] as number;
    const above = Math.floor(value * (1 / BASE));
    columns[l] = value - above * BASE + high;
    high = above;
  }
  columns[count - 1] = (columns[count - 1] as number) + high;
}

/** Makes all columns but the last limbs of 20 bits. */
function carry(columns: Float64Array, count: number): void {
  let carried = 0;
  for (let l = 0; l < count - 1; l++) {
    const value = (columns[l] as number) + carried;
    carried = Math.floor(value * (1 / BASE));
    columns[l] = value - carried * BASE;
  }
  columns[count - 1] = (columns[count - 1] as number) + carried;
}

/**
 * Adds `addend` to 13 limbs at a place and leaves the sum unreduced, each limb at most 2^20: still within an inner product's bounds.
 */
export function addUnreduced(limbs: Float64Array, at: number, addend: Float64Array): void {
  let high = 0;
  for (let l = 0; l < LIMBS - 1; l++) {
    const value = (limbs[at + l] as number) + (addend[l] as number);
    const above = Math.floor(value * (1 / BASE));
    limbs[at + l] = value - above * BASE + high;
    high = above;
  }
  limbs[at + LIMBS - 1] = (limbs[at + LIMBS - 1] as number) + (addend[LIMBS - 1] as number) + high;
}

/** Whether eight words, most significant first, are a number below q. For public values: leaves at the first difference. */
export function isBelowOrder(words: Int32Array, at: number): boolean {
  for (let word = 0; word < ORDER_WORDS.length; word++) {
    const difference = ((words[at + word] as number) >>> 0) - ((ORDER_WORDS[word] as number) >>> 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/** Eight words, most significant first and `stride` apart, as 13 limbs. */
export function wordsToLimbs(
  words: Int32Array,
  at: number,
  stride: number,
  limbs: Float64Array,
  limbsAt: number,
): void {
  const w0 = words[at] as number;
  const w1 = words[at + stride] as number;
  const w2 = words[at + 2 * stride] as number;
  const w3 = words[at + 3 * stride] as number;
  const w4 = words[at + 4 * stride] as number;
  const w5 = words[at + 5 * stride] as number;
  const w6 = words[at + 6 * stride] as number;
  const w7 = words[at + 7 * stride] as number;
  limbs[limbsAt] = w7 & MASK;
  limbs[limbsAt + 1] = ((w7 >>> 20) | (w6 << 12)) & MASK;
  limbs[limbsAt + 2] = (w6 >>> 8) & MASK;
  limbs[limbsAt + 3] = ((w6 >>> 28) | (w5 << 4)) & MASK;
  limbs[limbsAt + 4] = ((w5 >>> 16) | (w4 << 16)) & MASK;
  limbs[limbsAt + 5] = (w4 >>> 4) & MASK;
  limbs[limbsAt + 6] = ((w4 >>> 24) | (w3 << 8)) & MASK;
  limbs[limbsAt + 7] = w3 >>> 12;
  limbs[limbsAt + 8] = w2 & MASK;
  limbs[limbsAt + 9] = ((w2 >>> 20) | (w1 << 12)) & MASK;
  limbs[limbsAt + 10] = (w1 >>> 8) & MASK;
  limbs[limbsAt + 11] = ((w1 >>> 28) | (w0 << 4)) & MASK;
  limbs[limbsAt + 12] = w0 >>> 16;
}

/** Thirteen limbs of a value below 2^256 as eight words, most significant first. */
export function limbsToWords(limbs: Float64Array, at: number, words: Int32Array, wordsAt: number): void {
  const l3 = limbs[at + 3] as number;
  const l4 = limbs[at + 4] as number;
  const l6 = limbs[at + 6] as number;
  const l11 = limbs[at + 11] as number;
  words[wordsAt + 7] = (limbs[at] as number) | ((limbs[at + 1] as number) << 20);
  words[wordsAt + 6] = ((limbs[at + 1] as number) >>> 12) | ((limbs[at + 2] as number) << 8) | (l3 << 28);
  words[wordsAt + 5] = (l3 >>> 4) | (l4 << 16);
  words[wordsAt + 4] = (l4 >>> 16) | ((limbs[at + 5] as number) << 4) | (l6 << 24);
  words[wordsAt + 3] = (l6 >>> 8) | ((limbs[at + 7] as number) << 12);
  words[wordsAt + 2] = (limbs[at + 8] as number) | ((limbs[at + 9] as number) << 20);
  words[wordsAt + 1] = ((limbs[at + 9] as number) >>> 12) | ((limbs[at + 10] as number) << 8) | (l11 << 28);
  words[wordsAt] = (l11 >>> 4) | ((limbs[at + 12] as number) << 16);
}

/**
 * Adds x * c to 13 columns: x in 13 limbs from `at`, c a public factor as `factorTable` holds it. Three such products keep the
 * columns within what `reduceSum` takes.
 */
export function addProduct(columns: Float64Array, x: Float64Array, at: number, table: Float64Array): void {
  let [s0, s1, s2, s3, s4, s5, s6] = [0, 0, 0, 0, 0, 0, 0];
  let [s7, s8, s9, s10, s11, s12] = [0, 0, 0, 0, 0, 0];
  for (let k = 0, row = 0; k < LIMBS; k++, row += LIMBS) {
    const limb = x[at + k] as number;
    s0 += limb * (table[row] as number);
    s1 += limb * (table[row + 1] as number);
    s2 += limb * (table[row + 2] as number);
    s3 += limb * (table[row + 3] as number);
    s4 += limb * (table[row + 4] as number);
    s5 += limb * (table[row + 5] as number);
    s6 += limb * (table[row + 6] as number);
    s7 += limb * (table[row + 7] as number);
    s8 += limb * (table[row + 8] as number);
    s9 += limb * (table[row + 9] as number);
    s10 += limb * (table[row + 10] as number);
    s11 += limb * (table[row + 11] as number);
    s12 += limb * (table[row + 12] as number);
  }
  columns[0] = (columns[0] as number) + s0;
  columns[1] = (columns[1] as number) + s1;
  columns[2] = (columns[2] as number) + s2;
  columns[3] = (columns[3] as number) + s3;
  columns[4] = (columns[4] as number) + s4;
  columns[5] = (columns[5] as number) + s5;
  columns[6] = (columns[6] as number) + s6;
  columns[7] = (columns[7] as number) + s7;
  columns[8] = (columns[8] as number) + s8;
  columns[9] = (columns[9] as number) + s9;
  columns[10] = (columns[10] as number) + s10;
  columns[11] = (columns[11] as number) + s11;
  columns[12] = (columns[12] as number) + s12;
}

/** A factor c for `addProduct`: 2^(20 k) * c mod q for k = 0..12. */
export function factorTable(c: Scalar): Float64Array {
  return powersOf(readLimbs(c), LIMBS);
}

/** c * 2^(20 k) mod q for k = 0..count-1, limbs one after the other. */
function powersOf(c: Limbs, count: number): Float64Array {
  const table = new Float64Array(count * LIMBS);
  const power = new Float64Array(LIMBS);
  reduceSum(c, power);
  for (let k = 0; k < count; k++) {
    table.set(power, k * LIMBS);
    // Up by one limb; what leaves the last one stays in its column.
    const top = (power[LIMBS - 1] as number) * BASE + (power[LIMBS - 2] as number);
    power.copyWithin(1, 0, LIMBS - 1);
    power[0] = 0;
    power[LIMBS - 1] = top;
    reduceSum(power, power);
  }
  return table;
}

/** For constants: BigInt takes time that depends on the value. */
function publicLimbs(value: bigint): Limbs {
  return Float64Array.from({ length: LIMBS }, (_, limb) => Number((value >> BigInt(BITS * limb)) & BigInt(MASK)));
}
