import { COLUMNS, EXPANDED_WORDS, GADGET_LENGTH, HASH_BITS } from "./parameters.ts";
import { TH } from "./transcript.ts";
import { transpose } from "./transpose.ts";

/** Words of an element of GF(2^128), and of a column over the 128 rows. */
const WORDS = 4;
/** x^128 = x^7 + x^2 + x + 1. */
const FEEDBACK = 0x87;
const BLOCKS = Math.ceil(GADGET_LENGTH / HASH_BITS);
/** Columns whose sums are tabled together: 2^4 sums serve 128 outputs. */
const GROUP = 4;

/**
 * The hash of the OT extension's check (ECDSA specification, section 3.c; 2022/192 section 4 calls its family universal): for a row Z of
 * 544 bits, sum of hc_m * Z_m + Z_M in GF(2^128), with public hc_m hashed from psid1 and all of C. It is linear over bits, so that a
 * table of hc_m * x^p for each bit is all there is to it; bits of a row stay secret, the table's are public.
 */
export class UniversalHash {
  /** hc_m * x^p for bit 128 m + p, four words each. */
  readonly #table = new Int32Array(GADGET_LENGTH * WORDS);
  /** The same bits, by output bit. */
  readonly #byOutput = new Int32Array(COLUMNS * (GADGET_LENGTH / 32));

  constructor(psid1: Uint8Array, corrections: Uint8Array) {
    const digest = TH("C", corrections);
    for (let m = 0; m < BLOCKS; m++) {
      const coefficient = new Int32Array(TH("chi", psid1, digest, m).buffer, 0, WORDS);
      for (let p = 0; p < HASH_BITS && HASH_BITS * m + p < GADGET_LENGTH; p++) {
        this.#table.set(coefficient, WORDS * (HASH_BITS * m + p));
        timesX(coefficient);
      }
    }
    transpose(this.#table, GADGET_LENGTH, WORDS, this.#byOutput);
  }

  /** The hash of one row of 17 words, four words. Masks instead of branches: the row is secret. */
  ofRow(row: Int32Array): Int32Array {
    const hash = row.slice(EXPANDED_WORDS - WORDS, EXPANDED_WORDS);
    for (let bit = 0; bit < GADGET_LENGTH; bit++) {
      const mask = 0 - (((row[bit >>> 5] ?? 0) >>> (bit & 31)) & 1);
      for (let word = 0; word < WORDS; word++)
        hash[word] = (hash[word] ?? 0) ^ (mask & (this.#table[WORDS * bit + word] ?? 0));
    }
    return hash;
  }

  /**
   * The hashes of 128 rows given by their 544 columns, four words a row. Output bit b of all rows at once is the sum of the columns
   * whose table entry has bit b: which columns those are is public, so that sums of four columns may be looked up.
   */
  ofColumns(columns: Int32Array): Int32Array {
    const byOutput = columns.slice(WORDS * GADGET_LENGTH);
    const sums = new Int32Array(WORDS << GROUP);
    for (let group = 0; group < GADGET_LENGTH; group += GROUP) {
      tabulate(columns, group, sums);
      const [word, shift] = [group >>> 5, group & 31];
      for (let bit = 0; bit < HASH_BITS; bit++) {
        const at = WORDS * bit;
        const chosen = WORDS * (((this.#byOutput[bit * (GADGET_LENGTH / 32) + word] ?? 0) >>> shift) & 15);
        byOutput[at] = (byOutput[at] ?? 0) ^ (sums[chosen] ?? 0);
        byOutput[at + 1] = (byOutput[at + 1] ?? 0) ^ (sums[chosen + 1] ?? 0);
        byOutput[at + 2] = (byOutput[at + 2] ?? 0) ^ (sums[chosen + 2] ?? 0);
        byOutput[at + 3] = (byOutput[at + 3] ?? 0) ^ (sums[chosen + 3] ?? 0);
      }
    }
    const hashes = new Int32Array(COLUMNS * WORDS);
    transpose(byOutput, HASH_BITS, WORDS, hashes);
    byOutput.fill(0);
    sums.fill(0);
    return hashes;
  }
}

/** All sums of the four columns from `first` on, by the bits of the place. */
function tabulate(columns: Int32Array, first: number, sums: Int32Array): void {
  for (let k = 0; k < GROUP; k++) {
    const column = WORDS * (first + k);
    const half = WORDS << k;
    for (let place = 0; place < half; place++)
      sums[half + place] = (sums[place] ?? 0) ^ (columns[column + (place & 3)] ?? 0);
  }
}

/** Multiplies by x in place. */
function timesX(element: Int32Array): void {
  let carried = ((element[WORDS - 1] ?? 0) >>> 31) * FEEDBACK;
  for (let word = 0; word < WORDS; word++) {
    const value = element[word] ?? 0;
    element[word] = (value << 1) ^ carried;
    carried = value >>> 31;
  }
}
