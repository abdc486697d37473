import { setTimeout as pause } from "node:timers/promises";
import type { Secret } from "@countersign/bytes";
import type { CountersignError } from "@countersign/errors";
import { errors, type NatsConnection, type Subscription } from "@nats-io/transport-node";
import { systemClock } from "../clock.ts";
import { meshError } from "../errors.ts";
import { RateLimit } from "../rate-limit.ts";
import { Outbox } from "./outbox.ts";
import type { Wire, WireHandler } from "./wire.ts";

/** Bytes sent that the server has not acknowledged; a server that stops reading must not fill this process's memory. */
const UNACKNOWLEDGED_BYTES_MAX = 33_554_432;
/** Bytes after which the server is asked whether it has everything. */
const ACKNOWLEDGE_EVERY_BYTES = 262_144;
/** Pause before a subscription is asked for again, after a broken connection or a refusal that came later. */
const RESUBSCRIBE_PAUSE_MS = 500;
/** How long closing waits for what was just published to leave. */
const CLOSE_FLUSH_MS = 500;
/** Problems told to `onProblem`; the counters have all. A hostile server can raise thousands a second, each a line of the log. */
const PROBLEM_LIMIT = { burst: 8, perSecond: 0.1 };

/** What a wire over NATS counted since it was connected. */
export interface NatsCounters {
  /** Connections after the first. */
  reconnects: number;
  /** Messages not sent because a bound was reached while the bus was away or did not read, or because the bus takes smaller ones. */
  discarded: number;
  /** Publishes and subscriptions that the server refused. */
  refused: number;
}

/** A wire over core NATS: plain publish, no requests, no streams. Made by `connectNats`; reconnects until it is closed. */
export class NatsWire implements Wire {
  readonly counters: NatsCounters = { reconnects: 0, discarded: 0, refused: 0 };
  readonly #connection: NatsConnection;
  readonly #seed: Secret;
  readonly #onProblem: (problem: CountersignError) => void;
  readonly #problems = new RateLimit(systemClock, PROBLEM_LIMIT);
  readonly #closed = new AbortController();
  readonly #outbox = new Outbox(systemClock, () => {
    this.counters.discarded++;
  });
  /** Ends when the connection is closed; awaited by `close`. */
  readonly #watching: Promise<void>;
  #isConnected = true;
  #unacknowledged = 0;
  #isAcknowledging = false;

  constructor(
    connection: NatsConnection,
    options: { readonly seed: Secret; readonly onProblem?: (problem: CountersignError) => void },
  ) {
    this.#connection = connection;
    this.#seed = options.seed;
    this.#onProblem = options.onProblem ?? (() => {});
    this.#watching = this.#watch();
  }

  /** Whether the bus can be reached right now. */
  get isConnected(): boolean {
    return this.#isConnected;
  }

  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  publish(subject: string, bytes: Uint8Array): void {
    if (this.#closed.signal.aborted || this.#connection.isClosed()) return;
    if (!this.#isConnected) {
      this.#outbox.add(subject, bytes);
      return;
    }
    if (this.#unacknowledged + bytes.length > UNACKNOWLEDGED_BYTES_MAX) {
      this.counters.discarded++;
      return;
    }
    try {
      this.#connection.publish(subject, bytes);
    } catch (cause) {
      // The server decides how long messages may be and may change its mind at any time. Callers are timers and receive
      // handlers: what leaves this function there would end the process, and with it every other session.
      this.counters.discarded++;
      const text = `The bus takes no message of ${bytes.length} bytes on ${subject}.`;
      this.#report(meshError("wire_message_unsent", text, { cause }));
      return;
    }
    this.#unacknowledged += bytes.length;
    if (this.#unacknowledged >= ACKNOWLEDGE_EVERY_BYTES && !this.#isAcknowledging) void this.#acknowledge();
  }

  async subscribe(subject: string, handler: WireHandler, signal?: AbortSignal): Promise<() => void> {
    const subscription = new NatsSubscription(this.#connection, subject, handler);
    // The answer to a ping comes after the answer to the subscription: once it is here, there was no refusal.
    while (!(await this.#flushed(signal))) {
      if (signal?.aborted || this.#connection.isClosed()) {
        subscription.end();
        throw meshError("wire_unreachable", `The bus did not take the subscription ${subject}.`, {
          cause: signal?.reason,
        });
      }
      await pause(RESUBSCRIBE_PAUSE_MS);
    }
    subscription.confirm();
    return () => subscription.end();
  }

  async close(): Promise<void> {
    if (this.#isConnected) await Promise.race([this.#flushed(), pause(CLOSE_FLUSH_MS, undefined, { ref: false })]);
    await this.#connection.close();
    await this.#watching;
  }

  async #watch(): Promise<void> {
    for await (const status of this.#connection.status()) {
      switch (status.type) {
        case "disconnect":
          this.#isConnected = false;
          break;
        case "reconnect":
          this.#isConnected = true;
          this.#unacknowledged = 0;
          this.counters.reconnects++;
          this.#outbox.release((subject, bytes) => this.publish(subject, bytes));
          break;
        case "error":
          this.#onError(status.error);
          break;
      }
    }
    const error = await this.#connection.closed();
    this.#isConnected = false;
    this.#seed.wipe();
    this.#closed.abort(error ?? new Error("The wire was closed."));
  }

  #onError(error: Error): void {
    if (!(error instanceof errors.PermissionViolationError)) return;
    this.counters.refused++;
    const text = `The bus refuses to let this participant ${error.operation === "publish" ? "publish" : "subscribe"}.`;
    this.#report(meshError("wire_permission_denied", text, { cause: error }));
  }

  #report(problem: CountersignError): void {
    if (this.#problems.take()) this.#onProblem(problem);
  }

  async #acknowledge(): Promise<void> {
    this.#isAcknowledging = true;
    const asked = this.#unacknowledged;
    if (await this.#flushed()) this.#unacknowledged = Math.max(0, this.#unacknowledged - asked);
    this.#isAcknowledging = false;
  }

  /** Resolves with whether the server has read everything sent so far; false when the connection broke or the signal aborted. */
  async #flushed(signal?: AbortSignal): Promise<boolean> {
    const aborted = Promise.withResolvers<boolean>();
    const onAbort = () => aborted.resolve(false);
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted) onAbort();
    // The connection broke or is closed: what was sent may be lost, which a wire may do.
    const flushed = this.#connection.flush().then(
      () => true,
      () => false,
    );
    const outcome = await Promise.race([flushed, aborted.promise]);
    signal?.removeEventListener("abort", onAbort);
    return outcome;
  }
}

