import { hex } from "@countersign/bytes";
import type { PartyIndex, SignedMessage } from "../delivery.ts";
import { ProtocolAbort } from "../errors.ts";
import { attribute, convict, KeygenAbort } from "./abort.ts";
import { type Renunciation, verifyRenunciation } from "./acknowledgement.ts";
import { decodeComplaint, decodeEcho, isComplaint } from "./encoding.ts";
import { judgeMessages, openAll, ordinary } from "./judge-messages.ts";
import { type KeygenSession, type KeygenTerms, type KeygenVerifiers, keygenSession } from "./terms.ts";

/** What anyone finds who is shown a complaint. */
export interface ComplaintVerdict {
  readonly complainer: PartyIndex;
  /** Names whom the quoted messages convict, or the complainer when they convict nobody; nobody when only views differ. */
  readonly abort: ProtocolAbort;
  /** The complainer's promise never to acknowledge; absent when it is not validly signed. */
  readonly renunciation: Renunciation | undefined;
}

/**
 * Judges a complaint without having been in the session. Undefined when no member signed it as a complaint of that session.
 * Every honest judge finds the same.
 */
export function judgeComplaint(
  options: KeygenTerms & KeygenVerifiers,
  complaint: SignedMessage,
): ComplaintVerdict | undefined {
  const session = keygenSession(options);
  const [opened] = openAll(session, [complaint]);
  if (opened === undefined || opened.facts.round === "commit" || !isComplaint(complaint.body)) return undefined;
  const complainer = opened.facts.from;
  const abort = settleComplaints(session, new Map([[complainer, complaint]]), []);
  return { complainer, abort, renunciation: abort.renunciations[0] };
}

/**
 * What complaints end a session with, given all other signed messages that this party holds: the party that all these messages
 * together convict; else a complainer whose complaint is malformed; else nobody where a complaint shows echoes that
 * differ; else the first complainer, for complaining about nothing.
 */
export function settleComplaints(
  session: KeygenSession,
  complaints: ReadonlyMap<PartyIndex, SignedMessage>,
  known: readonly SignedMessage[],
): KeygenAbort {
  const opened = [...complaints].map(([complainer, message]) => openComplaint(session, complainer, message));
  const quoted = opened.flatMap(({ messages }) => messages);
  const reason =
    judgeMessages(session, [...known, ...quoted]) ??
    opened.find(({ defect }) => defect !== undefined)?.defect ??
    viewsDiffer(session, quoted) ??
    falseComplaint(complaints);
  return new KeygenAbort(
    reason,
    opened.flatMap(({ renunciation }) => renunciation ?? []),
  );
}

interface OpenedComplaint {
  readonly messages: readonly SignedMessage[];
  readonly renunciation?: Renunciation;
  readonly defect?: ProtocolAbort;
}

function openComplaint(session: KeygenSession, complainer: PartyIndex, message: SignedMessage): OpenedComplaint {
  const { deploymentId, keyId, sessionId } = session.terms;
  try {
    const { messages, renunciation: signature } = attribute(complainer, [message], () =>
      decodeComplaint(message.body, session.parties.length),
    );
    const renunciation: Renunciation = { party: complainer, sessionId, signature };
    if (verifyRenunciation(deploymentId, keyId, renunciation, session.verifyIdentity))
      return { messages, renunciation };
    const text = `Party ${complainer} complains without promising never to acknowledge.`;
    return { messages, defect: convict("keygen_complaint_false", text, complainer, [message]) };
  } catch (defect) {
    if (defect instanceof ProtocolAbort) return { messages: [], defect };
    throw defect;
  }
}

/** Echoes differ although nobody is convicted: a relay, or a party that is not shown up, told parties different things. */
function viewsDiffer(session: KeygenSession, quoted: readonly SignedMessage[]): ProtocolAbort | undefined {
  const echoes = ordinary(openAll(session, quoted), "echo").map(({ message }) => message);
  const digests = new Set(echoes.map(({ body }) => hex(decodeEcho(body))));
  if (digests.size < 2) return undefined;
  const text = "Parties hold different packages, and no two messages show whose doing it is.";
  return new ProtocolAbort("keygen_views_differ", text, { evidence: { messages: echoes } });
}

function falseComplaint(complaints: ReadonlyMap<PartyIndex, SignedMessage>): ProtocolAbort {
  const [complainer, message] = [...complaints][0] ?? [];
  if (complainer === undefined || message === undefined) throw new RangeError("There is no complaint to settle.");
  const text = `Party ${complainer} complains, but nothing it shows is wrong.`;
  return convict("keygen_complaint_false", text, complainer, [message]);
}
