import { randomBytes } from "node:crypto";
import type { Rng } from "../delivery.ts";

/** The system's randomness. */
export const systemRng: Rng = (size) => new Uint8Array(randomBytes(size));
