import assert from "node:assert/strict";
import { equalBytes, hex } from "@countersign/bytes";
import type { Delivery, MessageFacts, PartyIndex, Rng, SignedMessage } from "@countersign/threshold";
import type { Channel } from "../channel/channel.ts";
import type { PeerChannels } from "../channel/peer-channels.ts";
import type { DropReason, MeshCounters } from "../counters.ts";
import { SessionInbox } from "../delivery/inbox.ts";
import { decodeEnvelope, decodeSignedBody, ENVELOPE_BYTES_MAX, sealEnvelope } from "../envelope.ts";
import { decodeHeader, messageStatement, signMessage } from "../header.ts";
import type { NodeIdentity, PeerIdentity } from "../identity.ts";

/** What a session is, from the caller of `openSession`. */
export interface SessionOptions {
  /** 32 bytes, never used before. */
  readonly sessionId: Uint8Array;
  /** Everything this party holds true about the session, 32 bytes. */
  readonly sessionDigest: Uint8Array;
  /** Strictly ascending, this node included. */
  readonly parties: readonly PartyIndex[];
  /** Longest body of each round by name, at most `BODY_BYTES_MAX`; other rounds do not exist. */
  readonly rounds: Readonly<Record<string, number>>;
  /** Bounds every wait of the session: a timeout becomes `session_deadline`, anything else `session_cancelled`. */
  readonly signal: AbortSignal;
}

/** Another party of a session. */
export interface SessionPeer {
  readonly index: PartyIndex;
  readonly identity: PeerIdentity;
  readonly channels: PeerChannels;
  /** Publishes on the subject of a session, named by its id in hex. */
  readonly publish: (session: string, envelope: Uint8Array) => void;
}

/** What the mesh lends to each of its sessions. */
export interface SessionContext {
  readonly deploymentId: string;
  readonly self: PartyIndex;
  readonly identity: NodeIdentity;
  readonly rng: Rng;
  readonly counters: MeshCounters;
  /** The other parties. */
  readonly peers: ReadonlyMap<PartyIndex, SessionPeer>;
  readonly onClose: () => void;
}

/** A session's `Delivery` over the mesh. Close it when the protocol function has ended, however it ended. */
export class MeshSession implements Delivery {
  readonly self: PartyIndex;
  readonly parties: readonly PartyIndex[];
  /** Session id in hex, as it stands in subjects. */
  readonly name: string;
  readonly #options: SessionOptions;
  readonly #context: SessionContext;
  readonly #inbox: SessionInbox;
  readonly #channels = new Set<Channel>();
  /** Everything sent, one message per round and receiver at most: what a lost channel swallowed is sealed again under the next. */
  readonly #sent: { readonly peer: SessionPeer; readonly message: SignedMessage }[] = [];
  #isClosed = false;

  constructor(options: SessionOptions, context: SessionContext) {
    const { parties, sessionDigest, rounds, signal } = options;
    this.self = context.self;
    this.parties = parties;
    this.name = hex(options.sessionId);
    this.#options = options;
    this.#context = context;
    this.#inbox = new SessionInbox({ self: context.self, parties, sessionDigest, rounds, signal });
  }

