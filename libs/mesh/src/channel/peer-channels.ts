import { equalBytes, hex } from "@countersign/bytes";
import type { ChannelAnswer, ChannelConfirmation, ChannelOffer } from "@countersign/proto/mesh";
import type { Clock } from "../clock.ts";
import type { MeshCounters } from "../counters.ts";
import { RateLimit } from "../rate-limit.ts";
import type { Channel } from "./channel.ts";
import {
  acceptAnswer,
  acceptConfirmation,
  answerOffer,
  type ChannelEnds,
  decodeChannelMessage,
  makeOffer,
  type OutstandingOffer,
  type PendingAnswer,
} from "./handshake.ts";

/** A channel's life before it is renewed: what an intruder in RAM learns reaches back no further. */
export const CHANNEL_RENEW_MS = 3_600_000;
/** The node with the higher index renews only when the other one did not, so that their offers do not cross every hour. */
const RENEW_GRACE_MS = 30_000;
/** How long a replaced channel still opens what was sealed before the peer learned of the new one. */
export const CHANNEL_RETIRE_MS = 60_000;
/** Current and retiring channels with one peer; a peer that renews faster loses its oldest. */
const CHANNELS_MAX = 4;
/** A handshake takes one and a half round trips; over the worst link between regions that is a second. */
export const HANDSHAKE_DEADLINE_MS = 5_000;
/** First retransmission, doubled each time: longer than a round trip between distant regions. */
const RETRY_FIRST_MS = 250;
/** Answers that wait for their confirmation. More than one, because offers are unsigned and anybody on the bus can invent some. */
const PENDING_MAX = 4;
/** Repeated confirmations per channel: the responder repeats its answer at most this often. */
const CONFIRMATIONS_MAX = 5;
/** Handshake messages per peer that may cost a public-key operation each. */
const HANDSHAKE_LIMIT = { burst: 32, perSecond: 8 };
/** Renewals because a peer seals under a channel that is unknown here: rare, and recorded traffic must not cause more. */
const RECONCILE_LIMIT = { burst: 1, perSecond: 0.1 };
/** Longest handshake message; an answer takes 185 bytes. */
const HANDSHAKE_BYTES_MAX = 512;

export interface PeerChannelsOptions {
  readonly ends: ChannelEnds;
  readonly clock: Clock;
  readonly counters: MeshCounters;
  readonly publish: (message: Uint8Array) => void;
  /** Called when a channel became the current one. */
  readonly onMade: () => void;
}

interface Waiter {
  readonly resolve: (channel: Channel) => void;
}

/**
 * The channels with one peer: one that seals, and those that still open (architecture 7). Three messages make one: offer, answer,
 * confirmation; each end trusts it once it verified the other's signature over fresh keys of both. An unsigned offer changes
 * nothing but a bounded list of pending answers.
 *
 * Both ends may offer at once. The lower index has priority: while its own offer is out it ignores the peer's, and it sends no
 * offer while a pending answer of its own may still be confirmed; a made channel ends every handshake under way. So both ends
 * make the same channels in the same order and agree which is the newest.
 */
export class PeerChannels {
  readonly #options: PeerChannelsOptions;
  readonly #limit: RateLimit;
  readonly #reconcileLimit: RateLimit;
  readonly #hasPriority: boolean;
  readonly #waiters = new Set<Waiter>();
  readonly #retiring = new Map<string, { channel: Channel; cancel: () => void }>();
  readonly #pending = new Map<string, { answer: PendingAnswer; cancel: () => void }>();
  #current: Channel | undefined;
  #outstanding: { offer: OutstandingOffer; cancel: () => void } | undefined;
  #confirmed: { answer: Uint8Array; confirmation: Uint8Array; left: number } | undefined;
  #cancelRenewal = (): void => {};
  #closed = false;

  constructor(options: PeerChannelsOptions) {
    this.#options = options;
    this.#limit = new RateLimit(options.clock, HANDSHAKE_LIMIT);
    this.#reconcileLimit = new RateLimit(options.clock, RECONCILE_LIMIT);
    this.#hasPriority = options.ends.self.index < options.ends.peer.index;
  }

  /** The channel that seals; undefined until the first is made. */
  get current(): Channel | undefined {
    return this.#current;
  }

