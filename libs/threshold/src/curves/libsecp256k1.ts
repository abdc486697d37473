import { createRequire } from "node:module";
import { thresholdError } from "../errors.ts";

/**
 * What we use of libsecp256k1's addon. Private-key functions change `seckey` in place and throw when an argument or the result is
 * zero or not below n; public-key functions throw when a key does not parse or the result is the identity.
 */
export interface Libsecp256k1 {
  contextRandomize(seed: Uint8Array): void;
  privateKeyNegate(seckey: Uint8Array): Uint8Array;
  privateKeyTweakAdd(seckey: Uint8Array, tweak: Uint8Array): Uint8Array;
  privateKeyTweakMul(seckey: Uint8Array, tweak: Uint8Array): Uint8Array;
  publicKeyVerify(key: Uint8Array): boolean;
  publicKeyCreate(seckey: Uint8Array, compressed: true): Uint8Array;
  publicKeyNegate(key: Uint8Array, compressed: true): Uint8Array;
  publicKeyCombine(keys: readonly Uint8Array[], compressed: true): Uint8Array;
  publicKeyTweakMul(key: Uint8Array, tweak: Uint8Array, compressed: true): Uint8Array;
  /** `hashfn` gets the affine coordinates of the product and returns what `output` shall hold. */
  ecdh(
    key: Uint8Array,
    seckey: Uint8Array,
    options: { readonly hashfn: (x: Uint8Array, y: Uint8Array) => Uint8Array },
    output: Uint8Array,
  ): Uint8Array;
  /** Accepts low s only; throws when r or s is not below n or the key does not parse. */
  ecdsaVerify(signature: Uint8Array, hash: Uint8Array, key: Uint8Array): boolean;
  ecdsaRecover(signature: Uint8Array, recid: number, hash: Uint8Array, compressed: true): Uint8Array;
}

let addon: Libsecp256k1 | undefined;

/**
 * Loads the addon and blinds its base multiplication with 32 random bytes. Raises `curves_unavailable` on a platform without a
 * binary: the package's entry would fall back to arithmetic that is not constant time, its bindings do not.
 */
export function loadLibsecp256k1(blinding: Uint8Array): void {
  try {
    const loaded: Libsecp256k1 = createRequire(import.meta.url)("secp256k1/bindings.js");
    loaded.contextRandomize(blinding);
    addon = loaded;
  } catch (cause) {
    throw thresholdError("curves_unavailable", "libsecp256k1's addon does not load on this platform.", { cause });
  }
}

/** The loaded addon; raises `curves_unprepared` before `prepareCurves`. */
export function libsecp256k1(): Libsecp256k1 {
  if (addon === undefined)
    throw thresholdError("curves_unprepared", "secp256k1 is used before prepareCurves was awaited.");
  return addon;
}
