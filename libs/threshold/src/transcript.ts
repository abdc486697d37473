import { hash } from "node:crypto";
import { concatBytes, lengthPrefixed, utf8, wipe } from "@countersign/bytes";

/**
 * T(label, parts…) of the Schnorr specification, section 1: SHA-256 over `"countersign/schnorr/v1/" ‖ label ‖ 0x00`, then
 * u32be(length) ‖ bytes for each part. Text parts are UTF-8. Two different lists never hash the same input.
 */
export function T(label: string, ...parts: readonly (Uint8Array | string)[]): Uint8Array {
  const list = lengthPrefixed(...parts);
  const input = concatBytes(utf8(`countersign/schnorr/v1/${label}\0`), list);
  const digest = new Uint8Array(hash("sha256", input, "buffer"));
  // A part may be secret, such as the randomness of a nonce.
  wipe(list, input);
  return digest;
}
