import sodium from "libsodium-wrappers-sumo";
import { thresholdError } from "../errors.ts";

let isPrepared = false;

/** Makes libsodium usable. `prepareCurves` awaits it and then checks known answers. */
export async function prepareLibsodium(): Promise<void> {
  await sodium.ready;
  isPrepared = true;
}

/** libsodium; raises `curves_unprepared` before `prepareCurves`. */
export function libsodium(): typeof sodium {
  if (!isPrepared) throw thresholdError("curves_unprepared", "libsodium is used before prepareCurves was awaited.");
  return sodium;
}
