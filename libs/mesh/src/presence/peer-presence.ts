import { equalBytes, hex } from "@countersign/bytes";
import type { Rng } from "@countersign/threshold";
import type { Clock } from "../clock.ts";
import { type BeatContent, type OpenedPresence, PROBE_BYTES } from "./presence-message.ts";

/** A node is present for this long after its last sign of life: four beats, so that one lost beat changes nothing. */
export const PRESENT_MS = 1_000;
/** A probe's echo counts for this long: more than the longest round trip worth measuring. */
const PROBE_AGE_MS = 2_000;
/** Probes whose echo may still come. */
const PROBES_MAX = 8;
/** Weight of a new round trip in the smoothed one (RFC 6298, section 2). */
const SMOOTHING = 1 / 8;

/**
 * What one process knows of a node's presence, on its own clock. A process of the node (its boot id) is believed to run only
 * after it gave back random bytes of ours; from then on its counter must rise. So no recording makes a dead node look alive.
 */
export class PeerPresence {
  readonly #clock: Clock;
  readonly #rng: Rng;
  readonly #probes = new Map<string, number>();
  #bootId: Uint8Array | undefined;
  #counter = 0n;
  #seenAt = 0;
  #roundTripMs: number | undefined;
  #beat: BeatContent | undefined;

  constructor(clock: Clock, rng: Rng) {
    this.#clock = clock;
    this.#rng = rng;
  }

  /** The process believed to run, present or not; undefined before the first echo. */
  get bootId(): Uint8Array | undefined {
    return this.#bootId;
  }

  get isPresent(): boolean {
    return this.#bootId !== undefined && this.#clock.now() - this.#seenAt <= PRESENT_MS;
  }

  /** Smoothed, microseconds; undefined before the first echo. */
  get roundTripUs(): number | undefined {
    return this.#roundTripMs === undefined ? undefined : Math.round(this.#roundTripMs * 1000);
  }

  /** The newest load and heads of the process believed to run. */
  get beat(): BeatContent | undefined {
    return this.#beat;
  }

  /** Random bytes to send as a probe now. */
  probe(): Uint8Array {
    const [oldest] = this.#probes.keys();
    if (oldest !== undefined && this.#probes.size >= PROBES_MAX) this.#probes.delete(oldest);
    const random = this.#rng(PROBE_BYTES);
    this.#probes.set(hex(random), this.#clock.now());
    return random;
  }

  /**
   * Takes a message whose signature was verified. `stale`: recorded or repeated, nothing changed. `unproven`: from a process
   * that has not yet echoed a probe, nothing changed. `booted`: from now on this process is believed. `alive`: as expected.
   */
  accept(presence: OpenedPresence): "stale" | "unproven" | "booted" | "alive" {
    const isKnown = this.#bootId !== undefined && equalBytes(this.#bootId, presence.bootId);
    if (isKnown && presence.counter <= this.#counter) return "stale";
    const roundTripMs = presence.content.kind === "echo" ? this.#measure(presence.content.random) : undefined;
    if (!isKnown) {
      if (roundTripMs === undefined) return presence.content.kind === "echo" ? "stale" : "unproven";
      this.#bootId = presence.bootId;
      this.#roundTripMs = undefined;
      this.#beat = undefined;
    }
    this.#counter = presence.counter;
    this.#seenAt = this.#clock.now();
    if (presence.content.kind === "beat") this.#beat = presence.content.beat;
    if (roundTripMs !== undefined)
      this.#roundTripMs = (this.#roundTripMs ?? roundTripMs) * (1 - SMOOTHING) + roundTripMs * SMOOTHING;
    return isKnown ? "alive" : "booted";
  }

  /** How long the echo took; undefined unless it answers a probe of ours that was not answered before. */
  #measure(random: Uint8Array): number | undefined {
    const name = hex(random);
    const sentAt = this.#probes.get(name);
    this.#probes.delete(name);
    if (sentAt === undefined) return undefined;
    const elapsedMs = this.#clock.now() - sentAt;
    return elapsedMs <= PROBE_AGE_MS ? elapsedMs : undefined;
  }
}
