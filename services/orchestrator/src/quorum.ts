import type { PartyIndex } from "@countersign/threshold";
import { orchestratorError } from "./errors.ts";
import type { Experience } from "./experience.ts";

/** A node as a candidate for a quorum. */
export interface Candidate {
  readonly index: PartyIndex;
  readonly region: string;
  readonly present: boolean;
  /** Smoothed, microseconds; 0 before the first measurement. */
  readonly roundTripUs: number;
  /** Sessions that this orchestrator has in flight at the node. */
  readonly sessions: number;
}

/** A session in flight weighs as much as this much distance, so that equally near nodes share the load. */
const SESSION_WEIGHT_US = 2_000;

/**
 * Picks `threshold` nodes among those present and not excluded: first what earlier attempts of the request taught, then the nearest
 * and least loaded. A quorum that failed is not tried again while another is left. Ascending by index. Raises
 * `quorum_unavailable`, naming the regions that are not able.
 */
export function chooseQuorum(
  candidates: readonly Candidate[],
  threshold: number,
  experience: Experience,
): readonly PartyIndex[] {
  const able = candidates.filter(({ index, present }) => present && !experience.excluded.has(index));
  if (able.length < threshold) {
    const away = candidates.filter((candidate) => !able.includes(candidate)).map(({ region }) => region);
    const text = `${able.length} of the ${threshold} nodes needed can take part; not able: ${away.join(", ")}.`;
    throw orchestratorError("quorum_unavailable", text, { details: { needed: threshold, able: able.length, away } });
  }
  const cost = ({ roundTripUs, sessions }: Candidate) => roundTripUs + sessions * SESSION_WEIGHT_US;
  const ranked = able
    .toSorted((a, b) => experience.compare(a.index, b.index) || cost(a) - cost(b) || a.index - b.index)
    .map(({ index }) => index);
  let best: readonly PartyIndex[] | undefined;
  for (const parties of subsets(ranked, threshold)) {
    const quorum = parties.toSorted((a, b) => a - b);
    // There are only as many failed quorums as attempts, so the search ends after a few steps.
    if (!experience.hasTried(quorum)) return quorum;
    best ??= quorum;
  }
  return best ?? [];
}

/** Subsets of a size, the ones with the earliest members first. */
function* subsets<T>(members: readonly T[], size: number): Generator<T[]> {
  if (size === 0) {
    yield [];
    return;
  }
  for (const [place, member] of members.entries()) {
    for (const rest of subsets(members.slice(place + 1), size - 1)) yield [member, ...rest];
  }
}
