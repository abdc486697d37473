import { u16be, wipe } from "@countersign/bytes";
import type { Scalar } from "../curves/curve.ts";
import type { PartyIndex, Rng } from "../delivery.ts";
import type { KeySuite } from "../suites.ts";
import { T } from "../transcript.ts";
import { encodePackage, type Package } from "./encoding.ts";
import { evaluate } from "./polynomial.ts";
import { proveKnowledge } from "./proof.ts";
import { WORD_SIZE } from "./rounds.ts";

/** Who deals, to whom, in which session. */
export interface DealingOptions {
  readonly suite: KeySuite;
  /** ctx; empty in published vectors. */
  readonly context: Uint8Array;
  readonly dealer: PartyIndex;
  readonly parties: readonly PartyIndex[];
  readonly threshold: number;
  readonly rng: Rng;
}

/** One party's contribution to a key. Holds secrets until `wipe`. */
export interface Dealing {
  readonly package: Package;
  readonly encodedPackage: Uint8Array;
  /** Hides the package until it is revealed, 32 bytes. */
  readonly salt: Uint8Array;
  /** h_i, 32 bytes. */
  readonly commitment: Uint8Array;
  /** f_i(i). Secret. */
  readonly ownShare: Scalar;
  /** f_i(j) for every other party j. Secret. */
  readonly shares: ReadonlyMap<PartyIndex, Scalar>;
  /** Overwrites the shares. The coefficients are gone already. */
  wipe(): void;
}

/** Draws a polynomial and prepares what R0 to R2 send (Schnorr specification, section 3). */
export function deal(options: DealingOptions): Dealing {
  const { suite, context, dealer, threshold, rng } = options;
  const { curve } = suite;
  const { coefficients, shares } = drawPolynomial(options);

  const commitments = coefficients.map((coefficient) => curve.multiplyBase(coefficient));
  const [secret, commitment, ownShare] = [coefficients[0], commitments[0], shares.get(dealer)];
  if (secret === undefined || commitment === undefined || ownShare === undefined)
    throw new RangeError(`Party ${dealer} cannot deal ${threshold} of ${options.parties.length}.`);
  shares.delete(dealer);
  const { R, mu } = proveKnowledge({ suite, context, prover: dealer, commitment }, secret, rng);
  wipe(...coefficients);

  const content: Package = { commitments, R, mu, chainCode: rng(WORD_SIZE) };
  const encodedPackage = encodePackage(content);
  const salt = rng(WORD_SIZE);
  return {
    package: content,
    encodedPackage,
    salt,
    commitment: commitTo(context, dealer, salt, encodedPackage),
    ownShare,
    shares,
    wipe: () => wipe(ownShare, ...shares.values()),
  };
}

/** h_i = T("dkg-commit", ctx, i, salt_i, pkg_i). */
export function commitTo(
  context: Uint8Array,
  dealer: PartyIndex,
  salt: Uint8Array,
  encodedPackage: Uint8Array,
): Uint8Array {
  return T("dkg-commit", context, u16be(dealer), salt, encodedPackage);
}

/** Coefficients in 1..q-1. A polynomial with a root at a party is drawn again: a share of zero has no public form. */
function drawPolynomial({ suite: { curve }, parties, threshold, rng }: DealingOptions) {
  for (;;) {
    const coefficients = Array.from({ length: threshold }, () => curve.randomScalar(rng));
    const shares = new Map(parties.map((party) => [party, evaluate(curve, coefficients, party)] as const));
    if (![...shares.values()].some((share) => curve.isZero(share))) return { coefficients, shares };
    wipe(...coefficients, ...shares.values());
  }
}
