import { equalBytes, wipe } from "@countersign/bytes";
import type { Scalar } from "../curves/curve.ts";
import {
  addProduct,
  addUnreduced,
  factorTable,
  innerProduct,
  isBelowOrder,
  LIMBS,
  type Limbs,
  limbsToWords,
  negateLimbs,
  readLimbs,
  reduceSum,
  TWICE_ORDER,
  wordsToLimbs,
  writeLimbs,
} from "./limbs.ts";
import { answerExtension, bitOf, COLUMN_WORDS, type ExtensionSecrets, requestExtension } from "./ot-extension.ts";
import { GADGET_LENGTH, INPUTS, WIDTH, WORD_SIZE } from "./parameters.ts";
import { HASH_WORDS, RowHash } from "./row-hash.ts";
import { LANES } from "./row-hash-kernel.ts";
import { TH, TH2S } from "./transcript.ts";

const CORRECTIONS_BYTES = GADGET_LENGTH * WIDTH * WORD_SIZE;
const ETA_AT = CORRECTIONS_BYTES;
const MU_AT = ETA_AT + WORD_SIZE;
/** at ‖ eta ‖ mu: 40,000 bytes. */
export const ANSWER_BYTES = MU_AT + WORD_SIZE;

/** A receiving node's part of a link's direction. */
export interface ReceivingSide {
  /** Both seeds of each base OT, s_i0 ‖ s_i1; 8,192 bytes. */
  readonly seeds: Uint8Array;
  readonly gadget: Float64Array;
}

/** A sending node's part of a link's direction. */
export interface SendingSide extends ExtensionSecrets {
  readonly gadget: Float64Array;
}

const NO_DIFFERENCE = new Int32Array(COLUMN_WORDS);

/** One output for r_i and one for sk_i. */
export type Pair = readonly [Scalar, Scalar];

/**
 * The receiver of one random vector OLE (ECDSA specification, section 3.c; 2023/765, section 5.2): holds a random b, and ends with d_i
 * where the sender of inputs a_i ends with c_i, c_i + d_i = a_i * b mod q.
 */
export class MultiplicationReceiver {
  /** Message 1: C ‖ xh ‖ th, 10,768 bytes. */
  readonly request: Uint8Array;
  /** b = sum of beta_j * g_j mod q. Secret. */
  readonly b: Scalar;
  readonly #gadget: Float64Array;
  readonly #choices: Uint8Array;
  readonly #columns: Int32Array;
  #isSpent = false;

  /** `choices` is X, 68 random bytes of which beta is the first 416 bits; `psid1` is never used twice with one link. Takes ownership of X. */
  constructor({ seeds, gadget }: ReceivingSide, psid1: Uint8Array, choices: Uint8Array) {
    const { message, columns } = requestExtension(seeds, psid1, choices);
    this.request = message;
    this.#gadget = gadget;
    this.#choices = choices;
    this.#columns = columns;
    this.b = chosenSum(gadget, choices);
  }

