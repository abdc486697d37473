import { wipe } from "@countersign/bytes";
import type { Point, Scalar } from "../curves/curve.ts";
import type { PartyIndex } from "../delivery.ts";
import type { KeyShare, PublicKeyPackage } from "../key-share.ts";
import type { Binding } from "./binding.ts";
import { lagrangeCoefficient } from "./lagrange.ts";
import type { Nonces } from "./nonces.ts";
import { type SigningKey, signedPoint, signedScalar } from "./tweak.ts";

/**
 * z_i = gR * (d + e * rho_i) + lambda_i * v * g * s_i * c (RFC 9591, section 5.2; Schnorr specification, section 5), public once
 * verified. Spends the nonces.
 */
export function respond(key: SigningKey, binding: Binding, share: KeyShare, nonces: Nonces): Scalar {
  const { curve } = key.suite;
  const weight = shareWeight(key, binding, share.index);
  const factor = of(binding.factors, share.index);
  return nonces.spend((d, e) => {
    const bound = curve.multiply(e, factor);
    const nonce = curve.add(d, bound);
    const signedNonce = signedScalar(curve, binding.nonceSign, nonce);
    const secret = curve.decodeScalar(share.secret.expose());
    const weighted = curve.multiply(weight, secret);
    const z = curve.add(signedNonce, weighted);
    wipe(bound, nonce, signedNonce, secret, weighted);
    return z;
  });
}

/**
 * Whether z_i * G == gR * (D_i + rho_i * E_i) + c * lambda_i * v * g * Y_i (RFC 9591, section 5.4). True says only that this share
 * is not why a signature fails: parties that collude can shift values between their shares. Raises `scalar_zero`
 * for z = 0.
 */
export function verifyShare(
  key: SigningKey,
  binding: Binding,
  publicKey: PublicKeyPackage,
  party: PartyIndex,
  z: Scalar,
): boolean {
  const { curve } = key.suite;
  const verificationShare = publicKey.verificationShares[party - 1];
  if (verificationShare === undefined || curve.isZero(z)) return false;
  const expected = curve.sum([
    signedPoint(curve, binding.nonceSign, of(binding.commitmentShares, party)),
    curve.multiplyPoint(verificationShare, shareWeight(key, binding, party)),
  ]);
  return curve.equalPoints(curve.multiplyBase(z), expected);
}

/** c * lambda_i with the sign that every share has under this key; public. */
function shareWeight(key: SigningKey, binding: Binding, party: PartyIndex): Scalar {
  const { curve } = key.suite;
  const lambda = lagrangeCoefficient(curve, binding.parties, party);
  return signedScalar(curve, key.sign, curve.multiply(binding.challenge, lambda));
}

function of<Value extends Scalar | Point>(values: ReadonlyMap<PartyIndex, Value>, party: PartyIndex): Value {
  const value = values.get(party);
  if (value === undefined) throw new Error(`Party ${party} is not in the commitment list.`);
  return value;
}
