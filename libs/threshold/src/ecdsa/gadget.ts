import { LIMBS, readLimbs } from "./limbs.ts";
import { GADGET_LENGTH } from "./parameters.ts";
import { TH2S } from "./transcript.ts";

/** g_j = TH2S("gadget", pairSid, j): public weights of one direction of a link, as limbs one after the other. About a millisecond. */
export function gadgetOf(pairSid: Uint8Array): Float64Array {
  const gadget = new Float64Array(GADGET_LENGTH * LIMBS);
  for (let j = 0; j < GADGET_LENGTH; j++) gadget.set(readLimbs(TH2S("gadget", pairSid, j)), LIMBS * j);
  return gadget;
}
