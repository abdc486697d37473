import type { Point, Scalar } from "../curves/curve.ts";
import { secp256k1 } from "../curves/secp256k1.ts";
import { ProtocolAbort, thresholdError } from "../errors.ts";
import type { PublicKeyPackage } from "../key-share.ts";
import { suiteOf, taggedHash } from "../suites.ts";
import { applyTweak, finishTweaks, type SigningKey, startTweaks } from "./tweak.ts";

/** One thing to sign under a key. */
export interface SchnorrItem {
  /** Signed as it is: Ed25519 takes the raw message, BIP-341 its 32-byte sighash. */
  readonly message: Uint8Array;
  /** Root of the output's script tree (BIP-341), 32 bytes. Absent or empty: the empty root of BIP-86. Only for the TR suite. */
  readonly taprootMerkleRoot?: Uint8Array;
}

const NO_ROOT = new Uint8Array(0);

/**
 * The key that an item is signed under, recomputed from the internal key and the item alone: a TR key signs for its BIP-341 output
 * key, always tweaked, so that nobody can claim a hidden script path. Raises `item_invalid` for a root that is neither empty nor 32
 * bytes, or that meets a suite without taproot; `tweak_invalid`.
 */
export function signingKey(key: PublicKeyPackage, item: SchnorrItem): SigningKey {
  const suite = suiteOf(key.suite);
  const root = merkleRoot(item);
  const start = startTweaks(suite.curve, internalKey(key));
  if (suite.evenY) return finishTweaks(suite, applyTweak(suite.curve, start, tapTweak(start.point, root), "x-only"));
  if (root.length > 0) throw thresholdError("item_invalid", `A ${key.suite} key has no script tree.`);
  return finishTweaks(suite, start);
}

/** The item's Merkle root, empty when it has none. Raises `item_invalid`. */
export function merkleRoot(item: SchnorrItem): Uint8Array {
  const root = item.taprootMerkleRoot ?? NO_ROOT;
  if (root.length !== 0 && root.length !== 32)
    throw thresholdError("item_invalid", `A Merkle root has 32 bytes or none, this one ${root.length}.`);
  return root;
}

/**
 * The key as the outside knows it. Ed25519: 32 bytes. TR: the BIP-341 output key with the empty root, SEC1 compressed with its
 * parity, 33 bytes (drop the first byte for the x-only key of an address). Plain secp256k1: 33 bytes.
 */
export function publishedKey(key: PublicKeyPackage): Uint8Array {
  const internal = internalKey(key);
  return suiteOf(key.suite).evenY ? outputKey(internal, NO_ROOT) : internal;
}

/**
 * BIP-341 output key of an internal key, both SEC1 compressed, 33 bytes; the output key's parity is what script-path control blocks
 * carry. `root` is empty or 32 bytes. Raises `point_invalid`, `tweak_invalid`.
 */
export function outputKey(internal: Uint8Array, root: Uint8Array): Uint8Array {
  const point = secp256k1.decodePoint(internal);
  return applyTweak(secp256k1, startTweaks(secp256k1, point), tapTweak(point, root), "x-only").point;
}

/** t = tagged("TapTweak", x ‖ root) of BIP-341. Raises `tweak_invalid` when t >= n: BIP-341 forbids it, and nothing is reduced. */
export function tapTweak(internal: Point, root: Uint8Array): Scalar {
  return tweakScalar(taggedHash("TapTweak", internal.subarray(1), root));
}

/** Reads a tweak hash as a scalar; raises `tweak_invalid` when it is not below n. */
export function tweakScalar(hash: Uint8Array): Scalar {
  try {
    return secp256k1.decodeScalar(hash);
  } catch (cause) {
    throw new ProtocolAbort("tweak_invalid", "A tweak hash is not below the group order.", { cause });
  }
}

function internalKey(key: PublicKeyPackage): Point {
  const [publicKey] = key.commitments;
  if (publicKey === undefined) throw new Error(`Key ${key.keyId} has no commitments.`);
  return publicKey;
}
