import { createHash } from "node:crypto";
import { u32be } from "@countersign/bytes";
import type { Rng } from "@countersign/threshold";

/** Numbers of a simulation that a seed decides. Never for anything that must be secret. */
export interface SeededRandom {
  /** 0 (included) to 1 (excluded). */
  next(): number;
}

/** A generator of 32-bit state with good mixing (mulberry32): the same seed gives the same numbers. */
export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  return {
    next: () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
    },
  };
}

/** An `Rng` for simulated processes: a stream of SHA-256 blocks over the label and a counter. Never outside simulations. */
export function seededRng(label: string): Rng {
  let block = 0;
  return (size) => {
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; at += 32) {
      const digest = createHash("sha256").update(label).update(u32be(block++)).digest();
      bytes.set(digest.subarray(0, Math.min(32, size - at)), at);
    }
    return bytes;
  };
}
