import type { EdwardsPoint } from "@noble/curves/abstract/edwards.js";
import type { WeierstrassPoint } from "@noble/curves/abstract/weierstrass.js";
import { ed25519 as nobleEd } from "@noble/curves/ed25519.js";
import { secp256k1 as nobleK } from "@noble/curves/secp256k1.js";
import { ProtocolAbort } from "../../errors.ts";
import type { Curve, Point, Scalar } from "../curve.ts";

/** Big integers mod q in a curve's byte order: everything about scalars that the two reference curves share. */
function scalarsOf(order: bigint, littleEndian: boolean) {
  const read = (bytes: Uint8Array): bigint => {
    const text = Buffer.from(littleEndian ? bytes.toReversed() : bytes).toString("hex");
    return BigInt(`0x${text}`);
  };
  const write = (value: bigint): Scalar => {
    const reduced = ((value % order) + order) % order;
    const bytes = new Uint8Array(Buffer.from(reduced.toString(16).padStart(64, "0"), "hex"));
    return (littleEndian ? bytes.reverse() : bytes) as Scalar;
  };
  const nonZero = (a: Scalar): bigint => {
    const value = read(a);
    if (value === 0n) throw new ProtocolAbort("scalar_zero", "Zero.");
    return value;
  };
  const power = (base: bigint, exponent: bigint): bigint => {
    let result = 1n;
    for (let square = base, rest = exponent; rest > 0n; rest >>= 1n) {
      if (rest & 1n) result = (result * square) % order;
      square = (square * square) % order;
    }
    return result;
  };
  return {
    nonZero,
    scalarFromNumber: (value: number) => write(BigInt(value)),
    decodeScalar(bytes: Uint8Array) {
      if (bytes.length !== 32 || read(bytes) >= order) throw new ProtocolAbort("scalar_invalid", "Not canonical.");
      return new Uint8Array(bytes) as Scalar;
    },
    reduceWide: (bytes: Uint8Array) => write(read(bytes)),
    randomScalar(rng: (size: number) => Uint8Array) {
      return write(1n + (read(rng(64)) % (order - 1n)));
    },
    isZero: (a: Scalar) => read(a) === 0n,
    add: (a: Scalar, b: Scalar) => write(read(a) + read(b)),
    subtract: (a: Scalar, b: Scalar) => write(read(a) - read(b)),
    multiply: (a: Scalar, b: Scalar) => write(read(a) * read(b)),
    negate: (a: Scalar) => write(-read(a)),
    invert: (a: Scalar) => write(power(nonZero(a), order - 2n)),
  };
}

/** What the reference curves need of a noble point. */
interface ReferencePoint<P> {
  add(other: P): P;
  negate(): P;
  multiplyUnsafe(scalar: bigint): P;
  is0(): boolean;
  toBytes(): Uint8Array;
}

function pointsOf<P extends ReferencePoint<P>>(
  base: P,
  decode: (bytes: Uint8Array) => P,
  nonZero: (a: Scalar) => bigint,
) {
  const encode = (point: P): Point => {
    if (point.is0()) throw new ProtocolAbort("point_identity", "Identity.");
    return point.toBytes() as Point;
  };
  return {
    generator: encode(base),
    decodePoint(bytes: Uint8Array) {
      try {
        return encode(decode(bytes));
      } catch (cause) {
        throw new ProtocolAbort("point_invalid", "Not a valid point.", { cause });
      }
    },
    assumePoint: (bytes: Uint8Array) => new Uint8Array(bytes) as Point,
    multiplyBase: (k: Scalar) => encode(base.multiplyUnsafe(nonZero(k))),
    multiplyPoint: (p: Point, k: Scalar) => encode(decode(p).multiplyUnsafe(nonZero(k))),
    multiplySecret: (p: Point, k: Scalar) => encode(decode(p).multiplyUnsafe(nonZero(k))),
    sum: (points: readonly Point[]) => encode(points.map(decode).reduce((a, b) => a.add(b))),
    negatePoint: (p: Point) => encode(decode(p).negate()),
    equalPoints: (a: Point, b: Point) => Buffer.compare(a, b) === 0,
  };
}

const edScalars = scalarsOf(nobleEd.Point.Fn.ORDER, true);
const kScalars = scalarsOf(nobleK.Point.Fn.ORDER, false);

/** Reference for tests: noble points, big integers. Not constant time. */
export const nobleEd25519: Curve = {
  name: "ed25519",
  scalarSize: 32,
  pointSize: 32,
  order: nobleEd.Point.Fn.ORDER,
  ...edScalars,
  ...pointsOf<EdwardsPoint>(nobleEd.Point.BASE, decodeEdwards, edScalars.nonZero),
};

/** Reference for tests: noble points, big integers. Not constant time. */
export const nobleSecp256k1: Curve = {
  name: "secp256k1",
  scalarSize: 32,
  pointSize: 33,
  order: nobleK.Point.Fn.ORDER,
  ...kScalars,
  ...pointsOf<WeierstrassPoint<bigint>>(nobleK.Point.BASE, decodeWeierstrass, kScalars.nonZero),
};

function decodeEdwards(bytes: Uint8Array): EdwardsPoint {
  const point = nobleEd.Point.fromBytes(bytes, false);
  if (!point.isTorsionFree()) throw new Error("Not of prime order.");
  return point;
}

function decodeWeierstrass(bytes: Uint8Array): WeierstrassPoint<bigint> {
  if (bytes.length !== 33) throw new Error("Not compressed.");
  return nobleK.Point.fromBytes(bytes);
}
