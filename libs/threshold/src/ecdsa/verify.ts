import { concatBytes, equalBytes } from "@countersign/bytes";
import type { Point } from "../curves/curve.ts";
import { libsecp256k1 } from "../curves/libsecp256k1.ts";

/** r and s are 32 bytes each, s in its lower half; recid is the recovery id 0..3. */
export interface EcdsaSignature {
  readonly r: Uint8Array;
  readonly s: Uint8Array;
  readonly recid: number;
}

/**
 * The release gate: libsecp256k1 accepts the signature with s in its lower half, and recovery by `recid` gives the key. Never throws
 * for what a signature holds.
 */
export function verifyEcdsa(publicKey: Point, digest: Uint8Array, { r, s, recid }: EcdsaSignature): boolean {
  if (r.length !== 32 || s.length !== 32 || digest.length !== 32 || ![0, 1, 2, 3].includes(recid)) return false;
  const signature = concatBytes(r, s);
  try {
    return (
      libsecp256k1().ecdsaVerify(signature, digest, publicKey) &&
      equalBytes(libsecp256k1().ecdsaRecover(signature, recid, digest, true), publicKey)
    );
  } catch {
    // The addon throws where r or s is not below n, or no point belongs to r.
    return false;
  }
}
