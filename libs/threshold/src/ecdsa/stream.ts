import { wipe } from "@countersign/bytes";
import { EXPANDED_WORDS, WORD_SIZE } from "./parameters.ts";
import { TH } from "./transcript.ts";

const STATE_WORDS = 16;
const NONCE_BYTES = 24;
/** "expand 32-byte k", as ChaCha's state begins. */
const CONSTANTS = Int32Array.of(0x61707865, 0x3320646e, 0x79622d32, 0x6b206574);

/**
 * PRG(seed, psid1) of the ECDSA specification, section 2.1: the first 68 bytes of XChaCha20's keystream under each seed, with a
 * nonce that is hashed from psid1 and counter 0. Writes row k, 17 little-endian words, for the seed at 32*k. `out` is secret.
 */
export function expandSeeds(seeds: Uint8Array, psid1: Uint8Array, out: Int32Array): void {
  const nonce = new Int32Array(TH("ss-nonce", psid1).buffer, 0, NONCE_BYTES / 4);
  const aligned = new Uint8Array(seeds);
  const keys = new Int32Array(aligned.buffer);
  const state = new Int32Array(STATE_WORDS);
  const mixed = new Int32Array(STATE_WORDS);
  for (let seed = 0; seed < seeds.length / WORD_SIZE; seed++) {
    // HChaCha20 derives the subkey from the first 16 bytes of the nonce.
    state.set(CONSTANTS, 0);
    for (let word = 0; word < 8; word++) state[4 + word] = keys[8 * seed + word] ?? 0;
    for (let word = 0; word < 4; word++) state[12 + word] = nonce[word] ?? 0;
    permute(state, mixed);
    for (let word = 0; word < 4; word++) {
      state[4 + word] = mixed[word] ?? 0;
      state[8 + word] = mixed[12 + word] ?? 0;
    }
    state[13] = 0;
    state[14] = nonce[4] ?? 0;
    state[15] = nonce[5] ?? 0;
    const at = EXPANDED_WORDS * seed;
    for (let counter = 0; counter * STATE_WORDS < EXPANDED_WORDS; counter++) {
      state[12] = counter;
      permute(state, mixed);
      const first = counter * STATE_WORDS;
      for (let word = 0; word < STATE_WORDS && first + word < EXPANDED_WORDS; word++)
        out[at + first + word] = (mixed[word] ?? 0) + (state[word] ?? 0);
    }
  }
  wipe(aligned);
  state.fill(0);
  mixed.fill(0);
}

