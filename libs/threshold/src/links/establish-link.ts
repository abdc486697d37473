import { concatBytes, equalBytes, Secret, wipe } from "@countersign/bytes";
import type { Delivery, PartyIndex, Rng, SignedMessage } from "../delivery.ts";
import { SUITE, WORD_SIZE } from "../ecdsa/parameters.ts";
import { TH } from "../ecdsa/transcript.ts";
import { ProtocolAbort, thresholdError } from "../errors.ts";
import type { Pause } from "../steps.ts";
import { answerBaseOts, BASE_OT_BYTES, requestBaseOts } from "./base-ot.ts";
import { fingerprintsAgree, LINK_EPOCH_MAX, Link, type LinkFingerprints } from "./link.ts";

/** Rounds of a link's setup in order (ECDSA specification, section 2.3: L1 to L4), with their exact body sizes. */
export const linkRounds = {
  commit: 2 * WORD_SIZE,
  request: 2 * WORD_SIZE + BASE_OT_BYTES,
  answer: BASE_OT_BYTES,
  confirm: 2 * WORD_SIZE,
} as const satisfies Readonly<Record<string, number>>;

type LinkRound = keyof typeof linkRounds;

/** One end of a link. */
export interface LinkMember {
  readonly nodeId: string;
  /** Pinned identity, 32 bytes. */
  readonly identityKey: Uint8Array;
}

/** What both ends agree on before they start. */
export interface LinkTerms {
  readonly deploymentId: string;
  /** 1 for the first link of two nodes, one more at each renewal; at most 2^32-1. */
  readonly linkEpoch: number;
  readonly self: LinkMember;
  readonly peer: LinkMember;
}

export interface EstablishLinkOptions extends LinkTerms {
  readonly rng: Rng;
  /**
   * Makes the link durable as pending before this end confirms it; rejects when it cannot. The peer may use the link as soon as it has
   * this end's confirmation. The link is wiped when the setup fails afterwards, so what is kept must be a copy.
   */
  readonly stage: (link: Link) => Promise<void>;
  /** Lets the event loop serve others between bursts of a few milliseconds. Default: goes on at once. */
  readonly pause?: Pause;
}

/** A link that both ends confirmed. */
export interface EstablishedLink {
  readonly link: Link;
  /** The peer's signed `confirm` message: whoever holds the pending link may activate it on this. */
  readonly confirmation: SignedMessage;
}

/**
 * Sets up or renews the link of two nodes (ECDSA specification, sections 2.3 and 3.b), both directions at once: fresh base OTs, a
 * zero-share seed to which both ends contributed, and fingerprints of everything sent. One of both ends' calls.
 *
 * Raises `link_setup_failed` for whatever a message got wrong; nobody is blamed or banned, nothing of the setup is used again.
 */
