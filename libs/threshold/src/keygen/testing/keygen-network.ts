import { Secret } from "@countersign/bytes";
import { type IdentityBook, identityBook, inProcessDeliveries, NodeIdentity, signMessage } from "@countersign/mesh";
import type { Delivery, MessageFacts, PartyIndex, Rng, SignedMessage } from "../../delivery.ts";
import type { KeyShare, SuiteName } from "../../key-share.ts";
import { systemRng } from "../../testing/system-rng.ts";
import { T } from "../../transcript.ts";
import { type GeneratedKey, generateKey, type KeygenOptions } from "../generate-key.ts";
import type { LinkClaims } from "../link-confirmation.ts";
import { type KeygenRound, keygenRounds } from "../rounds.ts";
import { type KeygenSession, type KeygenTerms, keygenSession, keygenSessionDigest } from "../terms.ts";

const DEPLOYMENT = "test-deployment";

/** n parties about to generate a key. */
export interface KeygenNetwork {
  readonly terms: KeygenTerms;
  readonly identities: ReadonlyMap<PartyIndex, NodeIdentity>;
  readonly book: IdentityBook;
  /** The session as a judge sees it. */
  readonly session: KeygenSession;
  /** What each party knows of its links. */
  readonly links: ReadonlyMap<PartyIndex, LinkClaims>;
}

/** Fresh identities and a fresh session id. */
export function keygenNetwork(options: {
  readonly threshold: number;
  readonly partyCount: number;
  readonly suite?: SuiteName;
}): KeygenNetwork {
  const { threshold, partyCount, suite = "FROST-ED25519-SHA512-v1" } = options;
  const identities = new Map(
    Array.from({ length: partyCount }, (_, k) => [k + 1, new NodeIdentity(new Secret(systemRng(32)))] as const),
  );
  const members = [...identities].map(([index, { publicKey }]) => ({ index, identityKey: publicKey }));
  const terms: KeygenTerms = {
    deploymentId: DEPLOYMENT,
    suite,
    keyId: "key-00000-00000-0000000000000000",
    epoch: 0,
    threshold,
    sessionId: systemRng(32),
    members,
  };
  const book = identityBook(
    DEPLOYMENT,
    members.map(({ index, identityKey }) => ({ index, publicKey: identityKey })),
  );
  return { terms, identities, book, session: keygenSession({ ...terms, ...book }), links: linksAmong(partyCount) };
}

/** Fingerprints of a link between each two of n parties. */
function linksAmong(partyCount: number): ReadonlyMap<PartyIndex, LinkClaims> {
  const parties = Array.from({ length: partyCount }, (_, k) => k + 1);
  const print = (receiver: PartyIndex, sender: PartyIndex) => T("test-link", `${receiver}<-${sender}`);
  const claims = (self: PartyIndex) =>
    parties.flatMap((peer) =>
      peer === self ? [] : [[peer, { receiving: print(self, peer), sending: print(peer, self) }] as const],
    );
  return new Map(parties.map((self) => [self, new Map(claims(self))] as const));
}

/** Where a test may interfere. */
export interface Interference {
  /** Looks at or replaces each message on its way to one receiver; undefined loses it. */
  readonly tap?: (message: SignedMessage, facts: MessageFacts, receiver: PartyIndex) => SignedMessage | undefined;
  readonly options?: (party: PartyIndex, options: KeygenOptions) => KeygenOptions;
  readonly delivery?: (party: PartyIndex, delivery: Delivery) => Delivery;
  readonly rng?: (party: PartyIndex) => Rng;
}

/** How a party's run ended. */
export interface Outcome {
  readonly key?: GeneratedKey;
  readonly error?: unknown;
  /** Whether the share was staged. */
  readonly staged: boolean;
  /** The share that was staged; its secret is wiped when generation failed afterwards. */
  readonly stagedShare?: KeyShare;
}

/**
 * Runs all parties to their ends. Messages travel in microtasks, so that once the event loop turns with parties still waiting,
 * what they wait for never comes: that is when the deadline passes.
 */
export async function runKeygen(
  network: KeygenNetwork,
  interference: Interference = {},
): Promise<ReadonlyMap<PartyIndex, Outcome>> {
  const { terms, identities, book } = network;
  const deadline = new AbortController();
  const deliveries = inProcessDeliveries({
    deploymentId: terms.deploymentId,
    sessionId: terms.sessionId,
    sessionDigest: keygenSessionDigest(terms),
    rounds: keygenRounds(identities.size, terms.threshold),
    identities,
    signal: deadline.signal,
    ...(interference.tap && { tap: interference.tap }),
  });
  const runs = [...identities].map(async ([party, identity]): Promise<[PartyIndex, Outcome]> => {
    const delivery = deliveries.get(party);
    if (delivery === undefined) throw new Error(`No party ${party}.`);
    let stagedShare: KeyShare | undefined;
    const options: KeygenOptions = {
      ...terms,
      ...book,
      identity,
      rng: interference.rng?.(party) ?? systemRng,
      links: network.links.get(party) ?? new Map(),
      stage: async (share) => {
        stagedShare = share;
      },
    };
    const outcome = await generateKey(
      interference.delivery?.(party, delivery) ?? delivery,
      interference.options?.(party, options) ?? options,
    ).then(
      (key) => ({ key }),
      (error: unknown) => ({ error }),
    );
    return [party, { ...outcome, staged: stagedShare !== undefined, ...(stagedShare && { stagedShare }) }];
  });
  const outcomes = Promise.all(runs);
  await new Promise((resolve) => setImmediate(resolve));
  deadline.abort(new DOMException("The test's deadline passed.", "TimeoutError"));
  return new Map(await outcomes);
}

/** What a cheater sends in place of what its code sends; undefined leaves it, `null` loses it. */
export type Forge = (sent: {
  readonly round: KeygenRound;
  readonly to: PartyIndex;
  readonly body: Uint8Array;
}) => Uint8Array | null | undefined;

/** A tap that rewrites one party's messages and signs them again as that party. */
export function cheat(network: KeygenNetwork, cheater: PartyIndex, forge: Forge): NonNullable<Interference["tap"]> {
  return (message, facts, receiver) => {
    if (facts.from !== cheater) return message;
    const forged = forge({ round: facts.round as KeygenRound, to: receiver, body: message.body });
    if (forged === null) return undefined;
    return forged === undefined ? message : signAs(network, facts, forged);
  };
}

/** Signs a body as the party that the facts name. */
export function signAs(network: KeygenNetwork, facts: MessageFacts, body: Uint8Array): SignedMessage {
  return signMessage(identityOf(network, facts.from), network.terms.deploymentId, facts, body);
}

/** Facts of a message of this session. */
export function factsOf(
  network: KeygenNetwork,
  round: KeygenRound,
  from: PartyIndex,
  to: PartyIndex | 0 = 0,
): MessageFacts {
  const { session, terms } = network;
  return { sessionId: terms.sessionId, sessionDigest: session.sessionDigest, round, from, to };
}

/** That party's identity. */
export function identityOf(network: KeygenNetwork, party: PartyIndex): NodeIdentity {
  const identity = network.identities.get(party);
  if (identity === undefined) throw new Error(`No party ${party}.`);
  return identity;
}

/** That party's outcome. */
export function outcomeOf(outcomes: ReadonlyMap<PartyIndex, Outcome>, party: PartyIndex): Outcome {
  const outcome = outcomes.get(party);
  if (outcome === undefined) throw new Error(`No party ${party}.`);
  return outcome;
}
