import type { Curve, Point, Scalar } from "../curves/curve.ts";
import type { Suite } from "../suites.ts";

/** +1 or -1, public. */
export type Sign = 1 | -1;

/**
 * A key on its way through additive tweaks (Schnorr specification, section 8; the contexts of BIP-327 and BIP-445). The secret of
 * `point` is sign * (secret of the start) + addend.
 */
export interface TweakContext {
  /** Q. */
  readonly point: Point;
  /** g. */
  readonly sign: Sign;
  /** a. */
  readonly addend: Scalar;
}

/** A key as one message is signed under it: stored shares stay as they are and count with a sign; the addend joins z once. */
export interface SigningKey {
  readonly suite: Suite;
  /** P of the challenge and of the binding factors; even-y suites: the point with even y. */
  readonly point: Point;
  /** v * g: sign of every share s_i and verification share Y_i. */
  readonly sign: Sign;
  /** v * a: c times this is added to z by the combiner. */
  readonly addend: Scalar;
}

/** The context of an untweaked key. */
export function startTweaks(curve: Curve, publicKey: Point): TweakContext {
  return { point: publicKey, sign: 1, addend: curve.scalarFromNumber(0) };
}

/**
 * Applies one tweak, a canonical scalar that the caller recomputed from a path or a Merkle root, never took from a message.
 * "x-only" (BIP-340 keys) first normalises the key to even y. Raises `point_identity`, `scalar_zero` for a zero tweak.
 */
export function applyTweak(curve: Curve, context: TweakContext, tweak: Scalar, mode: "plain" | "x-only"): TweakContext {
  const flip = mode === "x-only" && !hasEvenY(context.point) ? -1 : 1;
  const point = curve.sum([signedPoint(curve, flip, context.point), curve.multiplyBase(tweak)]);
  const addend = curve.add(tweak, signedScalar(curve, flip, context.addend));
  return { point, sign: flip === 1 ? context.sign : negateSign(context.sign), addend };
}

/** The key to sign under after the last tweak. */
export function finishTweaks(suite: Suite, context: TweakContext): SigningKey {
  const { curve } = suite;
  const normalise = suite.evenY && !hasEvenY(context.point) ? -1 : 1;
  return {
    suite,
    point: signedPoint(curve, normalise, context.point),
    sign: normalise === 1 ? context.sign : negateSign(context.sign),
    addend: signedScalar(curve, normalise, context.addend),
  };
}

/** Whether a SEC1 compressed point has even y. */
export function hasEvenY(point: Point): boolean {
  return point[0] === 2;
}

/** sign * a, for public signs. Returns `a` itself for +1. */
export function signedScalar(curve: Curve, sign: Sign, a: Scalar): Scalar {
  return sign === 1 ? a : curve.negate(a);
}

/** sign * P. */
export function signedPoint(curve: Curve, sign: Sign, point: Point): Point {
  return sign === 1 ? point : curve.negatePoint(point);
}

function negateSign(sign: Sign): Sign {
  return sign === 1 ? -1 : 1;
}
