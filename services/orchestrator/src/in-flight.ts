import type { PartyIndex } from "@countersign/threshold";

/** How many sessions this orchestrator has running at each node. */
export class InFlight {
  readonly #counts = new Map<PartyIndex, number>();

  count(party: PartyIndex): number {
    return this.#counts.get(party) ?? 0;
  }

  /** Counts a session at its parties; the result ends it. */
  start(parties: readonly PartyIndex[]): () => void {
    for (const party of parties) this.#counts.set(party, this.count(party) + 1);
    return () => {
      for (const party of parties) this.#counts.set(party, this.count(party) - 1);
    };
  }
}
