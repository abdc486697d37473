import { concatBytes, u32be } from "./bytes.ts";
import { utf8 } from "./utf8.ts";

/** LP(x) of the threat model, 5.1: 4-byte big-endian length, then the bytes. Text is taken as UTF-8. */
export function LP(part: Uint8Array | string): Uint8Array {
  const bytes = typeof part === "string" ? utf8(part) : part;
  return concatBytes(u32be(bytes.length), bytes);
}

/** LP of each part, joined: two different lists of parts never encode to the same bytes. */
export function lengthPrefixed(...parts: readonly (Uint8Array | string)[]): Uint8Array {
  return concatBytes(...parts.map(LP));
}
