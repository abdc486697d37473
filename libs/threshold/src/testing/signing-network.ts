import { createHash, randomBytes } from "node:crypto";
import { Secret } from "@countersign/bytes";
import { decodeHeader, inProcessDeliveries, messageStatement, NodeIdentity, PeerIdentity } from "@countersign/mesh";
import type {
  Delivery,
  MessageFacts,
  OpenSignedMessage,
  PartyIndex,
  Rng,
  SignedMessage,
  VerifyIdentity,
} from "../delivery.ts";
import { combineSchnorr, type SchnorrSignature } from "../schnorr/combine.ts";
import type { CombineOptions } from "../schnorr/combine-options.ts";
import { schnorrRounds } from "../schnorr/commitments.ts";
import type { SchnorrPartial } from "../schnorr/partial.ts";
import { type SignOptions, signSchnorr } from "../schnorr/sign.ts";
import type { SchnorrItem } from "../schnorr/signing-key.ts";
import type { SplitKey } from "./split-key.ts";

/** The deployment all test parties belong to. */
export const DEPLOYMENT = "test-deployment";
/** Everything runs in this process; a wait this long is a deadlock. */
const DEADLINE_MS = 20_000;

/** Identities of n parties, and what others know of them. */
export interface Parties {
  readonly identities: ReadonlyMap<PartyIndex, NodeIdentity>;
  readonly openSignedMessage: OpenSignedMessage;
  readonly verifyIdentity: VerifyIdentity;
}

/** Fresh identities for parties 1..n. */
export function makeParties(partyCount: number): Parties {
  const identities = new Map(
    Array.from({ length: partyCount }, (_, index) => [
      index + 1,
      new NodeIdentity(new Secret(new Uint8Array(randomBytes(32)))),
    ]),
  );
  const peers = new Map([...identities].map(([party, { publicKey }]) => [party, new PeerIdentity(publicKey)]));
  const verifyIdentity: VerifyIdentity = (party, statement, signature) =>
    peers.get(party)?.verify(statement, signature) ?? false;
  const openSignedMessage: OpenSignedMessage = ({ header, body, signature }) => {
    const facts = decodeHeader(header);
    const isSigned = facts && verifyIdentity(facts.from, messageStatement(DEPLOYMENT, header, body), signature);
    return isSigned ? facts : undefined;
  };
  return { identities, openSignedMessage, verifyIdentity };
}

/** A signing session among some parties of a split key, with every place where a test may cheat. */
export interface SigningSession {
  readonly key: SplitKey;
  readonly parties: Parties;
  readonly quorum: readonly PartyIndex[];
  readonly items: readonly SchnorrItem[];
  readonly sessionId: Uint8Array;
  readonly sessionDigest: Uint8Array;
  readonly rng: Rng;
}

/** A session over fresh ids. */
export function openSession(
  options: Pick<SigningSession, "key" | "quorum"> & Partial<SigningSession> & { readonly message?: Uint8Array },
): SigningSession {
  const { key, message = new Uint8Array(32).fill(7) } = options;
  const sessionId = new Uint8Array(randomBytes(32));
  return {
    parties: makeParties(key.public.partyCount),
    items: [{ message }],
    sessionId,
    sessionDigest: new Uint8Array(createHash("sha256").update("digest").update(sessionId).digest()),
    rng: (size) => new Uint8Array(randomBytes(size)),
    ...options,
  };
}

/** What a test may change on the way. */
export interface Cheats {
  /** Looks at or replaces messages on their way. */
  readonly tap?: (message: SignedMessage, facts: MessageFacts, receiver: PartyIndex) => SignedMessage | undefined;
  /** Replaces a party's delivery. */
  readonly delivery?: (party: PartyIndex, delivery: Delivery) => Delivery;
  /** Replaces a party's options. */
  readonly options?: (party: PartyIndex, options: SignOptions) => SignOptions;
}

/** Runs every party; resolves with each one's outcome. */
export async function runParties(
  session: SigningSession,
  cheats: Cheats = {},
): Promise<ReadonlyMap<PartyIndex, PromiseSettledResult<readonly SchnorrPartial[]>>> {
  const { key, parties, quorum, items, sessionId, sessionDigest, rng } = session;
  const deliveries = inProcessDeliveries({
    deploymentId: DEPLOYMENT,
    sessionId,
    sessionDigest,
    rounds: schnorrRounds(items.length),
    identities: new Map(quorum.map((party) => [party, identityOf(parties, party)])),
    signal: AbortSignal.timeout(DEADLINE_MS),
    ...(cheats.tap && { tap: cheats.tap }),
  });
  const runs = quorum.map((party) => {
    const delivery = deliveries.get(party);
    const share = key.shares[party - 1];
    if (delivery === undefined || share === undefined) throw new Error(`No party ${party}.`);
    const options: SignOptions = { share, items, sessionDigest, identity: identityOf(parties, party), rng };
    return signSchnorr(cheats.delivery?.(party, delivery) ?? delivery, cheats.options?.(party, options) ?? options);
  });
  const outcomes = await Promise.allSettled(runs);
  return new Map(outcomes.map((outcome, place) => [quorum[place] ?? 0, outcome]));
}

/** Runs every party and gives each one's partial of an item; throws what the first failing party threw. */
export async function partialsOf(
  session: SigningSession,
  cheats: Cheats = {},
  itemIndex = 0,
): Promise<Map<PartyIndex, SchnorrPartial>> {
  const partials = new Map<PartyIndex, SchnorrPartial>();
  for (const [party, outcome] of await runParties(session, cheats)) {
    if (outcome.status === "rejected") throw outcome.reason;
    const partial = outcome.value[itemIndex];
    if (partial !== undefined) partials.set(party, partial);
  }
  return partials;
}

/** What the session's orchestrator hands to `combineSchnorr`. */
export function combination(
  session: SigningSession,
  partials: ReadonlyMap<PartyIndex, SchnorrPartial>,
  itemIndex = 0,
): CombineOptions {
  const { key, parties, quorum, items, sessionId, sessionDigest } = session;
  const item = items[itemIndex];
  if (item === undefined) throw new Error(`No item ${itemIndex}.`);
  const { openSignedMessage, verifyIdentity } = parties;
  const publicKey = key.public;
  return {
    publicKey,
    item,
    itemIndex,
    sessionId,
    sessionDigest,
    parties: quorum,
    partials,
    openSignedMessage,
    verifyIdentity,
  };
}

/** Signs and combines the session's first item. */
export async function signAndCombine(session: SigningSession): Promise<SchnorrSignature> {
  return combineSchnorr(combination(session, await partialsOf(session)));
}

/** That party's identity. */
export function identityOf(parties: Parties, party: PartyIndex): NodeIdentity {
  const identity = parties.identities.get(party);
  if (identity === undefined) throw new Error(`No identity ${party}.`);
  return identity;
}
