import { wipe } from "@countersign/bytes";
import type { Curve, Point, Scalar } from "../curves/curve.ts";
import type { PartyIndex } from "../delivery.ts";

/** f(x) for secret coefficients a_0..a_(t-1), by Horner's rule. The caller wipes the result. */
export function evaluate(curve: Curve, coefficients: readonly Scalar[], x: PartyIndex): Scalar {
  const at = curve.scalarFromNumber(x);
  let value = curve.scalarFromNumber(0);
  for (const coefficient of coefficients.toReversed()) {
    const product = curve.multiply(value, at);
    const next = curve.add(product, coefficient);
    wipe(value, product);
    value = next;
  }
  return value;
}

/** Sum of secret scalars. The caller wipes the result. */
export function sumOfSecrets(curve: Curve, scalars: Iterable<Scalar>): Scalar {
  let total = curve.scalarFromNumber(0);
  for (const scalar of scalars) {
    const next = curve.add(total, scalar);
    wipe(total);
    total = next;
  }
  return total;
}

/** f(x)*G from the commitments a_k*G: sum of x^k * C_k. Raises `point_identity` when f(x) is zero. */
export function evaluateInExponent(curve: Curve, commitments: readonly Point[], x: PartyIndex): Point {
  const at = curve.scalarFromNumber(x);
  let power = curve.scalarFromNumber(1);
  return curve.sum(
    commitments.map((commitment, k) => {
      if (k > 0) power = curve.multiply(power, at);
      return k === 0 || x === 1 ? commitment : curve.multiplyPoint(commitment, power);
    }),
  );
}
