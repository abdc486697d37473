import type { Rng } from "../../delivery.ts";
import { systemRng } from "../../testing/system-rng.ts";
import { gadgetOf } from "../gadget.ts";
import { bitOf } from "../ot-extension.ts";
import { COLUMNS, WORD_SIZE } from "../parameters.ts";
import type { ReceivingSide, SendingSide } from "../rvole.ts";

/** Both nodes' parts of one direction of a link. */
export interface Direction {
  readonly receiving: ReceivingSide;
  readonly sending: SendingSide;
}

/** One direction as perfect base OTs leave it. Tests only: one place knows both sides. */
export function idealDirection(rng: Rng = systemRng): Direction {
  const seeds = rng(2 * COLUMNS * WORD_SIZE);
  const nabla = rng(COLUMNS / 8);
  const chosen = new Uint8Array(COLUMNS * WORD_SIZE);
  for (let row = 0; row < COLUMNS; row++) {
    const index = 2 * row + 1 - bitOf(nabla, row);
    chosen.set(seeds.subarray(WORD_SIZE * index, WORD_SIZE * (index + 1)), WORD_SIZE * row);
  }
  const gadget = gadgetOf(rng(32));
  return { receiving: { seeds, gadget }, sending: { seeds: chosen, nabla, gadget } };
}
