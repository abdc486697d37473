import { createHash } from "node:crypto";
import { u32be, utf8 } from "@countersign/bytes";

/**
 * T(label, parts…) of the Schnorr specification, section 1: SHA-256 over `"countersign/schnorr/v1/" ‖ label ‖ 0x00`, then
 * u32be(length) ‖ bytes for each part. Text parts are UTF-8. Two different lists never hash the same input.
 */
export function T(label: string, ...parts: readonly (Uint8Array | string)[]): Uint8Array {
  const hash = createHash("sha256").update(`countersign/schnorr/v1/${label}\0`);
  for (const part of parts) {
    const bytes = typeof part === "string" ? utf8(part) : part;
    hash.update(u32be(bytes.length)).update(bytes);
  }
  return new Uint8Array(hash.digest());
}