  async send(round: string, to: PartyIndex | "all", body: Uint8Array): Promise<SignedMessage> {
    this.#inbox.ended.throwIfAborted();
    const { sessionId, sessionDigest, rounds } = this.#options;
    assert(body.length <= (rounds[round] ?? -1), `${body.length} bytes are too many for round "${round}".`);
    const { deploymentId, identity, peers, self } = this.#context;
    const facts: MessageFacts = { sessionId, sessionDigest, round, from: self, to: to === "all" ? 0 : to };
    const message = signMessage(identity, deploymentId, facts, body);
    const receivers = to === "all" ? peers.values() : [peers.get(to)];
    const waits: Promise<void>[] = [];
    for (const peer of receivers) {
      assert(peer !== undefined, `Party ${to} is no other party of this session.`);
      const channel = peer.channels.current;
      if (channel === undefined) waits.push(this.#publishWhenReady(peer, message));
      else this.#publishFirst(peer, channel, message);
    }
    if (waits.length > 0) await Promise.all(waits);
    return message;
  }

  /**
   * A channel with this peer was made. The peer may never have been able to open what was sealed under the one before (a restart, or a
   * handshake that only one end finished): the same signed messages go out again, and an inbox that has them ignores them.
   */
  channelMade(party: PartyIndex): void {
    if (this.#inbox.ended.aborted) return;
    for (const { peer, message } of this.#sent) {
      const channel = peer.index === party ? peer.channels.current : undefined;
      if (channel !== undefined) this.#publish(peer, channel, message);
    }
  }

  complete(round: string): Promise<ReadonlyMap<PartyIndex, SignedMessage>> {
    return this.#inbox.complete(round);
  }

  /** Ends the session and wipes its keys; what still arrives for it is dropped. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#inbox.close();
    for (const channel of this.#channels) channel.forget(this.name);
    this.#context.onClose();
  }

  /** Ends the session with an error of the mesh: shutdown, or a bus that is gone. */
  fail(error: unknown): void {
    this.#inbox.fail(error);
  }

  /**
   * Judges an envelope that arrived on this session's subject. Returns `wait` when its channel still awaits its confirmation;
   * otherwise it was accepted, or dropped and counted without any other effect.
   */
  receive(from: PartyIndex, bytes: Uint8Array): "done" | "wait" {
    const { counters, peers } = this.#context;
    const peer = peers.get(from);
    const outcome = peer === undefined ? "sender_not_party" : this.#open(peer, bytes);
    if (outcome === "wait") return "wait";
    if (typeof outcome === "string") {
      counters.drop(outcome);
      // The peer seals under a channel that this process does not have, while a session waits for it: make a common one.
      if (outcome === "channel_unknown") peer?.channels.reconcile();
      return "done";
    }
    counters.envelopesAccepted++;
    this.#inbox.accept(outcome.facts, outcome.message);
    return "done";
  }

  #open(peer: SessionPeer, bytes: Uint8Array): { facts: MessageFacts; message: SignedMessage } | DropReason | "wait" {
    if (this.#inbox.ended.aborted) return "session_over";
    if (bytes.length > ENVELOPE_BYTES_MAX) return "envelope_oversized";
    const envelope = decodeEnvelope(bytes);
    if (envelope === undefined) return "envelope_malformed";
    const facts = decodeHeader(envelope.header);
    if (facts === undefined) return "header_malformed";
    if (facts.from !== peer.index || !equalBytes(facts.sessionId, this.#options.sessionId)) return "header_misplaced";
    if (facts.to !== 0 && facts.to !== this.self) return "header_misplaced";
    const channel = peer.channels.find(envelope.channelId);
    if (channel === undefined) return peer.channels.isPending(envelope.channelId) ? "wait" : "channel_unknown";
    this.#channels.add(channel);
    const plain = channel.open(this.name, envelope.header, envelope.nonce, envelope.sealed);
    if (plain === undefined) return "seal_broken";
    const message = decodeSignedBody(envelope.header, plain);
    if (message === undefined) return "body_malformed";
    if (this.#inbox.isRepeated(facts, message)) return "repeated";
    const statement = messageStatement(this.#context.deploymentId, message.header, message.body);
    return peer.identity.verify(statement, message.signature) ? { facts, message } : "signature_invalid";
  }

  async #publishWhenReady(peer: SessionPeer, message: SignedMessage): Promise<void> {
    const reached = this.#inbox.reach(peer.index);
    try {
      const channel = await peer.channels.ready(this.#inbox.ended);
      this.#inbox.ended.throwIfAborted();
      this.#publishFirst(peer, channel, message);
    } finally {
      reached();
    }
  }

  #publishFirst(peer: SessionPeer, channel: Channel, message: SignedMessage): void {
    this.#sent.push({ peer, message });
    this.#publish(peer, channel, message);
  }

  #publish(peer: SessionPeer, channel: Channel, message: SignedMessage): void {
    this.#channels.add(channel);
    peer.publish(this.name, sealEnvelope(channel, this.name, message, this.#context.rng));
    this.#context.counters.envelopesSent++;
  }
}
