import { createPublicKey, verify } from "node:crypto";
import { base64url, concatBytes, equalBytes } from "@countersign/bytes";
import type { Curve, Point, Scalar } from "../curves/curve.ts";
import { verifyEd25519 } from "../curves/ed25519.ts";
import { secp256k1 } from "../curves/secp256k1.ts";
import { ProtocolAbort } from "../errors.ts";
import type { SchnorrSuiteName } from "../key-share.ts";
import { suiteOf } from "../suites.ts";
import { hasEvenY } from "./tweak.ts";

/** A signature for verification by whoever the suite's keys are for. */
export interface SignatureClaim {
  readonly suite: SchnorrSuiteName;
  /** Ed25519: 32 bytes. TR: 33-byte output key (its parity does not count) or 32-byte x-only key. Plain secp256k1: 33 bytes. */
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  /** R as the signature carries it: 32 bytes; plain secp256k1: 33. */
  readonly r: Uint8Array;
  /** z, 32 bytes. */
  readonly s: Uint8Array;
}

/**
 * The release gate: whether the strictest verifiers accept. Ed25519: libsodium and node:crypto (OpenSSL), which differ on points of
 * small order and non-canonical encodings; a signature that both accept passes every variant in use. TR: BIP-340. Never throws for
 * what a claim holds.
 */
export function verifySignature(claim: SignatureClaim): boolean {
  const { suite, publicKey, message, r, s } = claim;
  switch (suite) {
    case "FROST-ED25519-SHA512-v1":
      return r.length === 32 && verifyEd25519(concatBytes(r, s), message, publicKey) && verifyByOpenSsl(claim);
    case "FROST-secp256k1-SHA256-TR-v1": {
      const x = publicKey.length === 33 ? publicKey.subarray(1) : publicKey;
      return r.length === 32 && verifyBip340(x, message, concatBytes(r, s));
    }
    case "FROST-secp256k1-SHA256-v1":
      return verifyPlain(claim);
  }
}

/**
 * BIP-340 verification over the Curve port: `publicKey` x-only, 32 bytes, message of any length, signature 64 bytes.
 */
export function verifyBip340(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  const [r, s] = [signature.subarray(0, 32), signature.subarray(32)];
  return refusesNothing(() => {
    const key = secp256k1.decodePoint(concatBytes(Uint8Array.of(2), publicKey));
    const { H2 } = suiteOf("FROST-secp256k1-SHA256-TR-v1");
    const R = commitmentOf(secp256k1, key, H2(concatBytes(r, publicKey, message)), secp256k1.decodeScalar(s));
    return hasEvenY(R) && equalBytes(R.subarray(1), r);
  });
}

/** OpenSSL's verdict; its key object refuses what is no point. */
function verifyByOpenSsl({ publicKey, message, r, s }: SignatureClaim): boolean {
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: base64url(publicKey) }, format: "jwk" });
  return verify(null, message, key, concatBytes(r, s));
}

/** prime_order_verify of RFC 9591, appendix B. */
function verifyPlain({ publicKey, message, r, s }: SignatureClaim): boolean {
  return refusesNothing(() => {
    const key = secp256k1.decodePoint(publicKey);
    const challenge = suiteOf("FROST-secp256k1-SHA256-v1").H2(concatBytes(r, publicKey, message));
    const R = commitmentOf(secp256k1, key, challenge, secp256k1.decodeScalar(s));
    return equalBytes(R, r);
  });
}

/** z*G - c*P. The port has no identity: a zero scalar just leaves its term out. Raises `point_identity`. */
function commitmentOf(curve: Curve, key: Point, challenge: Scalar, z: Scalar): Point {
  const terms: Point[] = [];
  if (!curve.isZero(z)) terms.push(curve.multiplyBase(z));
  if (!curve.isZero(challenge)) terms.push(curve.multiplyPoint(key, curve.negate(challenge)));
  if (terms.length === 0) throw new ProtocolAbort("point_identity", "The signature's commitment is the identity.");
  return curve.sum(terms);
}

/** A value that does not decode makes the signature invalid; nothing else may be swallowed. */
function refusesNothing(check: () => boolean): boolean {
  try {
    return check();
  } catch (error) {
    if (error instanceof ProtocolAbort) return false;
    throw error;
  }
}
