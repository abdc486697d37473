import { createHmac } from "node:crypto";
import { concatBytes, u32be } from "@countersign/bytes";
import type { Point, Scalar } from "../curves/curve.ts";
import { secp256k1 } from "../curves/secp256k1.ts";
import { ProtocolAbort, thresholdError } from "../errors.ts";

/** BIP-32 counts depth in one byte. */
const DEPTH_MAX = 255;
/** Indexes from here on are hardened: they need the private key, which nobody has. */
const HARDENED = 0x80000000;

/** A key on a path below another. */
export interface DerivedKey {
  readonly publicKey: Point;
  readonly chainCode: Uint8Array;
  /** delta: the derived secret is the root's plus this. Public. */
  readonly tweak: Scalar;
}

/**
 * Derives along non-hardened indexes (BIP-32, public parent to public child; ECDSA specification, section 3.g). Every signer computes it
 * from its own key record; neither tweak nor derived key is taken from a message. Raises `path_invalid` for a hardened or malformed
 * index, for too long a path, and for one of the few indexes that BIP-32 forbids.
 */
export function deriveKey(root: Point, chainCode: Uint8Array, path: readonly number[]): DerivedKey {
  if (path.length > DEPTH_MAX) throw refuse(`a path has at most ${DEPTH_MAX} levels`);
  let derived: DerivedKey = { publicKey: root, chainCode, tweak: secp256k1.scalarFromNumber(0) };
  for (const index of path) derived = deriveChild(derived, index);
  return derived;
}

/** I = HMAC-SHA512(chain code, serP(K) ‖ ser32(index)); the child is IL*G + K. */
function deriveChild({ publicKey, chainCode, tweak }: DerivedKey, index: number): DerivedKey {
  if (!Number.isInteger(index) || index < 0 || index >= HARDENED) throw refuse(`${index} is no non-hardened index`);
  const I = createHmac("sha512", chainCode)
    .update(concatBytes(publicKey, u32be(index)))
    .digest();
  try {
    const step = secp256k1.decodeScalar(I.subarray(0, 32));
    return {
      publicKey: secp256k1.sum([publicKey, secp256k1.multiplyBase(step)]),
      chainCode: new Uint8Array(I.subarray(32)),
      tweak: secp256k1.add(tweak, step),
    };
  } catch (cause) {
    if (!(cause instanceof ProtocolAbort)) throw cause;
    throw refuse(`index ${index} has no valid key here`, cause);
  }
}

function refuse(why: string, cause?: unknown) {
  return thresholdError("path_invalid", `A derivation path is unusable: ${why}.`, { cause });
}