  /** A channel that opens, by its id. */
  find(id: Uint8Array): Channel | undefined {
    const name = hex(id);
    return this.#current?.name === name ? this.#current : this.#retiring.get(name)?.channel;
  }

  /** Whether this id belongs to a channel whose confirmation may still arrive. */
  isPending(id: Uint8Array): boolean {
    return this.#pending.has(hex(id));
  }

  /** Resolves with the current channel, making one if there is none; rejects with the signal's reason. */
  ready(signal: AbortSignal): Promise<Channel> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#current !== undefined) return Promise.resolve(this.#current);
    const { promise, resolve, reject } = Promise.withResolvers<Channel>();
    const waiter = { resolve };
    const onAbort = () => {
      this.#waiters.delete(waiter);
      reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    this.#waiters.add(waiter);
    this.ensure();
    return promise.finally(() => signal.removeEventListener("abort", onAbort));
  }

  /** Starts a handshake unless there is a channel or one under way. */
  ensure(): void {
    if (this.#current === undefined) this.renew();
  }

  /** Starts a handshake for a fresh channel unless one is under way. */
  renew(): void {
    if (this.#closed || this.#outstanding !== undefined) return;
    if (this.#hasPriority && this.#pending.size > 0) return;
    const offer = makeOffer(this.#options.ends);
    const cancel = this.#repeat(offer.message, () => this.#giveUp());
    this.#outstanding = { offer, cancel };
  }

  /** The two ends disagree on their channels: makes a fresh one, at most once in a while. */
  reconcile(): void {
    if (this.#reconcileLimit.take()) this.renew();
  }

  /** The peer proved to run under this boot id: channels with an earlier process of it are useless. */
  peerBooted(bootId: Uint8Array): void {
    for (const { channel } of [...this.#retiring.values()])
      if (!equalBytes(channel.peerBootId, bootId)) this.#wipeRetiring(channel.name);
    if (this.#current !== undefined && !equalBytes(this.#current.peerBootId, bootId)) {
      this.#current.wipe();
      this.#current = undefined;
    }
    this.ensure();
  }

  /** Takes a message of the channel subject; whatever does not belong to a handshake of ours is counted and dropped. */
  receive(bytes: Uint8Array): void {
    const { counters } = this.#options;
    const message = bytes.length <= HANDSHAKE_BYTES_MAX ? decodeChannelMessage(bytes) : undefined;
    switch (message?.case) {
      case "offer":
        this.#onOffer(message.value);
        break;
      case "answer":
        this.#onAnswer(message.value, bytes);
        break;
      case "confirmation":
        this.#onConfirmation(message.value);
        break;
      default:
        counters.drop("handshake_malformed");
    }
  }

  /** Wipes every key; what waits for a channel is the caller's to end. */
  close(): void {
    this.#closed = true;
    this.#endHandshakes();
    this.#cancelRenewal();
    for (const name of [...this.#retiring.keys()]) this.#wipeRetiring(name);
    this.#current?.wipe();
    this.#current = undefined;
    this.#waiters.clear();
  }

  #onOffer(offer: ChannelOffer): void {
    const { ends, counters, publish } = this.#options;
    if (!this.#limit.take()) {
      counters.drop("handshake_limited");
      return;
    }
    if (this.#hasPriority && this.#outstanding !== undefined) {
      counters.drop("handshake_crossed");
      // The peer is alive, perhaps only since our offer was lost: it should not have to wait for the next repetition.
      publish(this.#outstanding.offer.message);
      return;
    }
    for (const { answer } of this.#pending.values()) {
      if (equalBytes(answer.offer.a, offer.a) && equalBytes(answer.offer.bootId, offer.bootId)) {
        publish(answer.message);
        return;
      }
    }
    const answer = answerOffer(ends, offer);
    if (answer === undefined) {
      counters.drop("handshake_refused");
      return;
    }
    const [oldest] = this.#pending.keys();
    if (oldest !== undefined && this.#pending.size >= PENDING_MAX) this.#dropPending(oldest);
    const cancel = this.#repeat(answer.message, () => {
      this.#dropPending(answer.name);
      if (this.#waiters.size > 0) this.ensure();
    });
    this.#pending.set(answer.name, { answer, cancel });
  }

  #onAnswer(answer: ChannelAnswer, bytes: Uint8Array): void {
    const { ends, counters, publish } = this.#options;
    if (this.#confirmed !== undefined && equalBytes(this.#confirmed.answer, bytes)) {
      // The responder repeats its answer because our confirmation was lost.
      if (this.#confirmed.left-- > 0) publish(this.#confirmed.confirmation);
      else counters.drop("handshake_limited");
      return;
    }
    if (this.#outstanding === undefined) {
      counters.drop("handshake_refused");
      return;
    }
    if (!this.#limit.take()) {
      counters.drop("handshake_limited");
      return;
    }
    const accepted = acceptAnswer(ends, this.#outstanding.offer, answer);
    if (accepted === undefined) {
      counters.drop("handshake_refused");
      return;
    }
    const { channel, confirmation } = accepted;
    this.#confirmed = { answer: bytes.slice(), confirmation, left: CONFIRMATIONS_MAX };
    // Before anything is sealed under the channel: the responder opens nothing until it has the confirmation.
    publish(confirmation);
    this.#made(channel);
  }

  #onConfirmation(confirmation: ChannelConfirmation): void {
    const { ends, counters } = this.#options;
    const pending = this.#pending.get(hex(confirmation.channelId));
    if (pending === undefined) {
      counters.drop("handshake_refused");
      return;
    }
    if (!this.#limit.take()) {
      counters.drop("handshake_limited");
      return;
    }
    const channel = acceptConfirmation(ends, pending.answer, confirmation);
    if (channel === undefined) {
      counters.drop("handshake_refused");
      return;
    }
    pending.cancel();
    this.#pending.delete(channel.name);
    this.#made(channel);
  }

  #made(channel: Channel): void {
    this.#endHandshakes();
    this.#retireCurrent();
    this.#current = channel;
    this.#options.counters.channelsMade++;
    this.#cancelRenewal();
    const delayMs = this.#hasPriority ? CHANNEL_RENEW_MS : CHANNEL_RENEW_MS + RENEW_GRACE_MS;
    this.#cancelRenewal = this.#options.clock.setTimer(delayMs, () => this.renew());
    for (const waiter of this.#waiters) waiter.resolve(channel);
    this.#waiters.clear();
    this.#options.onMade();
  }

  /** The peer does not answer: what the channel may still protect is not worth keeping its key. */
  #giveUp(): void {
    this.#dropOutstanding();
    this.#retireCurrent();
    if (this.#waiters.size > 0) this.ensure();
  }

  #retireCurrent(): void {
    const channel = this.#current;
    if (channel === undefined) return;
    this.#current = undefined;
    const [oldest] = this.#retiring.keys();
    if (oldest !== undefined && this.#retiring.size >= CHANNELS_MAX - 1) this.#wipeRetiring(oldest);
    const cancel = this.#options.clock.setTimer(CHANNEL_RETIRE_MS, () => this.#wipeRetiring(channel.name));
    this.#retiring.set(channel.name, { channel, cancel });
  }

  #wipeRetiring(name: string): void {
    const retiring = this.#retiring.get(name);
    if (retiring === undefined) return;
    retiring.cancel();
    retiring.channel.wipe();
    this.#retiring.delete(name);
  }

  #endHandshakes(): void {
    this.#dropOutstanding();
    for (const name of [...this.#pending.keys()]) this.#dropPending(name);
  }

  #dropOutstanding(): void {
    this.#outstanding?.cancel();
    this.#outstanding?.offer.secret.wipe();
    this.#outstanding = undefined;
  }

  #dropPending(name: string): void {
    const pending = this.#pending.get(name);
    if (pending === undefined) return;
    pending.cancel();
    pending.answer.key.wipe();
    this.#pending.delete(name);
  }

  /** Publishes now and again with doubled pauses until cancelled or until the handshake's deadline. */
  #repeat(message: Uint8Array, onDeadline: () => void): () => void {
    const { clock, publish } = this.#options;
    let pauseMs = RETRY_FIRST_MS;
    const again = (): void => {
      publish(message);
      cancelNext = clock.setTimer(pauseMs, again);
      pauseMs *= 2;
    };
    let cancelNext = (): void => {};
    again();
    const cancelDeadline = clock.setTimer(HANDSHAKE_DEADLINE_MS, () => {
      cancelNext();
      onDeadline();
    });
    return () => {
      cancelNext();
      cancelDeadline();
    };
  }
}
