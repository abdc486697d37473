import { concatBytes, u16be } from "@countersign/bytes";
import type { Point } from "../curves/curve.ts";
import type { PartyIndex, SignedMessage } from "../delivery.ts";
import { ProtocolAbort, thresholdError } from "../errors.ts";
import type { Suite } from "../suites.ts";

/** A transaction with one signature per input has at most this many (architecture 2). */
export const ITEMS_MAX = 200;
/** SEC1 compressed, the longest point of any suite. */
const POINT_BYTES_MAX = 33;
const COUNT_BYTES = 2;

/** Name of the only round among the parties: everyone's commitments for every item. */
export const COMMIT_ROUND = "commit";

/** One party's nonce commitments for one item. */
export interface Commitment {
  readonly party: PartyIndex;
  readonly D: Point;
  readonly E: Point;
}

/** The rounds of `signSchnorr` with their longest bodies, bytes. Raises `item_invalid` unless there are 1..200 items. */
export function schnorrRounds(itemCount: number): Readonly<Record<typeof COMMIT_ROUND, number>> {
  if (!Number.isInteger(itemCount) || itemCount < 1 || itemCount > ITEMS_MAX)
    throw thresholdError("item_invalid", `A session signs 1..${ITEMS_MAX} items, not ${itemCount}.`);
  return { [COMMIT_ROUND]: COUNT_BYTES + itemCount * 2 * POINT_BYTES_MAX };
}

/** Body of the commit round: u16be(item count), then D ‖ E of each item in order. */
export function encodeCommitments(pairs: readonly { readonly D: Point; readonly E: Point }[]): Uint8Array {
  return concatBytes(u16be(pairs.length), ...pairs.flatMap(({ D, E }) => [D, E]));
}

/**
 * Reads one party's commitments for one item from its signed message. Raises `commitment_invalid`, which names the party with its
 * message as evidence: the body is of another length than its count says, has no such item, or a point is not canonical, of prime
 * order and unlike the identity. One torsioned point would split the world's verifiers over the signature.
 */
export function decodeCommitment(
  suite: Suite,
  party: PartyIndex,
  message: SignedMessage,
  itemIndex: number,
): Commitment {
  return readCommitment(suite.curve.pointSize, suite.curve.decodePoint, { party, message, itemIndex });
}

/**
 * `decodeCommitment` without the check of the points' order, for a combiner: what it computes from them is released only if the
 * strictest verifiers accept it. Raises `commitment_invalid` likewise.
 */
export function assumeCommitment(
  suite: Suite,
  party: PartyIndex,
  message: SignedMessage,
  itemIndex: number,
): Commitment {
  return readCommitment(suite.curve.pointSize, suite.curve.assumePoint, { party, message, itemIndex });
}

function readCommitment(
  size: number,
  pointOf: (bytes: Uint8Array) => Point,
  place: { readonly party: PartyIndex; readonly message: SignedMessage; readonly itemIndex: number },
): Commitment {
  const { party, message, itemIndex } = place;
  const { body } = message;
  const itemCount = commitmentCount(body);
  const offset = COUNT_BYTES + itemIndex * 2 * size;
  if (itemIndex >= itemCount || body.length !== COUNT_BYTES + itemCount * 2 * size)
    throw invalid(party, message, `${body.length} bytes for ${itemCount} items, without item ${itemIndex}`);
  try {
    const D = pointOf(body.subarray(offset, offset + size));
    const E = pointOf(body.subarray(offset + size, offset + 2 * size));
    return { party, D, E };
  } catch (cause) {
    if (!(cause instanceof ProtocolAbort)) throw cause;
    throw invalid(party, message, `a point of item ${itemIndex} is invalid`, cause);
  }
}

/** Raises `commitment_invalid` unless the message is for exactly that many items. */
export function checkCommitmentCount(party: PartyIndex, message: SignedMessage, itemCount: number): void {
  const found = commitmentCount(message.body);
  if (found !== itemCount) throw invalid(party, message, `for ${found} items, expected ${itemCount}`);
}

function commitmentCount(body: Uint8Array): number {
  return ((body[0] ?? 0) << 8) | (body[1] ?? 0);
}

function invalid(party: PartyIndex, message: SignedMessage, why: string, cause?: unknown): ProtocolAbort {
  const text = `Party ${party} signed unusable commitments: ${why}.`;
  return new ProtocolAbort("commitment_invalid", text, { culprits: [party], evidence: { messages: [message] }, cause });
}
