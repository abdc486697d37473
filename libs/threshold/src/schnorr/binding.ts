import { concatBytes } from "@countersign/bytes";
import type { Point, Scalar } from "../curves/curve.ts";
import type { PartyIndex } from "../delivery.ts";
import type { Commitment } from "./commitments.ts";
import { hasEvenY, type Sign, type SigningKey } from "./tweak.ts";

/** What the whole commitment list fixes (RFC 9591, sections 4.4 to 4.6). */
export interface Binding {
  /** Strictly ascending. */
  readonly parties: readonly PartyIndex[];
  /** rho_j of each party. */
  readonly factors: ReadonlyMap<PartyIndex, Scalar>;
  /** D_j + rho_j * E_j of each party. */
  readonly commitmentShares: ReadonlyMap<PartyIndex, Point>;
  /** R, the group commitment. */
  readonly R: Point;
  /** gR: -1 when an even-y suite meets an odd R. Every party's nonces count with it, and are known only now. */
  readonly nonceSign: Sign;
  /** c. */
  readonly challenge: Scalar;
}

/**
 * Computes binding factors, group commitment and challenge. The factors cover key, message and the entire list: with less, parallel
 * sessions would allow forgery. `commitments` strictly ascending. Raises `point_identity` when R has no encoding.
 */
export function bind(key: SigningKey, message: Uint8Array, commitments: readonly Commitment[]): Binding {
  const { suite, point } = key;
  const { curve } = suite;
  const prefix = bindingPrefix(key, message, commitments);
  const factors = new Map<PartyIndex, Scalar>();
  const commitmentShares = new Map<PartyIndex, Point>();
  for (const { party, D, E } of commitments) {
    const factor = suite.H1(concatBytes(prefix, curve.scalarFromNumber(party)));
    factors.set(party, factor);
    commitmentShares.set(party, curve.sum([D, curve.multiplyPoint(E, factor)]));
  }
  const R = curve.sum([...commitmentShares.values()]);
  const challenge = suite.H2(
    suite.evenY ? concatBytes(R.subarray(1), point.subarray(1), message) : concatBytes(R, point, message),
  );
  const nonceSign = suite.evenY && !hasEvenY(R) ? -1 : 1;
  return { parties: [...factors.keys()], factors, commitmentShares, R, nonceSign, challenge };
}

/** Element(P) ‖ H4(msg) ‖ H5(B): the part of every party's binding factor input that is the same. */
export function bindingPrefix(key: SigningKey, message: Uint8Array, commitments: readonly Commitment[]): Uint8Array {
  const { suite, point } = key;
  const list = commitments.flatMap(({ party, D, E }) => [suite.curve.scalarFromNumber(party), D, E]);
  return concatBytes(point, suite.H4(message), suite.H5(concatBytes(...list)));
}