/** The twenty rounds of ChaCha (RFC 8439, section 2.3), without the final addition of the state. */
function permute(state: Int32Array, out: Int32Array): void {
  let x0 = state[0] as number;
  let x1 = state[1] as number;
  let x2 = state[2] as number;
  let x3 = state[3] as number;
  let x4 = state[4] as number;
  let x5 = state[5] as number;
  let x6 = state[6] as number;
  let x7 = state[7] as number;
  let x8 = state[8] as number;
  let x9 = state[9] as number;
  let x10 = state[10] as number;
  let x11 = state[11] as number;
  let x12 = state[12] as number;
  let x13 = state[13] as number;
  let x14 = state[14] as number;
  let x15 = state[15] as number;
  for (let round = 0; round < 20; round += 2) {
    x0 = (x0 + x4) | 0;
    x12 ^= x0;
    x12 = (x12 << 16) | (x12 >>> 16);
    x8 = (x8 + x12) | 0;
    x4 ^= x8;
    x4 = (x4 << 12) | (x4 >>> 20);
    x0 = (x0 + x4) | 0;
    x12 ^= x0;
    x12 = (x12 << 8) | (x12 >>> 24);
    x8 = (x8 + x12) | 0;
    x4 ^= x8;
    x4 = (x4 << 7) | (x4 >>> 25);
    x1 = (x1 + x5) | 0;
    x13 ^= x1;
    x13 = (x13 << 16) | (x13 >>> 16);
    x9 = (x9 + x13) | 0;
    x5 ^= x9;
    x5 = (x5 << 12) | (x5 >>> 20);
    x1 = (x1 + x5) | 0;
    x13 ^= x1;
    x13 = (x13 << 8) | (x13 >>> 24);
    x9 = (x9 + x13) | 0;
    x5 ^= x9;
    x5 = (x5 << 7) | (x5 >>> 25);
    x2 = (x2 + x6) | 0;
    x14 ^= x2;
    x14 = (x14 << 16) | (x14 >>> 16);
    x10 = (x10 + x14) | 0;
    x6 ^= x10;
    x6 = (x6 << 12) | (x6 >>> 20);
    x2 = (x2 + x6) | 0;
    x14 ^= x2;
    x14 = (x14 << 8) | (x14 >>> 24);
    x10 = (x10 + x14) | 0;
    x6 ^= x10;
    x6 = (x6 << 7) | (x6 >>> 25);
    x3 = (x3 + x7) | 0;
    x15 ^= x3;
    x15 = (x15 << 16) | (x15 >>> 16);
    x11 = (x11 + x15) | 0;
    x7 ^= x11;
    x7 = (x7 << 12) | (x7 >>> 20);
    x3 = (x3 + x7) | 0;
    x15 ^= x3;
    x15 = (x15 << 8) | (x15 >>> 24);
    x11 = (x11 + x15) | 0;
    x7 ^= x11;
    x7 = (x7 << 7) | (x7 >>> 25);
    x0 = (x0 + x5) | 0;
    x15 ^= x0;
    x15 = (x15 << 16) | (x15 >>> 16);
    x10 = (x10 + x15) | 0;
    x5 ^= x10;
    x5 = (x5 << 12) | (x5 >>> 20);
    x0 = (x0 + x5) | 0;
    x15 ^= x0;
    x15 = (x15 << 8) | (x15 >>> 24);
    x10 = (x10 + x15) | 0;
    x5 ^= x10;
    x5 = (x5 << 7) | (x5 >>> 25);
    x1 = (x1 + x6) | 0;
    x12 ^= x1;
    x12 = (x12 << 16) | (x12 >>> 16);
    x11 = (x11 + x12) | 0;
    x6 ^= x11;
    x6 = (x6 << 12) | (x6 >>> 20);
    x1 = (x1 + x6) | 0;
    x12 ^= x1;
    x12 = (x12 << 8) | (x12 >>> 24);
    x11 = (x11 + x12) | 0;
    x6 ^= x11;
    x6 = (x6 << 7) | (x6 >>> 25);
    x2 = (x2 + x7) | 0;
    x13 ^= x2;
    x13 = (x13 << 16) | (x13 >>> 16);
    x8 = (x8 + x13) | 0;
    x7 ^= x8;
    x7 = (x7 << 12) | (x7 >>> 20);
    x2 = (x2 + x7) | 0;
    x13 ^= x2;
    x13 = (x13 << 8) | (x13 >>> 24);
    x8 = (x8 + x13) | 0;
    x7 ^= x8;
    x7 = (x7 << 7) | (x7 >>> 25);
    x3 = (x3 + x4) | 0;
    x14 ^= x3;
    x14 = (x14 << 16) | (x14 >>> 16);
    x9 = (x9 + x14) | 0;
    x4 ^= x9;
    x4 = (x4 << 12) | (x4 >>> 20);
    x3 = (x3 + x4) | 0;
    x14 ^= x3;
    x14 = (x14 << 8) | (x14 >>> 24);
    x9 = (x9 + x14) | 0;
    x4 ^= x9;
    x4 = (x4 << 7) | (x4 >>> 25);
  }
  out[0] = x0;
  out[1] = x1;
  out[2] = x2;
  out[3] = x3;
  out[4] = x4;
  out[5] = x5;
  out[6] = x6;
  out[7] = x7;
  out[8] = x8;
  out[9] = x9;
  out[10] = x10;
  out[11] = x11;
  out[12] = x12;
  out[13] = x13;
  out[14] = x14;
  out[15] = x15;
}
