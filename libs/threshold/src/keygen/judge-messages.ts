import { equalBytes } from "@countersign/bytes";
import type { MessageFacts, PartyIndex, SignedMessage } from "../delivery.ts";
import { ProtocolAbort } from "../errors.ts";
import { attribute, convict } from "./abort.ts";
import { acknowledgementStatement } from "./acknowledgement.ts";
import { checkAcknowledgement, checkShare, echoDigest, openReveal, type RevealedPackage } from "./checks.ts";
import { decodeCommitment, decodeEcho, isComplaint } from "./encoding.ts";
import { jointKey } from "./joint-key.ts";
import { decodeLinkClaims } from "./link-confirmation.ts";
import type { KeygenRound } from "./rounds.ts";
import { type KeygenSession, type KeygenTerms, type KeygenVerifiers, keygenSession } from "./terms.ts";

/**
 * Judges the evidence of an abort without having been in the session: see `judgeMessages`. Evidence of `keygen_complaint_false`
 * is one complaint, which `judgeComplaint` judges.
 */
export function judgeKeygen(
  options: KeygenTerms & KeygenVerifiers,
  messages: readonly SignedMessage[],
): ProtocolAbort | undefined {
  return judgeMessages(keygenSession(options), messages);
}

/** A message whose sender signed it for this session. */
export interface OpenedMessage {
  readonly facts: MessageFacts;
  readonly message: SignedMessage;
}

/**
 * Judges signed messages of one session, in any order and from any source, by the checks that their receivers make. Returns an
 * abort that names the first party the messages convict, with exactly the messages that do; undefined when they convict nobody.
 * Messages that no member signed for this session prove nothing and are passed over.
 */
export function judgeMessages(session: KeygenSession, messages: readonly SignedMessage[]): ProtocolAbort | undefined {
  const opened = openAll(session, messages);
  const packages = new Map<PartyIndex, RevealedPackage>();
  try {
    for (const party of session.parties) {
      const theirs = opened.filter(({ facts }) => facts.from === party);
      refuseEquivocation(party, theirs);
      const revealed = judgeParty(session, party, theirs);
      if (revealed !== undefined) packages.set(party, revealed);
    }
    judgeAcknowledgements(session, opened, packages);
    return undefined;
  } catch (error) {
    if (error instanceof ProtocolAbort) return error;
    throw error;
  }
}

/** The messages that members signed for this session. */
export function openAll(session: KeygenSession, messages: readonly SignedMessage[]): readonly OpenedMessage[] {
  return messages.flatMap((message) => {
    const facts = session.openSignedMessage(message);
    const isOfSession =
      facts !== undefined &&
      equalBytes(facts.sessionId, session.terms.sessionId) &&
      equalBytes(facts.sessionDigest, session.sessionDigest) &&
      session.parties.includes(facts.from);
    return isOfSession ? [{ facts, message }] : [];
  });
}

/** Messages of a round that are the round's own, not complaints in their place. */
export function ordinary(opened: readonly OpenedMessage[], round: KeygenRound): readonly OpenedMessage[] {
  return opened.filter(
    ({ facts, message }) => facts.round === round && (round === "commit" || !isComplaint(message.body)),
  );
}

/** Two bodies for one round convict, unless they are the shares of two receivers. */
function refuseEquivocation(party: PartyIndex, theirs: readonly OpenedMessage[]): void {
  for (const [k, a] of theirs.entries())
    for (const b of theirs.slice(k + 1)) {
      const arePrivate = a.facts.to !== 0 && b.facts.to !== 0 && a.facts.to !== b.facts.to;
      if (a.facts.round !== b.facts.round || (a.facts.round === "share" && arePrivate)) continue;
      if (equalBytes(a.message.body, b.message.body)) continue;
      const text = `Party ${party} signed two messages for round "${a.facts.round}".`;
      throw convict("keygen_equivocated", text, party, [a.message, b.message]);
    }
}

/** Checks what one party sent, as far as it is at hand, against itself. Returns its package once revealed. */
function judgeParty(
  session: KeygenSession,
  party: PartyIndex,
  theirs: readonly OpenedMessage[],
): RevealedPackage | undefined {
  const [commit, reveal, echo, links] = (["commit", "reveal", "echo", "links"] as const).map(
    (round) => ordinary(theirs, round)[0]?.message,
  );
  const commitment = commit && attribute(party, [commit], () => decodeCommitment(commit.body));
  const revealed =
    reveal && attribute(party, [...list(commit), reveal], () => openReveal(session, party, commitment, reveal.body));
  const tau = echo && attribute(party, [echo], () => decodeEcho(echo.body));
  if (links !== undefined) attribute(party, [links], () => decodeLinkClaims(session.parties, party, links.body));
  for (const { facts, message } of ordinary(theirs, "share"))
    attribute(party, [...list(reveal), ...list(echo), message], () =>
      checkShare(session, { from: party, to: facts.to, tau, dealt: revealed }, message.body),
    );
  return revealed;
}

/** An acknowledgement can be judged by who knows all packages: together they determine its statement. */
function judgeAcknowledgements(
  session: KeygenSession,
  opened: readonly OpenedMessage[],
  packages: ReadonlyMap<PartyIndex, RevealedPackage>,
): void {
  const finishes = ordinary(opened, "finish");
  if (finishes.length === 0 || packages.size < session.parties.length) return;
  const key = jointKey(session, packages, echoDigest(session, packages));
  const statement = acknowledgementStatement(session.terms.deploymentId, key);
  const reveals = ordinary(opened, "reveal").map(({ message }) => message);
  for (const { facts, message } of finishes)
    attribute(facts.from, [...reveals, message], () =>
      checkAcknowledgement(session, facts.from, statement, message.body),
    );
}

function list<T>(value: T | undefined): readonly T[] {
  return value === undefined ? [] : [value];
}
