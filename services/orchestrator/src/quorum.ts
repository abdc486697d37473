import type { PartyIndex } from "@countersign/threshold";
import { orchestratorError } from "./errors.ts";

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

/** What earlier attempts of one request taught about the nodes. */
export interface Experience {
  /** Failures that the node may not be guilty of (silence, cancelled sessions): it is tried last. */
  readonly strikes: ReadonlyMap<PartyIndex, number>;
  /** Refused the request or was convicted: not tried again for this request. */
  readonly excluded: ReadonlySet<PartyIndex>;
}

/** A session in flight weighs as much as this much distance, so that equally near nodes share the load. */
const SESSION_WEIGHT_US = 2_000;

/**
 * Picks the `threshold` nodes with the fewest strikes, then the nearest and least loaded, among those present and not excluded;
 * ascending by index. Raises `quorum_unavailable`, naming the regions that are not able.
 */
export function chooseQuorum(
  candidates: readonly Candidate[],
  threshold: number,
  { strikes, excluded }: Experience,
): readonly PartyIndex[] {
  const able = candidates.filter(({ index, present }) => present && !excluded.has(index));
  if (able.length < threshold) {
    const away = candidates.filter((candidate) => !able.includes(candidate)).map(({ region }) => region);
    const text = `${able.length} of the ${threshold} nodes needed can take part; not able: ${away.join(", ")}.`;
    throw orchestratorError("quorum_unavailable", text, { details: { needed: threshold, able: able.length, away } });
  }
  const cost = ({ roundTripUs, sessions }: Candidate) => roundTripUs + sessions * SESSION_WEIGHT_US;
  const count = ({ index }: Candidate) => strikes.get(index) ?? 0;
  return able
    .toSorted((a, b) => count(a) - count(b) || cost(a) - cost(b) || a.index - b.index)
    .slice(0, threshold)
    .map(({ index }) => index)
    .toSorted((a, b) => a - b);
}
