import { type Evidence, evidenceHash, sessionHeads } from "@countersign/authority";
import type { SignItem } from "@countersign/intent";
import { startDeadline } from "@countersign/mesh";
import {
  combineSchnorr,
  type PartyIndex,
  ProtocolAbort,
  type PublicKeyPackage,
  type SchnorrPartial,
  sessionDigest,
} from "@countersign/threshold";
import { evidenceToWire, partialFromWire, type Session, sessionToWire } from "@countersign/wire";
import type { Verdict } from "./experience.ts";
import { causeOf, isLate, judgeFailures, type PartyFailure } from "./judge-failures.ts";
import { type Network, signerOf } from "./network.ts";

/**
 * A healthy attempt takes milliseconds; a silent node must cost a bounded wait. Long enough for signers oceans apart on a bad day,
 * short enough that two silent quorums leave time for the third within the default deadline of 10 s.
 */
const ATTEMPT_MS = 1_500;

/** One verified signature: 32 bytes each. */
export interface Signature {
  readonly r: Uint8Array;
  readonly s: Uint8Array;
}

/** A request whose approval this orchestrator checked; signers check it again. */
export interface ApprovedRequest {
  readonly network: Network;
  readonly evidence: Evidence;
  readonly key: PublicKeyPackage;
  readonly items: readonly SignItem[];
  readonly signal: AbortSignal;
  /** Absolute, on the network's clock. */
  readonly endsAt: number;
}

/** How an attempt failed, and what that shows about its parties. */
export interface Failure {
  readonly error: unknown;
  readonly verdict: Verdict;
}

type Partials = ReadonlyMap<PartyIndex, readonly SchnorrPartial[]>;

/** Runs one signing session with one quorum: a new session id and new nonces, nothing carried over (architecture 2, step 8). */
export async function runAttempt(
  request: ApprovedRequest,
  attempt: number,
  parties: readonly PartyIndex[],
): Promise<{ signatures: readonly Signature[] } | Failure> {
  const { network, evidence, items } = request;
  const sessionId = network.rng(32);
  const session: Session = { sessionId, attempt, parties, ...sessionHeads(network.authority, evidence.orgId) };
  const done = network.countSession(parties);
  const collected = await collectPartials(request, session).finally(done);
  if (!(collected instanceof Map)) return collected;
  try {
    const digest = digestOf(request, session);
    return {
      signatures: items.map((item, place) => combineItem(request, { session, digest }, item, place, collected)),
    };
  } catch (error) {
    if (!(error instanceof ProtocolAbort)) throw error;
    // Culprits are convicted by evidence that convinces anyone, suspects by their own reply to us.
    return { error, verdict: { faulty: error.suspects, accused: [], excluded: error.culprits } };
  }
}

async function collectPartials(
  request: ApprovedRequest,
  session: Session,
): Promise<Map<PartyIndex, readonly SchnorrPartial[]> | Failure> {
  const { network, evidence, items, signal, endsAt } = request;
  const deadlineMs = Math.min(ATTEMPT_MS, endsAt - network.now());
  const hopeless = new AbortController();
  using deadline = startDeadline(network.clock, deadlineMs);
  const ended = AbortSignal.any([signal, hopeless.signal, deadline.signal]);
  const wire = { session: sessionToWire(session), evidence: evidenceToWire(evidence) };
  const startedAt = network.now();
  const failures = new Map<PartyIndex, PartyFailure>();
  const partials = await Promise.all(
    session.parties.map(async (party) => {
      try {
        const { partials } = await signerOf(network, party).sign(wire, { signal: ended, deadlineMs });
        if (partials.length !== items.length) throw new Error(`Node ${party} returned ${partials.length} partials.`);
        return [party, partials.map(partialFromWire)] as const;
      } catch (error) {
        // A call that runs into our own deadline was silent; one that ends because we gave up says nothing.
        const wasEnded = signal.aborted || hopeless.signal.aborted;
        const failure = { error, afterMs: network.now() - startedAt, wasEnded };
        failures.set(party, failure);
        // Nothing can come of the session any more, and the others are released. Only when a party says that a peer stayed silent
        // until the end, the short rest of the time shows whether that peer answers us.
        if (!isLate(failure, deadlineMs)) hopeless.abort();
        return undefined;
      }
    }),
  );
  if (failures.size > 0) return { error: causeOf(failures), verdict: judgeFailures(failures, deadlineMs) };
  return new Map(partials.filter((partial) => partial !== undefined));
}

/** The digest that every party of the session must have signed under. */
function digestOf({ network, evidence, key }: ApprovedRequest, session: Session): Uint8Array {
  const { deploymentId } = network.descriptor;
  const { keyId, epoch } = key;
  return sessionDigest({
    ...session,
    purpose: "sign",
    deploymentId,
    keyId,
    epoch,
    evidenceHash: evidenceHash(evidence),
  });
}

function combineItem(
  { network, key }: ApprovedRequest,
  { session, digest }: { readonly session: Session; readonly digest: Uint8Array },
  item: SignItem,
  itemIndex: number,
  partials: Partials,
): Signature {
  const { openSignedMessage, verifyIdentity } = network;
  const own = [...partials].flatMap(([party, list]) => {
    const partial = list[itemIndex];
    return partial === undefined ? [] : [[party, partial] as const];
  });
  return combineSchnorr({
    publicKey: key,
    item,
    itemIndex,
    sessionId: session.sessionId,
    sessionDigest: digest,
    parties: session.parties,
    partials: new Map(own),
    openSignedMessage,
    verifyIdentity,
  });
}
