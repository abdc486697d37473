import { concatBytes } from "@countersign/bytes";
import sodium from "libsodium-wrappers-sumo";

/** XChaCha20-Poly1305 nonce, long enough to be drawn at random for every seal. */
export const NONCE_SIZE = 24;
const TAG_SIZE = 16;

/** Resolves once libsodium can be called; everything here needs it. */
export async function prepareAead(): Promise<void> {
  await sodium.ready;
}

/** XChaCha20-Poly1305: nonce ‖ ciphertext ‖ tag. The nonce must be fresh from a random source. */
export function sealAead(options: {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly additionalData: Uint8Array;
  readonly plaintext: Uint8Array;
}): Uint8Array {
  const { key, nonce, additionalData, plaintext } = options;
  const sealed = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, additionalData, null, nonce, key);
  return concatBytes(nonce, sealed);
}

/** Opens `sealAead`'s output, or returns undefined when key, additional data or any bit differs. */
export function openAead(options: {
  readonly key: Uint8Array;
  readonly additionalData: Uint8Array;
  readonly sealed: Uint8Array;
}): Uint8Array | undefined {
  const { key, additionalData, sealed } = options;
  if (sealed.length < NONCE_SIZE + TAG_SIZE) return undefined;
  const nonce = sealed.subarray(0, NONCE_SIZE);
  try {
    return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
      null,
      sealed.subarray(NONCE_SIZE),
      additionalData,
      nonce,
      key,
    );
  } catch {
    // libsodium's only complaint left for these sizes is a tag that does not verify; its message adds nothing.
    return undefined;
  }
}
