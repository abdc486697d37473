import type { Rng } from "../delivery.ts";

declare const scalarBrand: unique symbol;
declare const pointBrand: unique symbol;

/** A scalar mod q in the curve's encoding: 32 bytes, canonical. Ed25519 little-endian, secp256k1 big-endian. May be secret. */
export type Scalar = Uint8Array & { readonly [scalarBrand]: true };

/** A public point in the curve's encoding, valid, of prime order, never the identity. Ed25519 32 bytes, secp256k1 33 (SEC1 compressed). */
export type Point = Uint8Array & { readonly [pointBrand]: true };

/**
 * A prime-order group for threshold protocols. Implementations: libsodium for Ed25519, libsecp256k1 for secp256k1 (production),
 * noble for both (reference in tests).
 *
 * Scalar operations, `multiplyBase` and `multiplySecret` take secrets and are constant time in production implementations; `invert` and
 * `multiplyPoint` are for public scalars. Results that have no encoding raise `point_identity` or `scalar_zero`
 * (`ProtocolAbort` without culprits; a caller that knows whose message caused it rethrows with the culprit).
 */
export interface Curve {
  readonly name: "ed25519" | "secp256k1";
  /** 32. */
  readonly scalarSize: number;
  /** 32 or 33. */
  readonly pointSize: number;
  /** The base point G. */
  readonly generator: Point;
  /** The group order q, public, for tests and index arithmetic. */
  readonly order: bigint;

  /** A small public integer, 0..2^32-1, as a scalar. */
  scalarFromNumber(value: number): Scalar;
  /** Accepts exactly the canonical encodings of 0..q-1; raises `scalar_invalid`. Never reduces. */
  decodeScalar(bytes: Uint8Array): Scalar;
  /** Reduces a uniform hash output mod q: Ed25519 64 bytes little-endian, secp256k1 48 bytes big-endian. */
  reduceWide(bytes: Uint8Array): Scalar;
  /** Uniform in 1..q-1, by rejection. */
  randomScalar(rng: Rng): Scalar;
  isZero(a: Scalar): boolean;
  add(a: Scalar, b: Scalar): Scalar;
  subtract(a: Scalar, b: Scalar): Scalar;
  multiply(a: Scalar, b: Scalar): Scalar;
  negate(a: Scalar): Scalar;
  /** For public scalars; raises `scalar_zero` for 0. */
  invert(a: Scalar): Scalar;

  /** Accepts canonical encodings of non-identity points of prime order (for Ed25519 with the subgroup check); raises `point_invalid`. */
  decodePoint(bytes: Uint8Array): Point;
  /**
   * Takes an encoding for a point without asking whether it is one of prime order, for results that are judged as a whole before
   * anything depends on them. Raises `point_invalid` for what has not even the form; `multiplyPoint` and `sum` raise it for what
   * is off the curve. A part of small order can come through `sum`.
   */
  assumePoint(bytes: Uint8Array): Point;
  /** k*G in constant time; raises `scalar_zero` for 0. */
  multiplyBase(k: Scalar): Point;
  /** k*P for a public scalar; raises `scalar_zero` for 0. */
  multiplyPoint(p: Point, k: Scalar): Point;
  /** k*P for a secret scalar, in constant time; raises `scalar_zero` for 0. */
  multiplySecret(p: Point, k: Scalar): Point;
  /** Sum of one or more points; raises `point_identity` when the sum is the identity. */
  sum(points: readonly Point[]): Point;
  negatePoint(p: Point): Point;
  equalPoints(a: Point, b: Point): boolean;
}
