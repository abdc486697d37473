import { concatBytes } from "@countersign/bytes";
import type { Point, Scalar } from "../curves/curve.ts";
import { secp256k1 } from "../curves/secp256k1.ts";
import { reduceScalar } from "./limbs.ts";
import { WORD_SIZE } from "./parameters.ts";
import { TH } from "./transcript.ts";

const POINT_SIZE = 33;
/** One party's R3 message for one item (ECDSA specification, section 3.d): 193 bytes. */
export const PARTIAL_BYTES = 5 * WORD_SIZE + POINT_SIZE;

/** One party's part of one signature. Goes to the combiner only. */
export interface EcdsaPartial {
  readonly sid: Uint8Array;
  readonly D: Uint8Array;
  readonly requestDigest: Uint8Array;
  readonly R: Point;
  readonly u: Scalar;
  readonly w: Scalar;
}

export function encodePartial({ sid, D, requestDigest, R, u, w }: EcdsaPartial): Uint8Array {
  return concatBytes(sid, D, requestDigest, R, u, w);
}

/** Accepts exactly 193 bytes with a valid R and canonical u and w; raises `point_invalid`, `scalar_invalid`. */
export function decodePartial(bytes: Uint8Array): EcdsaPartial {
  const RAt = 3 * WORD_SIZE;
  const uAt = RAt + POINT_SIZE;
  const wAt = uAt + WORD_SIZE;
  return {
    sid: bytes.slice(0, WORD_SIZE),
    D: bytes.slice(WORD_SIZE, 2 * WORD_SIZE),
    requestDigest: bytes.slice(2 * WORD_SIZE, RAt),
    R: secp256k1.decodePoint(bytes.subarray(RAt, uAt)),
    u: secp256k1.decodeScalar(bytes.subarray(uAt, wAt)),
    // Whatever is left must be one scalar: another length of the whole is refused here.
    w: secp256k1.decodeScalar(bytes.subarray(wAt)),
  };
}

/** m: a digest as an integer mod q. */
export function messageScalar(digest: Uint8Array): Scalar {
  return reduceScalar(digest);
}

/** reqDigest = TH("req", sid, D, m, evidenceHash): what a partial is good for. */
export function requestDigest(sid: Uint8Array, D: Uint8Array, m: Scalar, evidenceHash: Uint8Array): Uint8Array {
  return TH("req", sid, D, m, evidenceHash);
}
