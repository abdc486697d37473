import { encodingError } from "./errors.ts";

/** base64url without padding (RFC 4648, section 5). */
export function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64url");
}

/**
 * Decodes unpadded base64url. Refuses padding, the other alphabet, junk and non-zero tail bits with `encoding_invalid`:
 * one byte string has one spelling.
 */
export function decodeBase64url(text: string, field = "value"): Uint8Array {
  const bytes = Buffer.from(text, "base64url");
  if (bytes.toString("base64url") !== text)
    throw encodingError("encoding_invalid", `${field} is not canonical base64url without padding.`);
  return new Uint8Array(bytes);
}