export async function establishLink(delivery: Delivery, options: EstablishLinkOptions): Promise<EstablishedLink> {
  const { rng, stage, pause = async () => {} } = options;
  const ends = endsOf(delivery, options);

  // L1. Neither end can choose its half of the zero-share seed after the other's.
  const own: Contribution = { nonce: rng(WORD_SIZE), half: rng(WORD_SIZE), salt: rng(WORD_SIZE) };
  const ownCommitment = commitmentOf(options, ends.self.nodeId, own);
  await delivery.send("commit", ends.peerIndex, concatBytes(own.nonce, ownCommitment));
  const [peerNonce, peerCommitment] = split(await bodyOf(delivery, ends, "commit"), WORD_SIZE, WORD_SIZE);

  const context = linkContext(options, ends.inOrder(own.nonce, peerNonce));
  const pairSids = {
    receiving: TH("pair", context, ends.self.nodeId, ends.peer.nodeId),
    sending: TH("pair", context, ends.peer.nodeId, ends.self.nodeId),
  };
  const receiver = await requestBaseOts(pairSids.sending, rng, pause);
  let link: Link | undefined;
  try {
    // L2.
    await delivery.send("request", ends.peerIndex, concatBytes(own.half, own.salt, receiver.request));
    const request = await bodyOf(delivery, ends, "request");
    const [peerHalf, peerSalt, peerRequest] = split(request, WORD_SIZE, WORD_SIZE, BASE_OT_BYTES);
    const theirs: Contribution = { nonce: peerNonce, half: peerHalf, salt: peerSalt };
    if (!equalBytes(commitmentOf(options, ends.peer.nodeId, theirs), peerCommitment))
      throw failure("the peer opened another half of the zero-share seed than it had committed to");
    if (equalBytes(peerRequest, receiver.request)) throw failure("the peer sent this end's own request back");

    // L3.
    const { answer, seeds } = await answerBaseOts(pairSids.receiving, peerRequest, rng, pause);
    await delivery.send("answer", ends.peerIndex, answer);
    const peerAnswer = await bodyOf(delivery, ends, "answer");
    const chosen = await receiver.complete(peerAnswer);

    const shared = [...ends.inOrder(ownCommitment, peerCommitment), ...ends.inOrder(own.half, peerHalf)];
    const fingerprints = {
      receiving: fingerprintOf(pairSids.receiving, [...shared, peerRequest, answer]),
      sending: fingerprintOf(pairSids.sending, [...shared, receiver.request, peerAnswer]),
    };
    link = new Link({
      linkEpoch: options.linkEpoch,
      self: ends.self.nodeId,
      peer: ends.peer.nodeId,
      fingerprints,
      pairSids,
      receivingSeeds: new Secret(seeds),
      sendingSeeds: new Secret(chosen),
      nabla: new Secret(new Uint8Array(receiver.nabla)),
      zeroSeed: new Secret(TH("lz", context, ...ends.inOrder(own.half, peerHalf))),
    });

    // L4. Persist before confirming: the peer takes the confirmation as leave to use the link.
    await stage(link);
    await delivery.send("confirm", ends.peerIndex, encodeConfirmation(ends, fingerprints));
    const confirmation = await messageOf(delivery, ends, "confirm");
    if (!confirmsLink(link, confirmation.body)) throw failure("the two ends hold different fingerprints");
    return { link, confirmation };
  } catch (error) {
    link?.wipe();
    if (error instanceof ProtocolAbort && error.code !== "link_setup_failed") throw failure(error.message, error);
    throw error;
  } finally {
    receiver.wipe();
    wipe(own.half, own.salt, receiver.nabla);
  }
}

/**
 * Whether the body of a peer's `confirm` message, whose signature the caller checked, confirms this link. A node that crashed between
 * staging and activation uses it on the message that the peer still holds or sends again.
 */
export function confirmsLink(link: Link, body: Uint8Array): boolean {
  if (body.length !== linkRounds.confirm) return false;
  const [first, second] = split(body, WORD_SIZE, WORD_SIZE);
  // pairFp(A <- B), then pairFp(B <- A), whoever sends it.
  const isFirst = comesFirst(link.self, link.peer);
  return fingerprintsAgree(link.fingerprints, {
    receiving: isFirst ? second : first,
    sending: isFirst ? first : second,
  });
}

/** What one end puts into a link. */
interface Contribution {
  readonly nonce: Uint8Array;
  readonly half: Uint8Array;
  readonly salt: Uint8Array;
}

/** Who is who in a setup. */
interface Ends {
  readonly self: LinkMember;
  readonly peer: LinkMember;
  readonly peerIndex: PartyIndex;
  /** A's value, then B's, where A is the end whose node id comes first. */
  inOrder<T>(own: T, peers: T): readonly [T, T];
}

