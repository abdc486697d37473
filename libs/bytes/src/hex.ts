import { wipe } from "./bytes.ts";
import { encodingError } from "./errors.ts";

/** Lower-case hex, no prefix. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

/**
 * Decodes lower-case hex without prefix. Refuses upper case, odd length and anything else with `encoding_invalid`
 * (`Buffer.from` would stop silently at the first bad character).
 */
export function decodeHex(text: string, field = "value"): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text))
    throw encodingError("encoding_invalid", `${field} is not lower-case hex of whole bytes.`);
  return new Uint8Array(Buffer.from(text, "hex"));
}

/** `0x` and lower-case hex: how the API writes hashes, messages and signatures. */
export function prefixedHex(bytes: Uint8Array): string {
  return `0x${hex(bytes)}`;
}

/** Decodes `0x` and lower-case hex; refuses a missing prefix and whatever `decodeHex` refuses with `encoding_invalid`. */
export function decodePrefixedHex(text: string, field = "value"): Uint8Array {
  if (!text.startsWith("0x")) throw encodingError("encoding_invalid", `${field} does not begin with 0x.`);
  return decodeHex(text.slice(2), field);
}

/**
 * Decodes lower-case hex digits that are bytes already, for secrets: a string could not be wiped. Refuses what `decodeHex` refuses with
 * `encoding_invalid`.
 */
export function decodeHexBytes(digits: Uint8Array, field = "value"): Uint8Array {
  const values = digits.map(digitValue);
  const bytes = new Uint8Array(digits.length >> 1);
  const good = digits.length % 2 === 0 && values.every((value) => value < 16);
  if (good) for (let k = 0; k < bytes.length; k++) bytes[k] = ((values[2 * k] ?? 0) << 4) | (values[2 * k + 1] ?? 0);
  wipe(values);
  if (!good) throw encodingError("encoding_invalid", `${field} is not lower-case hex of whole bytes.`);
  return bytes;
}

/** 0..15, or 16 for what is no digit. */
function digitValue(digit: number): number {
  if (digit >= 0x30 && digit <= 0x39) return digit - 0x30;
  return digit >= 0x61 && digit <= 0x66 ? digit - 0x61 + 10 : 16;
}
