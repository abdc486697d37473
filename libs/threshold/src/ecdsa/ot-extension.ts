import { equalBytes, wipe } from "@countersign/bytes";
import { COLUMNS, EXPANDED_BYTES, EXPANDED_WORDS } from "./parameters.ts";
import { expandSeeds } from "./stream.ts";
import { transpose } from "./transpose.ts";
import { UniversalHash } from "./universal-hash.ts";

/** Words of a column: one bit for each of the 128 rows. */
export const COLUMN_WORDS = COLUMNS / 32;
const HASH_BYTES = 16;
const CORRECTIONS_BYTES = COLUMNS * EXPANDED_BYTES;
/** C ‖ xh ‖ th: 10,768 bytes. */
export const EXTENSION_BYTES = CORRECTIONS_BYTES + HASH_BYTES + COLUMNS * HASH_BYTES;

/** What the extension's receiver sends, and keeps. */
export interface ExtensionRequest {
  /** C ‖ xh ‖ th. */
  readonly message: Uint8Array;
  /** Column j of V, the receiver's p_j for j < 416, four words each. Secret. */
  readonly columns: Int32Array;
}

/**
 * The receiver's side of the OT extension (ECDSA specification, section 3.c, message 1, steps 2 and 3; SoftSpoken, 2022/192, with k = 1:
 * IKNP's extension with SoftSpoken's check). `seeds` are both seeds of each of the 128 base OTs, s_i0 ‖ s_i1; `choices` is X, 68 bytes:
 * 416 choice bits and 128 random ones that mask the check.
 */
export function requestExtension(seeds: Uint8Array, psid1: Uint8Array, choices: Uint8Array): ExtensionRequest {
  const expanded = new Int32Array(2 * COLUMNS * EXPANDED_WORDS);
  expandSeeds(seeds, psid1, expanded);
  const X = new Int32Array(new Uint8Array(choices).buffer);
  const V = new Int32Array(COLUMNS * EXPANDED_WORDS);
  const corrections = new Int32Array(COLUMNS * EXPANDED_WORDS);
  for (let row = 0; row < COLUMNS; row++) {
    for (let word = 0; word < EXPANDED_WORDS; word++) {
      const [zero, one] = [2 * row * EXPANDED_WORDS + word, (2 * row + 1) * EXPANDED_WORDS + word];
      const at = row * EXPANDED_WORDS + word;
      const v = expanded[one] ?? 0;
      V[at] = v;
      // C_i = U_i xor X, with U_i = r_i0 xor r_i1.
      corrections[at] = (expanded[zero] ?? 0) ^ v ^ (X[word] ?? 0);
    }
  }
  const C = new Uint8Array(corrections.buffer);
  const hash = new UniversalHash(psid1, C);
  const columns = new Int32Array(V.length);
  transpose(V, COLUMNS, EXPANDED_WORDS, columns);
  const message = new Uint8Array(EXTENSION_BYTES);
  message.set(C);
  message.set(bytesOf(hash.ofRow(X)), CORRECTIONS_BYTES);
  message.set(bytesOf(hash.ofColumns(columns)), CORRECTIONS_BYTES + HASH_BYTES);
  expanded.fill(0);
  V.fill(0);
  X.fill(0);
  return { message, columns };
}

/** What the extension's sender holds of the base OTs. */
export interface ExtensionSecrets {
  /** The one seed of each base OT that it chose, that is s_i of the index that nabla_i is not. 4,096 bytes. */
  readonly seeds: Uint8Array;
  /** nabla, 16 bytes. */
  readonly nabla: Uint8Array;
}

/**
 * The sender's side: columns z_j = p_j xor beta_j * nabla, or undefined when CHECK-1 fails. A failure tells the receiver a bit of nabla,
 * so that whoever sees it must ban the link before anything else (section 3.i). Raises RangeError for a message of another length.
 */
export function answerExtension(
  { seeds, nabla }: ExtensionSecrets,
  psid1: Uint8Array,
  message: Uint8Array,
): Int32Array | undefined {
  if (message.length !== EXTENSION_BYTES) throw new RangeError(`Expected ${EXTENSION_BYTES} bytes of OT extension.`);
  // Not `slice`, which is a view where the message is a Buffer.
  const C = new Uint8Array(message.subarray(0, CORRECTIONS_BYTES));
  const corrections = new Int32Array(C.buffer);
  const W = new Int32Array(COLUMNS * EXPANDED_WORDS);
  expandSeeds(seeds, psid1, W);
  for (let row = 0; row < COLUMNS; row++) {
    const mask = 0 - bitOf(nabla, row);
    for (let at = row * EXPANDED_WORDS; at < (row + 1) * EXPANDED_WORDS; at++)
      W[at] = (W[at] ?? 0) ^ (mask & (corrections[at] ?? 0));
  }
  const columns = new Int32Array(W.length);
  transpose(W, COLUMNS, EXPANDED_WORDS, columns);
  W.fill(0);
  const hashes = bytesOf(new UniversalHash(psid1, C).ofColumns(columns));
  const isConsistent = equalBytes(hashes, expectedHashes(message, nabla));
  wipe(hashes);
  if (isConsistent) return columns;
  columns.fill(0);
  return undefined;
}

/** th_r xor nabla_r * xh for each row r. */
function expectedHashes(message: Uint8Array, nabla: Uint8Array): Uint8Array {
  const ofChoices = message.subarray(CORRECTIONS_BYTES, CORRECTIONS_BYTES + HASH_BYTES);
  const expected = new Uint8Array(message.subarray(CORRECTIONS_BYTES + HASH_BYTES));
  for (let row = 0; row < COLUMNS; row++) {
    const mask = 0 - bitOf(nabla, row);
    for (let byte = 0; byte < HASH_BYTES; byte++) {
      const at = row * HASH_BYTES + byte;
      expected[at] = (expected[at] ?? 0) ^ (mask & (ofChoices[byte] ?? 0));
    }
  }
  return expected;
}

/**
 * Bit k of a string, least significant first in each byte: 0 or 1. Masks are made of it by `0 - bit`: `-bit` is the double -0 for a
 * bit 0, which takes another time than -1.
 */
export function bitOf(bits: Uint8Array, k: number): number {
  return ((bits[k >>> 3] ?? 0) >>> (k & 7)) & 1;
}

function bytesOf(words: Int32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}
