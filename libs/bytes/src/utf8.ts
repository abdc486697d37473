import { encodingError } from "./errors.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * UTF-8 bytes of a string. Refuses lone surrogates with `encoding_invalid`: they have no UTF-8 form, and the encoder would
 * turn each into U+FFFD, so that different strings hash alike.
 */
export function utf8(text: string): Uint8Array {
  if (!text.isWellFormed())
    throw encodingError("encoding_invalid", "A text holds a lone surrogate and has no UTF-8 form.");
  return encoder.encode(text);
}

/** Decodes UTF-8; refuses malformed and overlong sequences with `encoding_invalid`. A byte order mark is kept. */
export function decodeUtf8(bytes: Uint8Array, field = "value"): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw encodingError("encoding_invalid", `${field} is not valid UTF-8.`, { cause });
  }
}
