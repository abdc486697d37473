import { equalBytes } from "@countersign/bytes";
import type { PartyIndex } from "../delivery.ts";
import { type AbortEvidence, ProtocolAbort } from "../errors.ts";
import { bind } from "./binding.ts";
import type { CombineOptions } from "./combine-options.ts";
import { checkCommitmentCount, decodeCommitment } from "./commitments.ts";
import { isCommitment, isShareValid } from "./find-fault.ts";
import { packageHash, shareStatement } from "./package.ts";
import { checkQuorum } from "./quorum.ts";
import { signingKey } from "./signing-key.ts";

/** The session as the judge knows it from the approved request, not from the accuser. */
export interface SigningCase extends Omit<CombineOptions, "partials"> {
  /** Items of the session. */
  readonly itemCount: number;
}

/** What somebody claims against a party. */
export interface Accusation {
  readonly code: "commitment_invalid" | "commitment_equivocated" | "share_invalid";
  readonly culprit: PartyIndex;
  readonly evidence: AbortEvidence;
}

/**
 * Judges an accusation without having taken part: true only if the party's own signatures contradict the protocol. A share counts
 * only under the package whose hash its party signed, so that an orchestrator that shows two parties two lists convicts nobody.
 */
export function convicts(signingCase: SigningCase, accusation: Accusation): boolean {
  const { code, culprit, evidence } = accusation;
  checkQuorum(signingCase.publicKey, signingCase.parties);
  if (!signingCase.parties.includes(culprit)) return false;
  switch (code) {
    case "commitment_invalid": {
      const [message] = evidence.messages;
      return (
        message !== undefined && isCommitment(signingCase, culprit, message) && !isReadable(signingCase, accusation)
      );
    }
    case "commitment_equivocated": {
      const [one, other] = evidence.messages;
      return (
        one !== undefined &&
        other !== undefined &&
        isCommitment(signingCase, culprit, one) &&
        isCommitment(signingCase, culprit, other) &&
        !equalBytes(one.body, other.body)
      );
    }
    case "share_invalid":
      return hasSignedBadShare(signingCase, accusation);
  }
}

function isReadable(signingCase: SigningCase, { culprit, evidence }: Accusation): boolean {
  const { publicKey, item, itemCount } = signingCase;
  const { suite } = signingKey(publicKey, item);
  return !aborts(() => {
    for (const message of evidence.messages.slice(0, 1)) {
      checkCommitmentCount(culprit, message, itemCount);
      for (let index = 0; index < itemCount; index++) decodeCommitment(suite, culprit, message, index);
    }
  });
}

function hasSignedBadShare(signingCase: SigningCase, { culprit, evidence }: Accusation): boolean {
  const { publicKey, item, itemIndex, sessionDigest, parties, verifyIdentity } = signingCase;
  const share = evidence.shares?.find(({ party }) => party === culprit);
  if (share === undefined || evidence.messages.length !== parties.length) return false;
  if (!verifyIdentity(culprit, shareStatement(share.packageHash, share.z), share.signature)) return false;
  if (!parties.every((party, place) => isCommitment(signingCase, party, evidence.messages[place]))) return false;
  const key = signingKey(publicKey, item);
  let convicted = false;
  const undecided = aborts(() => {
    const commitments = evidence.messages.map((message, place) =>
      decodeCommitment(key.suite, parties[place] ?? 0, message, itemIndex),
    );
    const hash = packageHash({ key: publicKey, sessionDigest, itemIndex, item, commitments });
    if (!equalBytes(hash, share.packageHash)) return;
    convicted = !isShareValid(key, bind(key, item.message, commitments), publicKey, culprit, share.z);
  });
  return convicted && !undecided;
}

function aborts(check: () => void): boolean {
  try {
    check();
    return false;
  } catch (error) {
    if (error instanceof ProtocolAbort) return true;
    throw error;
  }
}