function endsOf(delivery: Delivery, { self, peer, linkEpoch }: LinkTerms): Ends {
  const refuse = (why: string) => thresholdError("link_terms_invalid", `A link cannot be set up: ${why}.`);
  const [peerIndex, ...more] = delivery.parties.filter((party) => party !== delivery.self);
  if (peerIndex === undefined || more.length > 0 || !delivery.parties.includes(delivery.self))
    throw refuse(`it joins two nodes, the session has ${delivery.parties.length}`);
  if (self.nodeId === peer.nodeId || equalBytes(self.identityKey, peer.identityKey))
    throw refuse("both ends are the same node");
  if (self.identityKey.length !== WORD_SIZE || peer.identityKey.length !== WORD_SIZE)
    throw refuse("an identity key is 32 bytes");
  if (!Number.isInteger(linkEpoch) || linkEpoch < 1 || linkEpoch > LINK_EPOCH_MAX)
    throw refuse(`${linkEpoch} is no link epoch`);
  const isFirst = comesFirst(self.nodeId, peer.nodeId);
  return { self, peer, peerIndex, inOrder: (own, peers) => (isFirst ? [own, peers] : [peers, own]) };
}

/** A < B compares the UTF-8 bytes of node ids. */
function comesFirst(a: string, b: string): boolean {
  return Buffer.compare(Buffer.from(a, "utf8"), Buffer.from(b, "utf8")) < 0;
}

/** linkCtx of section 2.3. */
function linkContext({ deploymentId, linkEpoch, self, peer }: LinkTerms, nonces: readonly Uint8Array[]): Uint8Array {
  const [A, B] = comesFirst(self.nodeId, peer.nodeId) ? [self, peer] : [peer, self];
  return TH("link", SUITE, deploymentId, linkEpoch, A.nodeId, A.identityKey, B.nodeId, B.identityKey, ...nonces);
}

/** hcom = TH("lz-com", suite, deploymentId, linkEpoch, A, B, sender, nonce, half, hsalt). */
function commitmentOf(
  { deploymentId, linkEpoch, self, peer }: LinkTerms,
  sender: string,
  { nonce, half, salt }: Contribution,
): Uint8Array {
  const [A, B] = comesFirst(self.nodeId, peer.nodeId) ? [self, peer] : [peer, self];
  return TH("lz-com", SUITE, deploymentId, linkEpoch, A.nodeId, B.nodeId, sender, nonce, half, salt);
}

/** pairFp = TH("pairfp", pairSid, TH("link-tr", pairSid, both commitments, both halves, OT1, OT2)). */
function fingerprintOf(pairSid: Uint8Array, transcript: readonly Uint8Array[]): Uint8Array {
  return TH("pairfp", pairSid, TH("link-tr", pairSid, ...transcript));
}

function encodeConfirmation(ends: Ends, { receiving, sending }: LinkFingerprints): Uint8Array {
  return concatBytes(...ends.inOrder(receiving, sending));
}

async function bodyOf(delivery: Delivery, ends: Ends, round: LinkRound): Promise<Uint8Array> {
  const { body } = await messageOf(delivery, ends, round);
  if (body.length !== linkRounds[round])
    throw failure(`round "${round}" has ${linkRounds[round]} bytes, the peer sent ${body.length}`);
  return body;
}

async function messageOf(delivery: Delivery, { peerIndex }: Ends, round: LinkRound): Promise<SignedMessage> {
  const message = (await delivery.complete(round)).get(peerIndex);
  if (message === undefined) throw new Error(`The delivery completed round "${round}" without the peer.`);
  return message;
}

/** Cuts a body whose length was checked. */
function split<Sizes extends readonly number[]>(body: Uint8Array, ...sizes: Sizes): { [K in keyof Sizes]: Uint8Array } {
  let offset = 0;
  return sizes.map((size) => {
    offset += size;
    return body.slice(offset - size, offset);
  }) as { [K in keyof Sizes]: Uint8Array };
}

function failure(why: string, cause?: unknown): ProtocolAbort {
  return new ProtocolAbort("link_setup_failed", `A link's setup failed: ${why}.`, { cause });
}
