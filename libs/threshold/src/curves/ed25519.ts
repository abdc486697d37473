import { equalBytes, wipe } from "@countersign/bytes";
import { ProtocolAbort } from "../errors.ts";
import type { Curve, Point, Scalar } from "./curve.ts";
import { isAllZero, isBelow, littleEndian } from "./is-below.ts";
import { libsodium } from "./libsodium.ts";

const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const ORDER_BYTES = littleEndian(ORDER, 32);
const GENERATOR = Uint8Array.from([0x58, ...new Array<number>(31).fill(0x66)]);
const IDENTITY = littleEndian(1n, 32);
/** The encoding's top bit holds the sign of x. */
const SIGN_BIT = 0x80;
/** 2^253 > q: clearing three bits of 32 random bytes leaves a candidate that is below q about every second time. */
const CANDIDATE_TOP_MASK = 0x1f;

/**
 * The prime-order subgroup of edwards25519 by libsodium: no function here clamps. Scalar arithmetic and base multiplication are
 * constant time. libsodium's WebAssembly memory keeps copies of its arguments that nobody can wipe from outside.
 */
export const ed25519: Curve = {
  name: "ed25519",
  scalarSize: 32,
  pointSize: 32,
  generator: GENERATOR as Point,
  order: ORDER,

  scalarFromNumber(value) {
    const bytes = new Uint8Array(32);
    new DataView(bytes.buffer).setUint32(0, value, true);
    return bytes as Scalar;
  },
  decodeScalar(bytes) {
    if (bytes.length !== 32 || !isBelow(bytes, ORDER_BYTES))
      throw new ProtocolAbort("scalar_invalid", "Expected an Ed25519 scalar: 32 bytes, little-endian, below q.");
    return new Uint8Array(bytes) as Scalar;
  },
  reduceWide(bytes) {
    return libsodium().crypto_core_ed25519_scalar_reduce(bytes) as Scalar;
  },
  randomScalar(rng) {
    for (;;) {
      const candidate = rng(32);
      candidate[31] = (candidate[31] ?? 0) & CANDIDATE_TOP_MASK;
      if (isBelow(candidate, ORDER_BYTES) && !isAllZero(candidate)) return candidate as Scalar;
      wipe(candidate);
    }
  },
  isZero: isAllZero,
  add: (a, b) => libsodium().crypto_core_ed25519_scalar_add(a, b) as Scalar,
  subtract: (a, b) => libsodium().crypto_core_ed25519_scalar_sub(a, b) as Scalar,
  multiply: (a, b) => libsodium().crypto_core_ed25519_scalar_mul(a, b) as Scalar,
  negate: (a) => libsodium().crypto_core_ed25519_scalar_negate(a) as Scalar,
  invert(a) {
    refuseZero(a, "Zero has no inverse.");
    return libsodium().crypto_core_ed25519_scalar_invert(a) as Scalar;
  },

  decodePoint(bytes) {
    if (bytes.length !== 32 || !libsodium().crypto_core_ed25519_is_valid_point(bytes))
      throw new ProtocolAbort("point_invalid", "Expected a canonical Ed25519 point of prime order, 32 bytes.");
    return new Uint8Array(bytes) as Point;
  },
  assumePoint(bytes) {
    if (bytes.length !== 32) throw new ProtocolAbort("point_invalid", "Expected an Ed25519 point, 32 bytes.");
    return new Uint8Array(bytes) as Point;
  },
  multiplyBase(k) {
    refuseZero(k, "0*G is the identity.");
    return libsodium().crypto_scalarmult_ed25519_base_noclamp(k) as Point;
  },
  multiplyPoint: multiply,
  multiplySecret: multiply,
  sum(points) {
    let total: Uint8Array = IDENTITY;
    for (const point of points)
      total = total === IDENTITY ? point : orInvalid(() => libsodium().crypto_core_ed25519_add(total, point));
    if (equalBytes(total, IDENTITY)) throw new ProtocolAbort("point_identity", "A sum of points is the identity.");
    return total as Point;
  },
  negatePoint(p) {
    const negated = new Uint8Array(p);
    // Only a point with x = 0 has no second sign, and none of prime order has.
    negated[31] = (negated[31] ?? 0) ^ SIGN_BIT;
    return negated as Point;
  },
  equalPoints: equalBytes,
};

/** Verifies by libsodium, the strictest of the common rules: no small-order or non-canonical key or R, s below q. */
export function verifyEd25519(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  if (signature.length !== 64 || publicKey.length !== 32) return false;
  return libsodium().crypto_sign_verify_detached(signature, message, publicKey);
}

/** libsodium's multiplication of a point is constant time, so that it serves public and secret scalars. */
function multiply(p: Point, k: Scalar): Point {
  refuseZero(k, "0*P is the identity.");
  return orInvalid(() => libsodium().crypto_scalarmult_ed25519_noclamp(k, p));
}

/** libsodium looks again at each point that it multiplies or adds; only one that was assumed can fail that. */
function orInvalid(operation: () => Uint8Array): Point {
  try {
    return operation() as Point;
  } catch (cause) {
    throw new ProtocolAbort("point_invalid", "An assumed point is none.", { cause });
  }
}

function refuseZero(k: Scalar, why: string): void {
  if (isAllZero(k)) throw new ProtocolAbort("scalar_zero", why);
}
