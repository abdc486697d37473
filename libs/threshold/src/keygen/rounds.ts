import { checkThreshold } from "./terms.ts";

/**
 * Rounds of key generation in order (Schnorr specification, section 3: R0, R1, R1e, R2, R3 with R2c). Keys that are signed with over
 * links have `links` beside the echo.
 */
export type KeygenRound = "commit" | "reveal" | "echo" | "links" | "share" | "finish";

/** Hashes, salts, chain codes and scalars. */
export const WORD_SIZE = 32;
export const SIGNATURE_SIZE = 64;
/** Longest point encoding of any curve. */
const POINT_SIZE_MAX = 33;
/** Encoded mesh header: version, two 32-byte digests, a round name of at most 32 bytes and two indexes, with protobuf's tags. */
export const HEADER_SIZE_MAX = 128;
/** A message in a complaint: two lengths and the signature beside header and body. */
const QUOTE_OVERHEAD = 2 + HEADER_SIZE_MAX + 4 + SIGNATURE_SIZE;

/**
 * Longest body of each round, for the mesh. From `reveal` on a party may complain instead of going on, and a complaint quotes
 * messages of earlier rounds, so that each bound contains the one before: whatever garbage the mesh lets pass can be shown.
 */
export function keygenRounds(partyCount: number, threshold: number): Readonly<Record<KeygenRound, number>> {
  checkThreshold(threshold, partyCount);
  const commit = WORD_SIZE;
  const plainReveal = 1 + WORD_SIZE + 2 + (threshold + 1) * POINT_SIZE_MAX + 2 * WORD_SIZE;
  const plainEcho = 1 + WORD_SIZE;
  const plainShare = 1 + WORD_SIZE + 2 + 2 + WORD_SIZE;
  const views = complaintSize(...Array.from({ length: partyCount }, () => [plainReveal, plainEcho]).flat());

  const reveal = Math.max(plainReveal, complaintSize(commit));
  const echo = Math.max(plainEcho, complaintSize(commit, reveal));
  const links = 1 + (partyCount - 1) * 2 * WORD_SIZE;
  const share = Math.max(plainShare, complaintSize(echo), complaintSize(links), views);
  const finish = Math.max(1 + SIGNATURE_SIZE, complaintSize(plainReveal, plainEcho, share));
  return { commit, reveal, echo, links, share, finish };
}

function complaintSize(...bodies: readonly number[]): number {
  return bodies.reduce((total, body) => total + QUOTE_OVERHEAD + body, 1 + SIGNATURE_SIZE + 2);
}
