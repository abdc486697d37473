import { equalBytes, wipe } from "@countersign/bytes";
import { invert } from "@noble/curves/abstract/modular.js";
import { ProtocolAbort } from "../errors.ts";
import type { Curve, Point, Scalar } from "./curve.ts";
import { isAllZero, isBelow, littleEndian } from "./is-below.ts";
import { libsecp256k1 } from "./libsecp256k1.ts";

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const ORDER_BYTES = littleEndian(ORDER, 32);
const GENERATOR = Uint8Array.from(
  Buffer.from("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798", "hex"),
);
/** 2^128: what the halves of a wide hash output are weighed with. */
const TWO_128 = bigEndian(1n << 128n);
/** 48 bytes of hash_to_field (RFC 9380, L = 48), read as three limbs. */
const WIDE_SIZE = 48;
const LIMB_SIZE = 16;

/** secp256k1 by libsecp256k1: scalar arithmetic and base multiplication are constant time. */
export const secp256k1: Curve = {
  name: "secp256k1",
  scalarSize: 32,
  pointSize: 33,
  generator: GENERATOR as Point,
  order: ORDER,

  scalarFromNumber(value) {
    const bytes = new Uint8Array(32);
    new DataView(bytes.buffer).setUint32(28, value);
    return bytes as Scalar;
  },
  decodeScalar(bytes) {
    if (bytes.length !== 32 || !isCanonical(bytes))
      throw new ProtocolAbort("scalar_invalid", "Expected a secp256k1 scalar: 32 bytes, big-endian, below n.");
    return new Uint8Array(bytes) as Scalar;
  },
  reduceWide(bytes) {
    // Horner over 128-bit limbs keeps every step inside libsecp256k1: the output of H3 is a secret nonce.
    let total = new Uint8Array(32) as Scalar;
    for (let offset = 0; offset < WIDE_SIZE; offset += LIMB_SIZE) {
      const limb = new Uint8Array(32) as Scalar;
      limb.set(bytes.subarray(offset, offset + LIMB_SIZE), LIMB_SIZE);
      const shifted = multiply(total, TWO_128);
      const next = add(shifted, limb);
      wipe(total, shifted, limb);
      total = next;
    }
    return total;
  },
  randomScalar(rng) {
    for (;;) {
      const candidate = rng(32);
      if (isCanonical(candidate) && !isAllZero(candidate)) return candidate as Scalar;
      wipe(candidate);
    }
  },
  isZero: isAllZero,
  add,
  subtract(a, b) {
    const negated = negate(b);
    const difference = add(a, negated);
    wipe(negated);
    return difference;
  },
  multiply,
  negate,
  invert(a) {
    refuseZero(a, "Zero has no inverse.");
    return bigEndian(invert(BigInt(`0x${Buffer.from(a).toString("hex")}`), ORDER));
  },

  decodePoint,
  // The group has prime order and parsing is cheap: there is nothing to leave out.
  assumePoint: decodePoint,
  multiplyBase(k) {
    refuseZero(k, "0*G is the identity.");
    return libsecp256k1().publicKeyCreate(k, true) as Point;
  },
  multiplyPoint(p, k) {
    refuseZero(k, "0*P is the identity.");
    return libsecp256k1().publicKeyTweakMul(p, k, true) as Point;
  },
  multiplySecret(p, k) {
    refuseZero(k, "0*P is the identity.");
    // The addon's Diffie-Hellman is its constant-time multiplication; the hash function hands the point through.
    return libsecp256k1().ecdh(p, k, { hashfn: compress }, new Uint8Array(33)) as Point;
  },
  sum(points) {
    try {
      return libsecp256k1().publicKeyCombine(points, true) as Point;
    } catch (cause) {
      // Points are valid by their type, so that a sum without encoding is all that can go wrong.
      throw new ProtocolAbort("point_identity", "A sum of points is the identity.", { cause });
    }
  },
  negatePoint: (p) => libsecp256k1().publicKeyNegate(p, true) as Point,
  equalPoints: equalBytes,
};

function decodePoint(bytes: Uint8Array): Point {
  if (bytes.length !== 33 || !libsecp256k1().publicKeyVerify(bytes))
    throw new ProtocolAbort("point_invalid", "Expected a compressed secp256k1 point, 33 bytes.");
  return new Uint8Array(bytes) as Point;
}

/** SEC1 compressed form of affine coordinates. */
function compress(x: Uint8Array, y: Uint8Array): Uint8Array {
  const point = new Uint8Array(33);
  point[0] = 2 + ((y[31] ?? 0) & 1);
  point.set(x, 1);
  return point;
}

/**
 * The addon takes no zero and returns none. Branching on it tells that a scalar is zero, which a secret one is with
 * probability 2^-256.
 */
function add(a: Scalar, b: Scalar): Scalar {
  if (isAllZero(a)) return new Uint8Array(b) as Scalar;
  const total = new Uint8Array(a) as Scalar;
  if (isAllZero(b)) return total;
  const negated = negate(b);
  const cancels = equalBytes(a, negated);
  wipe(negated);
  if (cancels) return new Uint8Array(32) as Scalar;
  libsecp256k1().privateKeyTweakAdd(total, b);
  return total;
}

function multiply(a: Scalar, b: Scalar): Scalar {
  if (isAllZero(a) || isAllZero(b)) return new Uint8Array(32) as Scalar;
  const product = new Uint8Array(a) as Scalar;
  libsecp256k1().privateKeyTweakMul(product, b);
  return product;
}

function negate(a: Scalar): Scalar {
  const negated = new Uint8Array(a) as Scalar;
  if (!isAllZero(a)) libsecp256k1().privateKeyNegate(negated);
  return negated;
}

function isCanonical(bytes: Uint8Array): boolean {
  const reversed = bytes.toReversed();
  const isCanonical = isBelow(reversed, ORDER_BYTES);
  wipe(reversed);
  return isCanonical;
}

function refuseZero(k: Scalar, why: string): void {
  if (isAllZero(k)) throw new ProtocolAbort("scalar_zero", why);
}

function bigEndian(value: bigint): Scalar {
  return littleEndian(value, 32).reverse() as Scalar;
}