  /**
   * d_1 and d_2 from message 2, or undefined when CHECK-2 fails or a value is not below q. A failure tells the sender bits of beta:
   * the link is banned before anything else. Raises RangeError for a message of another length. Once only: throws after that, and
   * after `wipe`.
   */
  complete(psid2: Uint8Array, answer: Uint8Array): Pair | undefined {
    if (answer.length !== ANSWER_BYTES) throw new RangeError(`Expected ${ANSWER_BYTES} bytes of multiplication.`);
    // A second answer would be a second question about the same choices.
    if (this.#isSpent) throw new Error("This multiplication was completed or wiped.");
    this.#isSpent = true;
    const corrections = wordsOf(answer.subarray(0, ETA_AT));
    const etaBytes = answer.subarray(ETA_AT, MU_AT);
    if (!areBelowOrder(corrections) || !areBelowOrder(wordsOf(etaBytes))) return undefined;

    const rows = this.#correctedRows(psid2, corrections);
    const [first, second, check] = rows;
    this.#subtractChosen(check, readLimbs(etaBytes));
    const mu = checkValue(psid2, challenges(psid2, answer.subarray(0, ETA_AT)), rows);
    const isConsistent = equalBytes(mu, answer.subarray(MU_AT));
    const d: Pair = [
      takeScalar(innerProduct(first, this.#gadget, GADGET_LENGTH)),
      takeScalar(innerProduct(second, this.#gadget, GADGET_LENGTH)),
    ];
    for (const row of rows) row.fill(0);
    if (isConsistent) return d;
    wipe(...d);
    return undefined;
  }

  wipe(): void {
    this.#isSpent = true;
    wipe(this.b, this.#choices);
    this.#columns.fill(0);
  }

  /** Subtracts beta_j * eta from each of the rows. */
  #subtractChosen(rows: Float64Array, eta: Limbs): void {
    const negated = negateLimbs(eta);
    for (let j = 0; j < GADGET_LENGTH; j++) {
      const beta = bitOf(this.#choices, j);
      for (let limb = 0; limb < LIMBS; limb++)
        rows[LIMBS * j + limb] = (rows[LIMBS * j + limb] as number) + beta * (negated[limb] as number);
    }
  }

  /** dd_ji = gam_ji + beta_j * at_ji for i = 1, 2, 3, unreduced. */
  #correctedRows(psid2: Uint8Array, corrections: Int32Array): Rows {
    const rows = newRows();
    const hash = new RowHash(psid2);
    const words = new Int32Array(HASH_WORDS);
    const correction = new Float64Array(LIMBS);
    for (let first = 0; first < GADGET_LENGTH; first += LANES) {
      hash.take(this.#columns, COLUMN_WORDS * first, NO_DIFFERENCE);
      for (let i = 0; i < WIDTH; i++) {
        const row = rows[i] as Float64Array;
        const hashes = hash.hash(first, i + 1);
        for (let j = first; j < first + LANES; j++) {
          wordsToLimbs(hashes, j - first, LANES, row, LIMBS * j);
          const mask = 0 - bitOf(this.#choices, j);
          const at = HASH_WORDS * (WIDTH * j + i);
          for (let word = 0; word < HASH_WORDS; word++) words[word] = (corrections[at + word] as number) & mask;
          wordsToLimbs(words, 0, 1, correction, 0);
          addUnreduced(row, LIMBS * j, correction);
        }
      }
    }
    hash.wipe();
    words.fill(0);
    correction.fill(0);
    return rows;
  }
}

/**
 * The sender of one random vector OLE, once the receiver's request passed CHECK-1. Its inputs come later: they are masked under psid2,
 * which holds this party's own nonce, so that a request that is replayed never meets equal masks.
 */
export class MultiplicationSender {
  readonly #columns: Int32Array;
  readonly #nabla: Int32Array;
  readonly #gadget: Float64Array;
  #isSpent = false;

  private constructor(columns: Int32Array, nabla: Uint8Array, gadget: Float64Array) {
    this.#columns = columns;
    this.#nabla = new Int32Array(new Uint8Array(nabla).buffer);
    this.#gadget = gadget;
  }

  /** Undefined when CHECK-1 fails: ban the link before anything else. */
  static check(side: SendingSide, psid1: Uint8Array, request: Uint8Array): MultiplicationSender | undefined {
    const columns = answerExtension(side, psid1, request);
    return columns && new MultiplicationSender(columns, side.nabla, side.gadget);
  }

  /**
   * Message 2 for inputs a_1, a_2 and the random check input, with this side's outputs c_1, c_2. Once only: throws after that, and after
   * `wipe`, where equal masks or none would show the inputs.
   */
  answer(psid2: Uint8Array, inputs: Pair, checkInput: Scalar): { readonly message: Uint8Array; readonly c: Pair } {
    if (this.#isSpent) throw new Error("This multiplication was answered or wiped.");
    this.#isSpent = true;
    const limbs = [...inputs, checkInput].map(readLimbs) as [Limbs, Limbs, Limbs];
    const { rows, corrections } = this.#maskedRows(psid2, limbs);
    const message = new Uint8Array(ANSWER_BYTES);
    message.set(corrections);

    const factors = challenges(psid2, corrections);
    const eta = limbs[INPUTS] as Limbs;
    for (const [i, factor] of factors.entries()) addProduct(eta, limbs[i] as Limbs, 0, factor);
    reduceSum(eta, eta);
    message.set(writeLimbs(eta), ETA_AT);
    message.set(checkValue(psid2, factors, rows), MU_AT);

    const [first, second] = rows;
    const c: Pair = [
      takeScalar(negateLimbs(innerProduct(first, this.#gadget, GADGET_LENGTH))),
      takeScalar(negateLimbs(innerProduct(second, this.#gadget, GADGET_LENGTH))),
    ];
    for (const row of [...rows, ...limbs]) row.fill(0);
    return { message, c };
  }

  wipe(): void {
    this.#isSpent = true;
    this.#columns.fill(0);
    this.#nabla.fill(0);
  }

  /** al0_ji, and at_ji = al0_ji - al1_ji + a_i as it is sent. */
  #maskedRows(psid2: Uint8Array, inputs: readonly Limbs[]): { readonly rows: Rows; readonly corrections: Uint8Array } {
    const rows = newRows();
    const corrections = new Int32Array(GADGET_LENGTH * WIDTH * HASH_WORDS);
    const hash = new RowHash(psid2);
    const columns = new Float64Array(LIMBS);
    const other = new Float64Array(LIMBS);
    // 2q keeps the difference of two hashes positive.
    const addends = inputs.map((input) => input.map((limb, k) => limb + (TWICE_ORDER[k] as number)));
    for (let first = 0; first < GADGET_LENGTH; first += LANES) {
      hash.take(this.#columns, COLUMN_WORDS * first, NO_DIFFERENCE);
      for (let i = 0; i < WIDTH; i++) {
        const hashes = hash.hash(first, i + 1);
        for (let j = first; j < first + LANES; j++)
          wordsToLimbs(hashes, j - first, LANES, rows[i] as Float64Array, LIMBS * j);
      }
      hash.take(this.#columns, COLUMN_WORDS * first, this.#nabla);
      for (let i = 0; i < WIDTH; i++) {
        const [row, addend] = [rows[i] as Float64Array, addends[i] as Float64Array];
        const hashes = hash.hash(first, i + 1);
        for (let j = first; j < first + LANES; j++) {
          wordsToLimbs(hashes, j - first, LANES, other, 0);
          for (let limb = 0; limb < LIMBS; limb++)
            columns[limb] = (row[LIMBS * j + limb] as number) - (other[limb] as number) + (addend[limb] as number);
          reduceSum(columns, columns);
          limbsToWords(columns, 0, corrections, HASH_WORDS * (WIDTH * j + i));
        }
      }
    }
    hash.wipe();
    for (const used of [columns, other, ...addends]) used.fill(0);
    return { rows, corrections: bigEndianBytes(corrections) };
  }
}

/** Rows for i = 1, 2, 3: 416 values of 13 limbs each. */
type Rows = readonly [Float64Array, Float64Array, Float64Array];

function newRows(): Rows {
  const row = () => new Float64Array(GADGET_LENGTH * LIMBS);
  return [row(), row(), row()];
}

/** b = sum of beta_j * g_j mod q, each weight times 0 or 1. */
function chosenSum(gadget: Float64Array, choices: Uint8Array): Scalar {
  const columns = new Float64Array(LIMBS);
  for (let j = 0; j < GADGET_LENGTH; j++) {
    const beta = bitOf(choices, j);
    for (let limb = 0; limb < LIMBS; limb++)
      columns[limb] = (columns[limb] as number) + beta * (gadget[LIMBS * j + limb] as number);
  }
  reduceSum(columns, columns);
  return takeScalar(columns);
}

/** theta_1 and theta_2. They hash the sender's corrections, or it could choose these to fit the challenges. */
function challenges(psid2: Uint8Array, corrections: Uint8Array): readonly [Float64Array, Float64Array] {
  const digest = TH("at", corrections);
  return [factorTable(TH2S("theta", psid2, digest, 1)), factorTable(TH2S("theta", psid2, digest, 2))];
}

/** mu = TH("mu", psid2, for all j: row_j3 + theta_1 * row_j1 + theta_2 * row_j2 mod q). */
function checkValue(
  psid2: Uint8Array,
  [theta1, theta2]: readonly [Float64Array, Float64Array],
  [first, second, check]: Rows,
): Uint8Array {
  const words = new Int32Array(GADGET_LENGTH * HASH_WORDS);
  const columns = new Float64Array(LIMBS);
  for (let j = 0; j < GADGET_LENGTH; j++) {
    const at = LIMBS * j;
    for (let limb = 0; limb < LIMBS; limb++) columns[limb] = check[at + limb] as number;
    addProduct(columns, first, at, theta1);
    addProduct(columns, second, at, theta2);
    reduceSum(columns, columns);
    limbsToWords(columns, 0, words, HASH_WORDS * j);
  }
  const bytes = bigEndianBytes(words);
  const mu = TH("mu", psid2, bytes);
  wipe(bytes);
  columns.fill(0);
  return mu;
}

/** Encodes words in place as the bytes that they are on the wire. */
function bigEndianBytes(words: Int32Array): Uint8Array {
  const { buffer, byteOffset, byteLength } = words;
  return new Uint8Array(Buffer.from(buffer, byteOffset, byteLength).swap32().buffer, byteOffset, byteLength);
}

/** Reads big-endian words; copies. */
function wordsOf(bytes: Uint8Array): Int32Array {
  // Not `slice`, which is a view where the bytes are a Buffer.
  const copy = new Uint8Array(bytes);
  Buffer.from(copy.buffer).swap32();
  return new Int32Array(copy.buffer);
}

/** Whether each eight words are a number below q. Received values are no secret of ours. */
function areBelowOrder(words: Int32Array): boolean {
  for (let at = 0; at < words.length; at += HASH_WORDS) if (!isBelowOrder(words, at)) return false;
  return true;
}

function takeScalar(limbs: Limbs): Scalar {
  const scalar = writeLimbs(limbs);
  limbs.fill(0);
  return scalar;
}
