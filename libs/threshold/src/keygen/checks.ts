import { equalBytes } from "@countersign/bytes";
import type { Scalar } from "../curves/curve.ts";
import type { PartyIndex } from "../delivery.ts";
import { ProtocolAbort } from "../errors.ts";
import { T } from "../transcript.ts";
import { commitTo } from "./dealing.ts";
import { decodeFinish, decodePackage, decodeReveal, decodeShare, type Package } from "./encoding.ts";
import { evaluateInExponent } from "./polynomial.ts";
import { verifyKnowledge } from "./proof.ts";
import type { KeygenSession } from "./terms.ts";

/** A package that passed every check of R1, with the bytes that were committed to. */
export interface RevealedPackage {
  readonly package: Package;
  readonly encodedPackage: Uint8Array;
}

// The checks of a receiver and of a judge are the same functions, so that a complaint an honest party makes is always upheld.
// They raise `ProtocolAbort` without culprits: the caller knows whose message it was and holds the evidence.

/** R1: the reveal opens the commitment (where one is at hand), holds exactly t commitments, and proves knowledge of the first. */
export function openReveal(
  session: KeygenSession,
  dealer: PartyIndex,
  commitment: Uint8Array | undefined,
  body: Uint8Array,
): RevealedPackage {
  const { suite, context, terms } = session;
  const { salt, encodedPackage } = decodeReveal(body);
  if (commitment !== undefined && !equalBytes(commitTo(context, dealer, salt, encodedPackage), commitment))
    throw new ProtocolAbort(
      "keygen_commitment_mismatch",
      `Party ${dealer} revealed another package than it committed to.`,
    );

  const content = decodePackage(suite.curve, terms.threshold, encodedPackage);
  const [constant] = content.commitments;
  if (constant === undefined || !verifyKnowledge({ suite, context, prover: dealer, commitment: constant }, content))
    throw new ProtocolAbort("keygen_proof_invalid", `Party ${dealer} does not prove that it knows its constant term.`);
  return { package: content, encodedPackage };
}

/** tau = T("dkg-r1", ctx, for all j ascending: Scalar(j), pkg_j): what everyone must have seen alike. */
export function echoDigest(session: KeygenSession, packages: ReadonlyMap<PartyIndex, RevealedPackage>): Uint8Array {
  const { curve } = session.suite;
  const parts = session.parties.flatMap((party) => {
    const revealed = packages.get(party);
    return revealed === undefined ? [] : [curve.scalarFromNumber(party), revealed.encodedPackage];
  });
  return T("dkg-r1", session.context, ...parts);
}

/** What a share is checked against, as far as it is at hand: a receiver has all of it, a judge what the complaint shows. */
export interface ShareClaim {
  readonly from: PartyIndex;
  readonly to: PartyIndex;
  readonly tau: Uint8Array | undefined;
  readonly dealt: RevealedPackage | undefined;
}

/** R2: the share names its session's echo, its sender and receiver, and lies on the sender's committed polynomial. */
export function checkShare(session: KeygenSession, claim: ShareClaim, body: Uint8Array): Scalar {
  const { curve } = session.suite;
  const { from, to, tau, dealt } = claim;
  const content = decodeShare(curve, body);
  const isForMember = session.parties.includes(to);
  if (
    !isForMember ||
    content.from !== from ||
    content.to !== to ||
    (tau !== undefined && !equalBytes(content.tau, tau))
  )
    throw new ProtocolAbort("keygen_share_invalid", `Party ${from} sent a share of another dealing to party ${to}.`);
  if (dealt !== undefined && !isOnPolynomial(session, dealt, to, content.share))
    throw new ProtocolAbort("keygen_share_invalid", `Party ${from} sent party ${to} a share off its polynomial.`);
  return content.share;
}

/** R3: the sender acknowledges this very key. Returns its signature. */
export function checkAcknowledgement(
  session: KeygenSession,
  from: PartyIndex,
  statement: Uint8Array,
  body: Uint8Array,
): Uint8Array {
  const signature = decodeFinish(body);
  if (!session.verifyIdentity(from, statement, signature))
    throw new ProtocolAbort("keygen_acknowledgement_invalid", `Party ${from} acknowledged something else.`);
  return signature;
}

/** share*G = sum of j^k * C_k. Zero is refused: an honest dealer draws again, and zero has no public form to compare. */
function isOnPolynomial(
  { suite: { curve } }: KeygenSession,
  dealt: RevealedPackage,
  to: PartyIndex,
  share: Scalar,
): boolean {
  if (curve.isZero(share)) return false;
  try {
    return curve.equalPoints(curve.multiplyBase(share), evaluateInExponent(curve, dealt.package.commitments, to));
  } catch (error) {
    // The committed polynomial is zero at `to`; a share that is not zero is off it.
    if (error instanceof ProtocolAbort && error.code === "point_identity") return false;
    throw error;
  }
}
