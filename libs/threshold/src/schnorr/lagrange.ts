import type { Curve, Scalar } from "../curves/curve.ts";
import type { PartyIndex } from "../delivery.ts";

/**
 * lambda(S, i, x = 0): the product over j in S, j != i, of j / (j - i) (Schnorr specification, section 1). Public. `parties` are
 * distinct and hold `party`: the callers' quorum check saw to both.
 */
export function lagrangeCoefficient(curve: Curve, parties: readonly PartyIndex[], party: PartyIndex): Scalar {
  const own = curve.scalarFromNumber(party);
  let numerator = curve.scalarFromNumber(1);
  let denominator = numerator;
  for (const other of parties) {
    if (other === party) continue;
    const index = curve.scalarFromNumber(other);
    numerator = curve.multiply(numerator, index);
    denominator = curve.multiply(denominator, curve.subtract(index, own));
  }
  return curve.multiply(numerator, curve.invert(denominator));
}
