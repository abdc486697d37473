import { hex, sha256 } from "@countersign/bytes";
import { meshError } from "../errors.ts";
import type { Wire, WireHandler } from "../wire/wire.ts";
import { type SeededRandom, seededRandom } from "./seeded-random.ts";
import { VirtualClock } from "./virtual-clock.ts";

/** What the network does to messages. Rates are probabilities per message and receiver, 0..1. */
export interface NetworkFaults {
  /** Loses the message. Default 0. */
  readonly drop: number;
  /** Delivers it a second time, later. Default 0. */
  readonly duplicate: number;
  /** Lets later messages of the same sender overtake it; all others keep their order, as on NATS. Default 0. */
  readonly reorder: number;
  /** Flips one bit. Default 0. */
  readonly corrupt: number;
  /** Milliseconds on the way, drawn evenly. Default 1..5. */
  readonly delayMs: { readonly min: number; readonly max: number };
}

const CALM: NetworkFaults = { drop: 0, duplicate: 0, reorder: 0, corrupt: 0, delayMs: { min: 1, max: 5 } };
/** How far a reordered or repeated message falls behind, milliseconds: several rounds of a protocol. */
const BEHIND_MS_MAX = 200;

/** One thing that happened to one message on its way to one receiver. */
export interface NetworkEvent {
  /** Virtual milliseconds. */
  readonly at: number;
  readonly what: "delivered" | "dropped" | "cut" | "duplicated" | "reordered" | "corrupted";
  readonly subject: string;
  readonly bytes: Uint8Array;
}

interface Subscription {
  readonly name: string;
  readonly pattern: string;
  readonly handler: WireHandler;
}

/**
 * A bus in one process on a virtual clock, with faults decided by a seed: the same seed and the same code above give the same
 * history. Whatever is unlucky here, a hostile bus could do on purpose.
 */
export class SimulatedNetwork {
  readonly clock = new VirtualClock();
  /** Everything that happened, in order. */
  readonly history: NetworkEvent[] = [];
  readonly #random: SeededRandom;
  readonly #subscriptions = new Set<Subscription>();
  readonly #cuts = new Set<string>();
  readonly #lastArrival = new Map<string, number>();
  #faults: NetworkFaults;

  constructor(options: { readonly seed: number; readonly faults?: Partial<NetworkFaults> }) {
    this.#random = seededRandom(options.seed);
    this.#faults = { ...CALM, ...options.faults };
  }

  /** Changes what happens to messages from now on; what is not named stays as it is. */
  setFaults(faults: Partial<NetworkFaults>): void {
    this.#faults = { ...this.#faults, ...faults };
  }

  /** Cuts one direction: messages from one participant to another are lost, also those on their way. */
  cut(from: string, to: string): void {
    this.#cuts.add(`${from}>${to}`);
  }

  /** Cuts every connection between participants of different groups. */
  partition(...groups: readonly (readonly string[])[]): void {
    for (const group of groups)
      for (const other of groups)
        if (other !== group) for (const from of group) for (const to of other) this.cut(from, to);
  }

  /** Ends cuts and faults of every kind; ordinary delays stay. */
  heal(): void {
    this.#cuts.clear();
    this.#faults = { ...CALM, delayMs: this.#faults.delayMs };
  }

  /** A participant's connection. It may publish and subscribe as itself alone, as the configured NATS enforces. */
  wire(name: string): Wire {
    const closed = new AbortController();
    const own = new Set<Subscription>();
    return {
      closed: closed.signal,
      publish: (subject, bytes) => {
        if (!closed.signal.aborted && subject.split(".")[2] === name) this.inject(subject, bytes);
      },
      subscribe: async (pattern, handler) => {
        if (pattern.split(".")[3] !== name)
          throw meshError("wire_permission_denied", `${name} may not subscribe ${pattern}.`);
        const subscription = { name, pattern, handler };
        own.add(subscription);
        this.#subscriptions.add(subscription);
        return () => {
          this.#subscriptions.delete(subscription);
        };
      },
      close: async () => {
        for (const subscription of own) this.#subscriptions.delete(subscription);
        closed.abort(new Error(`${name} closed its connection.`));
      },
    };
  }

  /** Publishes with nobody's permission, as a hostile bus can. */
  inject(subject: string, bytes: Uint8Array): void {
    for (const subscription of this.#subscriptions)
      if (matches(subscription.pattern, subject)) this.#route(subscription, subject, bytes.slice());
  }

  /** A digest of the history: equal for equal runs. */
  fingerprint(): string {
    const lines = this.history.map(({ at, what, subject, bytes }) => `${at} ${what} ${subject} ${hex(sha256(bytes))}`);
    return hex(sha256(new TextEncoder().encode(lines.join("\n"))));
  }

  #route(subscription: Subscription, subject: string, bytes: Uint8Array): void {
    const { drop, duplicate, reorder, corrupt, delayMs } = this.#faults;
    if (this.#happens(drop)) {
      this.#note("dropped", subject, bytes);
      return;
    }
    if (this.#happens(corrupt)) {
      bytes = this.#flipBit(bytes);
      this.#note("corrupted", subject, bytes);
    }
    const onItsWayMs = delayMs.min + this.#random.next() * (delayMs.max - delayMs.min);
    const connection = `${subject.split(".")[2]}>${subscription.name}`;
    if (this.#happens(reorder)) {
      this.#note("reordered", subject, bytes);
      this.#arrive(subscription, subject, bytes, this.clock.now() + onItsWayMs + this.#behindMs());
    } else {
      const at = Math.max(this.clock.now() + onItsWayMs, this.#lastArrival.get(connection) ?? 0);
      this.#lastArrival.set(connection, at);
      this.#arrive(subscription, subject, bytes, at);
    }
    if (this.#happens(duplicate)) {
      this.#note("duplicated", subject, bytes);
      this.#arrive(subscription, subject, bytes, this.clock.now() + onItsWayMs + this.#behindMs());
    }
  }

  #arrive(subscription: Subscription, subject: string, bytes: Uint8Array, at: number): void {
    this.clock.setTimer(at - this.clock.now(), () => {
      if (!this.#subscriptions.has(subscription)) return;
      if (this.#cuts.has(`${subject.split(".")[2]}>${subscription.name}`)) {
        this.#note("cut", subject, bytes);
        return;
      }
      this.#note("delivered", subject, bytes);
      subscription.handler(subject, bytes);
    });
  }

  #note(what: NetworkEvent["what"], subject: string, bytes: Uint8Array): void {
    this.history.push({ at: this.clock.now(), what, subject, bytes });
  }

  #happens(rate: number): boolean {
    return rate > 0 && this.#random.next() < rate;
  }

  #behindMs(): number {
    return this.#random.next() * BEHIND_MS_MAX;
  }

  #flipBit(bytes: Uint8Array): Uint8Array {
    const flipped = bytes.slice();
    const at = Math.floor(this.#random.next() * flipped.length);
    flipped[at] = (flipped[at] ?? 0) ^ (1 << Math.floor(this.#random.next() * 8));
    return flipped;
  }
}

/** NATS wildcards: `*` is one token, a last `>` is one or more. */
function matches(pattern: string, subject: string): boolean {
  const wanted = pattern.split(".");
  const tokens = subject.split(".");
  const isOpen = wanted.at(-1) === ">";
  const fixed = isOpen ? wanted.slice(0, -1) : wanted;
  if (isOpen ? tokens.length <= fixed.length : tokens.length !== fixed.length) return false;
  return fixed.every((token, at) => token === "*" || token === tokens[at]);
}
