import { LANES, rowHashKernel } from "./row-hash-kernel.ts";
import { TH } from "./transcript.ts";

/** Words of a SHA-256 state and of a hash. */
export const HASH_WORDS = 8;
/** Words of an OT-extension row: 128 columns. */
const ROW_WORDS = 4;
const BLOCK_WORDS = 16;
const ROUNDS = 64;
/** Bits hashed: one block of prefix, then j, i and the row. */
const INPUT_BITS = 8 * (64 + 4 + 4 + 16);
const PADDING = 0x80000000 | 0;

/** Fractional parts of the cube roots of the first 64 primes (FIPS 180-4, section 4.2.2). */
const K = roundConstants((prime) => Math.cbrt(prime), ROUNDS);
/** Fractional parts of the square roots of the first 8 primes (FIPS 180-4, section 5.3.3). */
export const INITIAL = roundConstants((prime) => Math.sqrt(prime), HASH_WORDS);

/** Words 6 to 15 of the second block: the padding, and how many bits were hashed. */
const BLOCK_END = [PADDING, 0, 0, 0, 0, 0, 0, 0, 0, INPUT_BITS];

/** Whose midstate the kernel holds. */
let holder: RowHash | undefined;

/**
 * RH(psid2, j, i, row) of the ECDSA specification, section 2.1, before its reduction mod q: SHA-256 over TH("row", psid2), 32 zero
 * bytes, u32be(j), u32be(i) and the 16-byte row. The first block is hashed once, so that each output costs one compression; four
 * rows are hashed at a time. Time does not depend on rows. The kernel's memory holds the last rows and hashes until `wipe`.
 */
export class RowHash {
  readonly #midstate = new Int32Array(HASH_WORDS);
  readonly #kernel = rowHashKernel(K, BLOCK_END);

  constructor(psid2: Uint8Array) {
    const prefix = TH("row", psid2);
    const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.length);
    const schedule = new Int32Array(ROUNDS);
    for (let word = 0; word < HASH_WORDS; word++) schedule[word] = view.getInt32(4 * word);
    compress(schedule, INITIAL, this.#midstate);
  }

  /**
   * Takes four rows: columns of four words from `at`, each xor `difference`. Their words are little-endian views of a row's bytes,
   * which SHA-256 reads big-endian.
   */
  take(columns: Int32Array, at: number, difference: Int32Array): void {
    const { rows, midstate } = this.#kernel;
    if (holder !== this) {
      for (let word = 0; word < HASH_WORDS; word++)
        midstate.fill(this.#midstate[word] as number, LANES * word, LANES * (word + 1));
      holder = this;
    }
    for (let lane = 0; lane < LANES; lane++)
      for (let word = 0; word < ROW_WORDS; word++)
        rows[LANES * word + lane] = swapBytes(
          (columns[at + ROW_WORDS * lane + word] as number) ^ (difference[word] as number),
        );
  }

  /** Hashes of the taken rows as rows j..j+3 for `i`: word w of row j + k at 4*w + k, until the next call. */
  hash(j: number, i: number): Int32Array {
    this.#kernel.run(j, i);
    return this.#kernel.hashes;
  }

  wipe(): void {
    const { rows, hashes, midstate } = this.#kernel;
    for (const words of [rows, hashes, midstate, this.#midstate]) words.fill(0);
    holder = undefined;
  }
}

function swapBytes(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}

/** One SHA-256 compression (FIPS 180-4, section 6.2.2) of the block in `w[0..15]` onto `from`. */
export function compress(w: Int32Array, from: Int32Array, out: Int32Array): void {
  for (let t = BLOCK_WORDS; t < ROUNDS; t++) {
    const [x, y] = [w[t - 2] ?? 0, w[t - 15] ?? 0];
    const sigma1 = rotate(x, 17) ^ rotate(x, 19) ^ (x >>> 10);
    const sigma0 = rotate(y, 7) ^ rotate(y, 18) ^ (y >>> 3);
    w[t] = sigma1 + (w[t - 7] ?? 0) + sigma0 + (w[t - 16] ?? 0);
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = from;
  for (let t = 0; t < ROUNDS; t++) {
    const sum1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const t1 = (h + sum1 + (g ^ (e & (f ^ g))) + (K[t] ?? 0) + (w[t] ?? 0)) | 0;
    const sum0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const t2 = (sum0 + ((a & b) | (c & (a | b)))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
  }
  for (const [word, value] of [a, b, c, d, e, f, g, h].entries()) out[word] = value + (from[word] ?? 0);
}

function rotate(word: number, count: number): number {
  return (word >>> count) | (word << (32 - count));
}

/** The first 32 fractional bits of a root of each of the first primes. */
function roundConstants(root: (prime: number) => number, count: number): Int32Array {
  const primes: number[] = [];
  for (let candidate = 2; primes.length < count; candidate++)
    if (primes.every((prime) => candidate % prime !== 0)) primes.push(candidate);
  return Int32Array.from(primes, (prime) => Math.floor((root(prime) % 1) * 2 ** 32));
}
