import type { PartyIndex } from "@countersign/threshold";
import type { Clock } from "../clock.ts";
import type { MeshCounters } from "../counters.ts";

/** Envelopes kept per peer: the first rounds of every session that this node may run at once. */
export const EARLY_COUNT_MAX = 256;
/** Bytes kept per peer: first-round messages are small; a few large ones fit. */
export const EARLY_BYTES_MAX = 4_194_304;
/** A party that opens a session this much later than another is past the deadline of a signature anyway. */
export const EARLY_AGE_MS = 10_000;

interface Early {
  readonly session: string;
  readonly bytes: Uint8Array;
  readonly at: number;
}

/**
 * Envelopes that cannot be judged yet: their session is not open here, because parties start at different moments, or their
 * channel awaits its confirmation. Kept sealed and unread, in bounds per peer, so that no peer can displace what another sent.
 */
export class EarlyEnvelopes {
  readonly #clock: Clock;
  readonly #counters: MeshCounters;
  readonly #peers = new Map<PartyIndex, { kept: Early[]; bytes: number }>();

  constructor(clock: Clock, counters: MeshCounters) {
    this.#clock = clock;
    this.#counters = counters;
  }

  /** Keeps a copy; counts it as overflow when the peer's share is full. */
  add(peer: PartyIndex, session: string, bytes: Uint8Array): void {
    const share = this.#fresh(peer);
    if (share.kept.length >= EARLY_COUNT_MAX || share.bytes + bytes.length > EARLY_BYTES_MAX) {
      this.#counters.drop("early_overflow");
      return;
    }
    share.kept.push({ session, bytes: bytes.slice(), at: this.#clock.now() });
    share.bytes += bytes.length;
  }

  /** Takes out, in order of arrival, what a peer sent for the chosen sessions. */
  take(peer: PartyIndex, isChosen: (session: string) => boolean): readonly Pick<Early, "session" | "bytes">[] {
    if (!this.#peers.has(peer)) return [];
    const share = this.#fresh(peer);
    const chosen = share.kept.filter((early) => isChosen(early.session));
    if (chosen.length > 0)
      this.#keep(
        peer,
        share.kept.filter((early) => !isChosen(early.session)),
      );
    return chosen;
  }

  #fresh(peer: PartyIndex): { kept: Early[]; bytes: number } {
    const share = this.#peers.get(peer);
    if (share === undefined) return this.#keep(peer, []);
    const oldest = this.#clock.now() - EARLY_AGE_MS;
    const first = share.kept[0];
    if (first === undefined || first.at >= oldest) return share;
    const fresh = share.kept.filter((early) => early.at >= oldest);
    for (let expired = share.kept.length - fresh.length; expired > 0; expired--) this.#counters.drop("early_expired");
    return this.#keep(peer, fresh);
  }

  #keep(peer: PartyIndex, kept: Early[]): { kept: Early[]; bytes: number } {
    const share = { kept, bytes: kept.reduce((total, early) => total + early.bytes.length, 0) };
    this.#peers.set(peer, share);
    return share;
  }
}
