import { equalBytes } from "@countersign/bytes";
import type { PartyIndex, SignedMessage } from "../delivery.ts";
import { ProtocolAbort } from "../errors.ts";
import { bind } from "./binding.ts";
import type { CombineOptions } from "./combine-options.ts";
import { COMMIT_ROUND, type Commitment, decodeCommitment } from "./commitments.ts";
import { packageHash, shareStatement } from "./package.ts";
import type { SchnorrPartial, SignedShare } from "./partial.ts";
import { verifyShare } from "./share.ts";
import type { SigningKey } from "./tweak.ts";

/** One party's reply whose signatures are all good. */
interface Reply {
  readonly party: PartyIndex;
  readonly partial: SchnorrPartial;
}

/**
 * Tells why the partials of a session make no signature (Schnorr specification, section 6). The order matters: a share is judged last,
 * only once its own party's signed package hash equals the hash of the package it is judged under. A combiner with another view, or
 * one that shows a party other lists, must not make an honest share look wrong.
 *
 * `partial_invalid` (suspects), `commitment_equivocated`, `commitment_invalid`, `share_invalid` (culprits with evidence),
 * `package_differs` (nobody: the combiner's own view stands alone, or suspects), `aggregate_invalid`.
 */
export function findFault(options: CombineOptions, key: SigningKey): ProtocolAbort {
  const { parties, itemIndex } = options;
  const replies = parties.map((party) => ({ party, partial: options.partials.get(party) }));
  const good = replies.filter((reply): reply is Reply => isGood(options, reply.party, reply.partial));
  const equivocation = findEquivocation(options, good);
  if (equivocation !== undefined) return equivocation;
  if (good.length < parties.length) {
    const suspects = replies.map(({ party }) => party).filter((party) => good.every((reply) => reply.party !== party));
    return new ProtocolAbort("partial_invalid", `Replies of parties ${suspects.join(", ")} are unusable.`, {
      suspects,
    });
  }
  const messages = good[0]?.partial.commitments ?? [];
  try {
    const commitments = parties.map((party, place) =>
      decodeCommitment(key.suite, party, messageAt(messages, place), itemIndex),
    );
    return findBadShare(options, key, good, commitments, messages);
  } catch (error) {
    if (error instanceof ProtocolAbort) return error;
    throw error;
  }
}

/** Whether a reply is there, signed, and carries each party's signed commitments for this very session. */
function isGood(options: CombineOptions, party: PartyIndex, partial: SchnorrPartial | undefined): boolean {
  if (partial === undefined || partial.commitments.length !== options.parties.length) return false;
  if (!options.verifyIdentity(party, shareStatement(partial.packageHash, partial.z), partial.signature)) return false;
  return options.parties.every((sender, place) => isCommitment(options, sender, partial.commitments[place]));
}

/** Whether a message is that party's validly signed commit message of this session. */
export function isCommitment(
  options: Pick<CombineOptions, "openSignedMessage" | "sessionId" | "sessionDigest">,
  sender: PartyIndex,
  message: SignedMessage | undefined,
): boolean {
  const facts = message && options.openSignedMessage(message);
  return (
    facts !== undefined &&
    facts.from === sender &&
    facts.to === 0 &&
    facts.round === COMMIT_ROUND &&
    equalBytes(facts.sessionId, options.sessionId) &&
    equalBytes(facts.sessionDigest, options.sessionDigest)
  );
}

function findEquivocation({ parties }: CombineOptions, replies: readonly Reply[]): ProtocolAbort | undefined {
  const [first, ...others] = replies;
  if (first === undefined) return undefined;
  for (const [place, party] of parties.entries()) {
    const one = messageAt(first.partial.commitments, place);
    for (const reply of others) {
      const other = messageAt(reply.partial.commitments, place);
      if (equalBytes(one.body, other.body)) continue;
      const text = `Party ${party} signed different commitments for parties ${first.party} and ${reply.party}.`;
      const evidence = { messages: [one, other] };
      return new ProtocolAbort("commitment_equivocated", text, { culprits: [party], evidence });
    }
  }
  return undefined;
}

function findBadShare(
  options: CombineOptions,
  key: SigningKey,
  replies: readonly Reply[],
  commitments: readonly Commitment[],
  messages: readonly SignedMessage[],
): ProtocolAbort {
  const { publicKey, item, itemIndex, sessionDigest } = options;
  const hash = packageHash({ key: publicKey, sessionDigest, itemIndex, item, commitments });
  const others = replies.filter(({ partial }) => !equalBytes(partial.packageHash, hash)).map(({ party }) => party);
  if (others.length > 0) {
    // When nobody shares our view, the view is the suspect.
    const suspects = others.length < replies.length ? others : [];
    const text = `Parties ${others.join(", ")} signed for another package than the combiner's.`;
    return new ProtocolAbort("package_differs", text, { suspects });
  }
  const binding = bind(key, item.message, commitments);
  const bad = replies.filter(({ party, partial }) => !isShareValid(key, binding, publicKey, party, partial.z));
  if (bad.length === 0)
    return new ProtocolAbort(
      "aggregate_invalid",
      "Every share verifies but the signature does not; it was not released.",
    );
  const shares: SignedShare[] = bad.map(({ party, partial: { packageHash, z, signature } }) => ({
    party,
    packageHash,
    z,
    signature,
  }));
  const culprits = bad.map(({ party }) => party);
  const text = `Signature shares of parties ${culprits.join(", ")} do not verify.`;
  return new ProtocolAbort("share_invalid", text, { culprits, evidence: { messages, shares } });
}

/** Whether z is a canonical scalar and satisfies the share equation. */
export function isShareValid(
  key: SigningKey,
  binding: ReturnType<typeof bind>,
  publicKey: CombineOptions["publicKey"],
  party: PartyIndex,
  z: Uint8Array,
): boolean {
  try {
    return verifyShare(key, binding, publicKey, party, key.suite.curve.decodeScalar(z));
  } catch (error) {
    if (error instanceof ProtocolAbort) return false;
    throw error;
  }
}

function messageAt(messages: readonly SignedMessage[], place: number): SignedMessage {
  const message = messages[place];
  if (message === undefined) throw new Error(`The reply has no message in place ${place}.`);
  return message;
}
