import { thresholdError } from "../errors.ts";
import { REQUEST_BYTES } from "./round-one.ts";
import { ANSWER_MESSAGE_BYTES } from "./round-two.ts";
import { DIGESTS_MAX } from "./signing-session.ts";

/** Items that share an envelope: with the largest message it stays below the bus' limit of 1 MiB. */
const GROUP_SIZE = 16;

/** One group of a session's items, by index. */
export interface ItemGroup {
  /** Round names of the group's R1 and R2 messages. */
  readonly request: string;
  readonly answer: string;
  /** Index of the first item, and of the one after the last. */
  readonly start: number;
  readonly end: number;
}

/** The items of a session in groups (ECDSA specification, section 3.d). Raises `item_invalid` unless there are 1..200. */
export function itemGroups(itemCount: number): readonly ItemGroup[] {
  if (!Number.isInteger(itemCount) || itemCount < 1 || itemCount > DIGESTS_MAX)
    throw thresholdError("item_invalid", `A session signs 1..${DIGESTS_MAX} digests, not ${itemCount}.`);
  return Array.from({ length: Math.ceil(itemCount / GROUP_SIZE) }, (_, group) => ({
    request: `request-${group}`,
    answer: `answer-${group}`,
    start: group * GROUP_SIZE,
    end: Math.min(itemCount, (group + 1) * GROUP_SIZE),
  }));
}

/** The rounds of `signEcdsa` with their exact body sizes, for the mesh. Raises `item_invalid`. */
export function ecdsaRounds(itemCount: number): Readonly<Record<string, number>> {
  return Object.fromEntries(
    itemGroups(itemCount).flatMap(({ request, answer, start, end }) => [
      [request, (end - start) * REQUEST_BYTES],
      [answer, (end - start) * ANSWER_MESSAGE_BYTES],
    ]),
  );
}
