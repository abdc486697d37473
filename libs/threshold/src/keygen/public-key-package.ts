import { equalBytes, sha256, wipe } from "@countersign/bytes";
import type { Curve, Point } from "../curves/curve.ts";
import { ProtocolAbort, thresholdError } from "../errors.ts";
import type { KeyShare, PublicKeyPackage, SuiteName } from "../key-share.ts";
import { runAtOnce, type Steps } from "../steps.ts";
import { keySuiteOf } from "../suites.ts";
import { evaluateInExponent } from "./polynomial.ts";
import { WORD_SIZE } from "./rounds.ts";
import { checkThreshold } from "./terms.ts";

/** What determines a public key package; all of it may come from a stranger. */
export interface PublicKeyFacts {
  readonly suite: SuiteName;
  readonly keyId: string;
  readonly epoch: number;
  readonly threshold: number;
  readonly partyCount: number;
  /** D_0..D_(t-1), encoded. */
  readonly commitments: readonly Uint8Array[];
  readonly chainCodeHash: Uint8Array;
  readonly tau: Uint8Array;
}

/**
 * Builds the package with the verification shares computed from the commitments, which makes them points of one polynomial of
 * degree exactly t-1. Raises `public_key_package_invalid` with the reason as cause.
 */
export function publicKeyPackage(facts: PublicKeyFacts): PublicKeyPackage {
  const { suite, keyId, threshold, partyCount, chainCodeHash, tau } = facts;
  try {
    checkThreshold(threshold, partyCount);
    if (facts.commitments.length !== threshold)
      throw new RangeError(`Expected ${threshold} commitments, found ${facts.commitments.length}.`);
    if (chainCodeHash.length !== WORD_SIZE || tau.length !== WORD_SIZE)
      throw new RangeError("Chain code hash and tau are 32 bytes each.");
    const { curve } = keySuiteOf(suite);
    const points = facts.commitments.map((point) => curve.decodePoint(point));
    return runAtOnce(packageSteps(facts, points));
  } catch (cause) {
    throw new ProtocolAbort("public_key_package_invalid", `The public part of key ${keyId} is unusable.`, { cause });
  }
}

/** The package of commitments that are points already. Raises `point_identity` where a verification share would be none. */
export function* packageSteps(
  facts: Omit<PublicKeyFacts, "commitments">,
  commitments: readonly Point[],
): Steps<PublicKeyPackage> {
  const { suite, keyId, epoch, threshold, partyCount, chainCodeHash, tau } = facts;
  const { curve } = keySuiteOf(suite);
  const verificationShares: Point[] = [];
  while (verificationShares.length < partyCount) {
    verificationShares.push(evaluateInExponent(curve, commitments, verificationShares.length + 1));
    yield;
  }
  return {
    suite,
    keyId,
    epoch,
    threshold,
    partyCount,
    keyForm: "internal",
    commitments,
    verificationShares,
    chainCodeHash,
    tau,
  };
}

/**
 * Proves what a test signature would: public key and verification shares are the values at 0..n of one polynomial in the
 * exponent, of degree exactly t-1. Exactly then their differences of order t-1 are one point that is not the identity.
 * Computed by additions alone, so that it shares no step with the evaluation it checks. Raises `public_key_package_invalid`.
 */
export function checkPublicPolynomial(key: PublicKeyPackage): void {
  const { suite, threshold, partyCount, verificationShares, commitments, keyId } = key;
  const { curve } = keySuiteOf(suite);
  if (verificationShares.length !== partyCount || commitments.length !== threshold)
    throw refuse(keyId, "it has another number of verification shares or commitments than n and t");
  let values: readonly Point[] = [...commitments.slice(0, 1), ...verificationShares];
  try {
    for (let order = 1; order < threshold; order++) values = differences(curve, values);
  } catch (cause) {
    // An order's difference is the identity: of a random polynomial with probability 2^-250, of one too low in degree always.
    throw refuse(keyId, "its points are on a polynomial of lower degree than t-1", cause);
  }
  const [first] = values;
  if (first === undefined || !values.every((value) => curve.equalPoints(value, first)))
    throw refuse(keyId, "its points are not on one polynomial of degree t-1");
}

/** Whether these bytes are the chain code that the key's acknowledgements cover. */
export function isChainCodeOf(key: PublicKeyPackage, chainCode: Uint8Array): boolean {
  return equalBytes(sha256(chainCode), key.chainCodeHash);
}

/** Each point but the first, less the one before it. */
function differences(curve: Curve, points: readonly Point[]): readonly Point[] {
  return points.slice(1).map((point, k) => curve.sum([point, curve.negatePoint(points[k] ?? point)]));
}

/** Checks s_i*G = Y_i, after generation and whenever a share was loaded; raises `key_share_inconsistent`. */
export function checkKeyShare(share: KeyShare): void {
  const { public: key, index, secret } = share;
  const { curve } = keySuiteOf(key.suite);
  const expected = key.verificationShares[index - 1];
  const mismatch = (cause?: unknown) =>
    thresholdError("key_share_inconsistent", `The share of party ${index} does not belong to key ${key.keyId}.`, {
      cause,
    });
  let actual: Point;
  try {
    const scalar = curve.decodeScalar(secret.expose());
    try {
      actual = curve.multiplyBase(scalar);
    } finally {
      wipe(scalar);
    }
  } catch (cause) {
    // A share read from a damaged record need not be a scalar, or may be zero.
    throw mismatch(cause);
  }
  if (expected === undefined || !curve.equalPoints(actual, expected)) throw mismatch();
}

function refuse(keyId: string, what: string, cause?: unknown): ProtocolAbort {
  return new ProtocolAbort("public_key_package_invalid", `The public part of key ${keyId} is unusable: ${what}.`, {
    cause,
  });
}
