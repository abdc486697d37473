import { type Evidence, evidenceHash, sessionHeads } from "@countersign/authority";
import { CountersignError } from "@countersign/errors";
import type { SignItem } from "@countersign/intent";
import { deadlineSignal } from "@countersign/mesh";
import {
  combineSchnorr,
  type PartyIndex,
  ProtocolAbort,
  type PublicKeyPackage,
  type SchnorrPartial,
  sessionDigest,
} from "@countersign/threshold";
import { evidenceToWire, partialFromWire, type Session, sessionToWire } from "@countersign/wire";
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

/** How an attempt failed: who is to be tried last, and who not at all. */
export interface Failure {
  readonly error: unknown;
  readonly strikes: readonly PartyIndex[];
  readonly excluded: readonly PartyIndex[];
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
    return { error, strikes: parties, excluded: error.culprits };
  }
}

async function collectPartials(
  request: ApprovedRequest,
  session: Session,
): Promise<Map<PartyIndex, readonly SchnorrPartial[]> | Failure> {
  const { network, evidence, items, signal, endsAt } = request;
  const deadlineMs = Math.min(ATTEMPT_MS, endsAt - network.now());
  const hopeless = new AbortController();
  const ended = AbortSignal.any([signal, hopeless.signal, deadlineSignal(network.clock, deadlineMs)]);
  const wire = { session: sessionToWire(session), evidence: evidenceToWire(evidence) };
  const failures = new Map<PartyIndex, unknown>();
  const partials = await Promise.all(
    session.parties.map(async (party) => {
      try {
        const { partials } = await signerOf(network, party).sign(wire, { signal: ended, deadlineMs });
        if (partials.length !== items.length) throw new Error(`Node ${party} returned ${partials.length} partials.`);
        return [party, partials.map(partialFromWire)] as const;
      } catch (error) {
        failures.set(party, error);
        // Without this party nothing can come of the session; the others are released at once.
        hopeless.abort();
        return undefined;
      }
    }),
  );
  return failures.size > 0 ? judge(failures) : new Map(partials.filter((partial) => partial !== undefined));
}

/**
 * Reads the failures in the order they came: the first is the cause, later ones mostly its consequence. A node's word about another
 * node is a hint, never a verdict: only evidence that `combineSchnorr` checked excludes a third party.
 */
function judge(failures: ReadonlyMap<PartyIndex, unknown>): Failure {
  const strikes = new Set<PartyIndex>();
  const excluded = new Set<PartyIndex>();
  const [first] = failures;
  for (const [party, error] of failures) {
    if (!(error instanceof CountersignError)) excluded.add(party);
    else if (error.kind === "refusal") excluded.add(party);
    else if (error.code === "session_deadline") for (const silent of namedParties(error, "silent")) strikes.add(silent);
    else if (error.code !== "rpc_cancelled" && error.code !== "session_cancelled") strikes.add(party);
  }
  const refusal = [...failures.values()].find((error) => error instanceof CountersignError && error.kind === "refusal");
  return { error: refusal ?? first?.[1], strikes: [...strikes], excluded: [...excluded] };
}

function namedParties(error: CountersignError, field: string): number[] {
  const named = error.details[field];
  return Array.isArray(named) ? named.filter((party) => typeof party === "number") : [];
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
