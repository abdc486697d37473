import { equalBytes } from "@countersign/bytes";
import type { MessageFacts, PartyIndex, SignedMessage } from "@countersign/threshold";
import { MeshAbort, meshError } from "../errors.ts";

/** What a session accepts. */
export interface InboxOptions {
  readonly self: PartyIndex;
  readonly parties: readonly PartyIndex[];
  readonly sessionDigest: Uint8Array;
  /** Longest body of each round by name; other rounds do not exist. */
  readonly rounds: Readonly<Record<string, number>>;
  /** Ends every wait: a timeout reason becomes `session_deadline`, any other `session_cancelled`. */
  readonly signal: AbortSignal;
}

/** How every session ends that is closed; one for all, because an error's stack costs more than the rest of closing. */
const OVER = meshError("session_cancelled", "The session is over.");

interface Round {
  readonly received: Map<PartyIndex, SignedMessage>;
  readonly waiters: {
    resolve: (messages: ReadonlyMap<PartyIndex, SignedMessage>) => void;
    reject: (error: unknown) => void;
  }[];
}

/**
 * Sorts a session's authenticated messages into rounds, for every form of `Delivery`. One message per sender and round: the same
 * bytes again are ignored, other bytes end the session and keep both as evidence.
 */
export class SessionInbox {
  readonly #options: InboxOptions;
  readonly #rounds = new Map<string, Round>();
  readonly #ended = new AbortController();
  readonly #unreached = new Set<PartyIndex>();
  #failure: unknown;

  constructor(options: InboxOptions) {
    this.#options = options;
    const { signal } = options;
    if (signal.aborted) this.#onSignal();
    else signal.addEventListener("abort", this.#onSignal, { once: true });
  }

  /** Aborts when the session ends, with what every wait rejects with. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /**
   * Whether the sender's message of this round is already here, byte for byte. Lets a receiver drop what the bus repeats before
   * it spends a signature verification on it.
   */
  isRepeated(facts: MessageFacts, message: Pick<SignedMessage, "header" | "body">): boolean {
    const earlier = this.#rounds.get(facts.round)?.received.get(facts.from);
    return earlier !== undefined && isSame(earlier, message);
  }

  /** Names a party that a send waits for, so that a deadline can say so; the result takes it back. */
  reach(party: PartyIndex): () => void {
    this.#unreached.add(party);
    return () => this.#unreached.delete(party);
  }

  /** Takes a message whose signature was verified and whose sender and session were matched by the caller. */
  accept(facts: MessageFacts, message: SignedMessage): void {
    if (this.#failure !== undefined) return;
    const { rounds, sessionDigest, parties, self } = this.#options;
    if (facts.from === self || !parties.includes(facts.from)) return;
    if (!equalBytes(facts.sessionDigest, sessionDigest)) {
      this.fail(
        new MeshAbort(
          "session_views_differ",
          `Party ${facts.from} runs this session with another digest.`,
          [],
          [message],
        ),
      );
      return;
    }
    const bodyBytesMax = Object.hasOwn(rounds, facts.round) ? rounds[facts.round] : undefined;
    if (bodyBytesMax === undefined || message.body.length > bodyBytesMax) {
      const text = `Party ${facts.from} sent ${message.body.length} bytes for round "${facts.round}".`;
      this.fail(new MeshAbort("message_oversized", text, [facts.from], [message]));
      return;
    }
    const round = this.#round(facts.round);
    const earlier = round.received.get(facts.from);
    if (earlier !== undefined) {
      if (isSame(earlier, message)) return;
      const text = `Party ${facts.from} signed two messages for round "${facts.round}".`;
      this.fail(new MeshAbort("message_equivocated", text, [facts.from], [earlier, message]));
      return;
    }
    round.received.set(facts.from, message);
    if (!this.#isComplete(round)) return;
    for (const waiter of round.waiters.splice(0)) waiter.resolve(round.received);
  }

  /** Resolves with the round's message of every other party. */
  complete(name: string): Promise<ReadonlyMap<PartyIndex, SignedMessage>> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const round = this.#round(name);
    if (this.#isComplete(round)) return Promise.resolve(round.received);
    const { promise, resolve, reject } = Promise.withResolvers<ReadonlyMap<PartyIndex, SignedMessage>>();
    round.waiters.push({ resolve, reject });
    return promise;
  }

  /** Ends the session: every wait, now and later, rejects with the first failure. */
  fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    for (const round of this.#rounds.values()) for (const waiter of round.waiters.splice(0)) waiter.reject(error);
    this.#ended.abort(error);
  }

  /** Lets go of the signal; the session is over. */
  close(): void {
    this.#options.signal.removeEventListener("abort", this.#onSignal);
    this.fail(OVER);
  }

  #onSignal = (): void => {
    const { reason } = this.#options.signal;
    if (!(reason instanceof Error && reason.name === "TimeoutError")) {
      this.fail(meshError("session_cancelled", "The session was cancelled.", { cause: reason }));
      return;
    }
    const silent = this.#silent();
    const text = `The session's deadline passed; nothing came from ${silent.length > 0 ? `parties ${silent.join(", ")}` : "nobody awaited"}.`;
    this.fail(meshError("session_deadline", text, { details: { silent } }));
  };

  /** Parties that an awaited round still lacks or that a send could not reach. */
  #silent(): PartyIndex[] {
    const awaited = [...this.#rounds.values()].filter((round) => round.waiters.length > 0);
    const { parties, self } = this.#options;
    const isSilent = (party: PartyIndex) =>
      this.#unreached.has(party) || awaited.some((round) => !round.received.has(party));
    return parties.filter((party) => party !== self && isSilent(party));
  }

  #isComplete(round: Round): boolean {
    return round.received.size === this.#options.parties.length - 1;
  }

  #round(name: string): Round {
    let round = this.#rounds.get(name);
    if (round === undefined) {
      round = { received: new Map(), waiters: [] };
      this.#rounds.set(name, round);
    }
    return round;
  }
}

function isSame(a: Pick<SignedMessage, "header" | "body">, b: Pick<SignedMessage, "header" | "body">): boolean {
  return equalBytes(a.header, b.header) && equalBytes(a.body, b.body);
}
