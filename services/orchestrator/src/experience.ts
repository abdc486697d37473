import type { PartyIndex } from "@countersign/threshold";

/** What a failed attempt showed about its parties. */
export interface Verdict {
  /** Failed before our eyes: did not answer, answered with an error of its own, or with a reply that is unusable. */
  readonly faulty: readonly PartyIndex[];
  /** Named silent by these parties. A word against a word: a liar accuses too. */
  readonly accused: readonly PartyIndex[];
  /** Refused the request, sent what is no answer, or was convicted by evidence that we checked. */
  readonly excluded: readonly PartyIndex[];
}

/**
 * What the attempts of one request taught about the nodes. Only our own observations and checked evidence weigh against a node; a
 * node's word about another merely breaks ties. Whoever took part in a failed attempt, innocent or not, comes after those who did
 * not, so that a node which lies its way out of every failure is left out in the end (threat model, C8).
 */
export class Experience {
  readonly #excluded = new Set<PartyIndex>();
  readonly #faults = new Map<PartyIndex, number>();
  readonly #failures = new Map<PartyIndex, number>();
  readonly #accusations = new Map<PartyIndex, number>();
  readonly #tried = new Set<string>();

  /** Notes an attempt of these parties that failed. */
  learn(parties: readonly PartyIndex[], { faulty, accused, excluded }: Verdict): void {
    this.#tried.add(parties.join());
    for (const party of parties) count(this.#failures, party);
    for (const party of faulty) count(this.#faults, party);
    for (const party of accused) count(this.#accusations, party);
    for (const party of excluded) this.#excluded.add(party);
  }

  /** Nodes that are not asked again for this request. */
  get excluded(): ReadonlySet<PartyIndex> {
    return this.#excluded;
  }

  /** Whether exactly these parties, ascending, failed before. */
  hasTried(parties: readonly PartyIndex[]): boolean {
    return this.#tried.has(parties.join());
  }

  /** Negative when the first node is to be preferred; 0 when nothing was learnt that tells them apart. */
  compare(a: PartyIndex, b: PartyIndex): number {
    for (const counts of [this.#faults, this.#failures, this.#accusations]) {
      const difference = (counts.get(a) ?? 0) - (counts.get(b) ?? 0);
      if (difference !== 0) return difference;
    }
    return 0;
  }
}

function count(counts: Map<PartyIndex, number>, party: PartyIndex): void {
  counts.set(party, (counts.get(party) ?? 0) + 1);
}
