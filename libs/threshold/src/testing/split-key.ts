import { Secret, sha256 } from "@countersign/bytes";
import type { Curve, Point, Scalar } from "../curves/curve.ts";
import type { Rng } from "../delivery.ts";
import type { KeyShare, PublicKeyPackage, SuiteName } from "../key-share.ts";
import { keySuiteOf } from "../suites.ts";

/** A key that one dealer split. Tests only: the dealer knew the secret. */
export interface SplitKey {
  readonly public: PublicKeyPackage;
  /** Share of party i at i - 1. */
  readonly shares: readonly KeyShare[];
  readonly secret: Scalar;
  readonly chainCode: Uint8Array;
}

/** Splits a secret (default: a random one) among n parties by Shamir's scheme. `coefficients` fixes a_1..a_(t-1). */
export function splitKey(options: {
  readonly suite: SuiteName;
  readonly threshold: number;
  readonly partyCount: number;
  readonly rng: Rng;
  readonly secret?: Scalar;
  readonly coefficients?: readonly Scalar[];
}): SplitKey {
  const { suite, threshold, partyCount, rng } = options;
  const { curve } = keySuiteOf(suite);
  const secret = options.secret ?? curve.randomScalar(rng);
  const others = options.coefficients ?? Array.from({ length: threshold - 1 }, () => curve.randomScalar(rng));
  const polynomial = [secret, ...others];
  const values = Array.from({ length: partyCount }, (_, index) => evaluate(curve, polynomial, index + 1));
  const chainCode = rng(32);
  const key: PublicKeyPackage = {
    suite,
    keyId: "key-split-for-tests",
    epoch: 0,
    threshold,
    partyCount,
    keyForm: "internal",
    commitments: polynomial.map((coefficient): Point => curve.multiplyBase(coefficient)),
    verificationShares: values.map((value): Point => curve.multiplyBase(value)),
    chainCodeHash: sha256(chainCode),
    tau: rng(32),
  };
  const shares = values.map((value, index) => ({ public: key, index: index + 1, secret: new Secret(value) }));
  return { public: key, shares, secret, chainCode };
}

function evaluate(curve: Curve, polynomial: readonly Scalar[], x: number): Scalar {
  const point = curve.scalarFromNumber(x);
  return polynomial.reduceRight(
    (total, coefficient) => curve.add(curve.multiply(total, point), coefficient),
    curve.scalarFromNumber(0),
  );
}
