import { writeU32be } from "./bytes.ts";
import { utf8 } from "./utf8.ts";

/** Of the length before each part. */
const LENGTH_BYTES = 4;

/** LP(x) of the threat model, 5.1: 4-byte big-endian length, then the bytes. Text is taken as UTF-8. */
export function LP(part: Uint8Array | string): Uint8Array {
  return lengthPrefixed(part);
}

/** LP of each part, joined: two different lists of parts never encode to the same bytes. */
export function lengthPrefixed(...parts: readonly (Uint8Array | string)[]): Uint8Array {
  const encoded = parts.map((part) => (typeof part === "string" ? utf8(part) : part));
  const joined = new Uint8Array(encoded.reduce((size, { length }) => size + LENGTH_BYTES + length, 0));
  let offset = 0;
  for (const bytes of encoded) {
    writeU32be(joined, offset, bytes.length);
    joined.set(bytes, offset + LENGTH_BYTES);
    offset += LENGTH_BYTES + bytes.length;
  }
  return joined;
}
