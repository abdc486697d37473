import type { Clock } from "../clock.ts";

/** Messages kept while the bus is away: the first messages of the sessions that a short restart interrupts. */
export const OUTBOX_COUNT_MAX = 1_024;
/** Their bytes. */
export const OUTBOX_BYTES_MAX = 8_388_608;
/** What waited longer is not sent any more: its session is at its deadline. */
export const OUTBOX_AGE_MS = 5_000;

interface Waiting {
  readonly subject: string;
  readonly bytes: Uint8Array;
  readonly at: number;
}

/** What is to be sent once the bus is back, oldest first, in bounds; the oldest gives way. */
export class Outbox {
  readonly #clock: Clock;
  readonly #onDiscard: () => void;
  #waiting: Waiting[] = [];
  #bytes = 0;

  constructor(clock: Clock, onDiscard: () => void) {
    this.#clock = clock;
    this.#onDiscard = onDiscard;
  }

  add(subject: string, bytes: Uint8Array): void {
    this.#waiting.push({ subject, bytes, at: this.#clock.now() });
    this.#bytes += bytes.length;
    while (this.#waiting.length > OUTBOX_COUNT_MAX || this.#bytes > OUTBOX_BYTES_MAX) {
      this.#bytes -= this.#waiting.shift()?.bytes.length ?? 0;
      this.#onDiscard();
    }
  }

  /** Empties the box: what is fresh goes to `send`, the rest is discarded. */
  release(send: (subject: string, bytes: Uint8Array) => void): void {
    const oldest = this.#clock.now() - OUTBOX_AGE_MS;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    for (const { subject, bytes, at } of waiting) {
      if (at >= oldest) send(subject, bytes);
      else this.#onDiscard();
    }
  }
}