/** A subscription that is asked for again when the server took it away after it had been confirmed. */
class NatsSubscription {
  readonly #connection: NatsConnection;
  readonly #subject: string;
  readonly #handler: WireHandler;
  #subscription: Subscription;
  #refusal: Error | undefined;
  #state: "asked" | "confirmed" | "ended" = "asked";

  constructor(connection: NatsConnection, subject: string, handler: WireHandler) {
    this.#connection = connection;
    this.#subject = subject;
    this.#handler = handler;
    this.#subscription = this.#ask();
  }

  /** Throws what the server refused it with, if it did. */
  confirm(): void {
    if (this.#refusal !== undefined) {
      const text = `The bus refuses the subscription ${this.#subject}.`;
      throw meshError("wire_permission_denied", text, { cause: this.#refusal });
    }
    this.#state = "confirmed";
  }

  end(): void {
    this.#state = "ended";
    this.#subscription.unsubscribe();
  }

  #ask(): Subscription {
    return this.#connection.subscribe(this.#subject, {
      callback: (error, message) => {
        if (error === null) handOver(this.#handler, message.subject, message.data);
        else this.#onRefusal(error);
      },
    });
  }

  #onRefusal(error: Error): void {
    this.#refusal = error;
    if (this.#state !== "confirmed") return;
    const again = () => {
      if (this.#state === "confirmed" && !this.#connection.isClosed()) this.#subscription = this.#ask();
    };
    setTimeout(again, RESUBSCRIBE_PAUSE_MS).unref();
  }
}

/** A failing handler is a bug of ours: it ends the process, instead of the client's reading loop without a word. */
function handOver(handler: WireHandler, subject: string, data: Uint8Array): void {
  // The client hands out Node buffers, whose `slice` is a view: as plain bytes, it is the copy that callers expect.
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  try {
    handler(subject, bytes);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
