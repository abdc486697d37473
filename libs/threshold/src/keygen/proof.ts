import { wipe } from "@countersign/bytes";
import type { Point, Scalar } from "../curves/curve.ts";
import type { PartyIndex, Rng } from "../delivery.ts";
import { hasEvenY } from "../schnorr/tweak.ts";
import type { KeySuite } from "../suites.ts";

/** Proof of knowledge of the discrete logarithm of C_i0 (Schnorr specification, section 3). */
export interface ProofOfKnowledge {
  readonly R: Point;
  readonly mu: Scalar;
}

/** What a proof is bound to. */
export interface ProofStatement {
  readonly suite: KeySuite;
  /** ctx; empty in published vectors. */
  readonly context: Uint8Array;
  readonly prover: PartyIndex;
  /** C_i0. */
  readonly commitment: Point;
}

/** Proves knowledge of `secret` = a_i0. In suites with even y, R has it. */
export function proveKnowledge(statement: ProofStatement, secret: Scalar, rng: Rng): ProofOfKnowledge {
  const { curve, evenY } = statement.suite;
  let nonce = curve.randomScalar(rng);
  let R = curve.multiplyBase(nonce);
  // R is public, and so is whether it was negated.
  if (evenY && !hasEvenY(R)) {
    const negated = curve.negate(nonce);
    wipe(nonce);
    nonce = negated;
    R = curve.negatePoint(R);
  }
  const product = curve.multiply(secret, challenge(statement, R));
  const mu = curve.add(nonce, product);
  wipe(nonce, product);
  return { R, mu };
}

/** Whether R = mu*G - c*C_i0, and R has even y where the suite wants it, so that a proof has one form. */
export function verifyKnowledge(statement: ProofStatement, { R, mu }: ProofOfKnowledge): boolean {
  const { curve, evenY } = statement.suite;
  if (evenY && !hasEvenY(R)) return false;
  const c = challenge(statement, R);
  if (curve.isZero(mu) || curve.isZero(c)) return false;
  const left = curve.multiplyBase(mu);
  const right = curve.multiplyPoint(statement.commitment, c);
  // Equal, R would be the identity, which no decoded point is.
  if (curve.equalPoints(left, right)) return false;
  return curve.equalPoints(curve.sum([left, curve.negatePoint(right)]), R);
}

/** c_i = HDKG(ctx ‖ Scalar(i) ‖ Element(C_i0) ‖ Element(R_i)). */
function challenge({ suite, context, prover, commitment }: ProofStatement, R: Point): Scalar {
  return suite.HDKG(context, suite.curve.scalarFromNumber(prover), commitment, R);
}
