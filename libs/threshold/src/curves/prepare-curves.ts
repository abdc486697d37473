import assert from "node:assert/strict";
import { decodeHex, hex, wipe } from "@countersign/bytes";
import type { Rng } from "../delivery.ts";
import { thresholdError } from "../errors.ts";
import type { Curve } from "./curve.ts";
import { ed25519 } from "./ed25519.ts";
import { loadLibsecp256k1 } from "./libsecp256k1.ts";
import { prepareLibsodium } from "./libsodium.ts";
import { type Exponent, ristretto255 } from "./ristretto255.ts";
import { secp256k1 } from "./secp256k1.ts";

/** Published answers: RFC 9591 appendix E group keys, and doubles of the generators. */
export interface KnownAnswers {
  readonly curve: Curve;
  readonly secret: string;
  readonly publicKey: string;
  readonly doubledGenerator: string;
  /** secret * secret mod q. */
  readonly square: string;
  readonly refusedPoint: string;
}

export const KNOWN_ANSWERS: readonly KnownAnswers[] = [
  {
    curve: ed25519,
    secret: "7b1c33d3f5291d85de664833beb1ad469f7fb6025a0ec78b3a790c6e13a98304",
    publicKey: "15d21ccd7ee42959562fc8aa63224c8851fb3ec85a3faf66040d380fb9738673",
    doubledGenerator: "c9a3f86aae465f0e56513864510f3997561fa2c9e85ea21dc2292309f3cd6022",
    square: "fca5b31fe9def592840e3435ced7a161a0654af80402857ae8b179e23e3cd409",
    // Of order two: y = -1.
    refusedPoint: "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  },
  {
    curve: secp256k1,
    secret: "0d004150d27c3bf2a42f312683d35fac7394b1e9e318249c1bfe7f0795a83114",
    publicKey: "02f37c34b66ced1fb51c34a90bdae006901f10625cc06c4f64663b0eae87d87b4f",
    doubledGenerator: "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5",
    square: "ab7fb3a62e3644c8a03fea6e530f45ad4db10bff9618a8fd7458469b2d9846cb",
    // x = 5 is not on the curve.
    refusedPoint: "020000000000000000000000000000000000000000000000000000000000000005",
  },
];

/**
 * Readies the production curves: waits for libsodium, loads libsecp256k1, blinds it with `rng`, and checks both against known
 * answers. Await it once per thread before anything else of this package; calling it again blinds afresh. Raises
 * `curves_unavailable` when a library is missing or computes wrongly; a signer must not start then.
 */
export async function prepareCurves(rng: Rng): Promise<void> {
  await prepareLibsodium();
  const blinding = rng(32);
  loadLibsecp256k1(blinding);
  wipe(blinding);
  for (const answers of KNOWN_ANSWERS) selfTest(answers);
  selfTestRistretto(ristretto255);
}

/** RFC 9496, appendix A.1 (multiples of the generator), A.2 (a bad encoding) and A.3 (the map from 64 bytes). */
const RISTRETTO = {
  doubled: "6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919",
  refused: "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
  uniform:
    "5d1be09e3d0c82fc538112490e35701979d99e06ca3e2b5b54bffe8b4dc772c14d98b696a1bbfb5ca32c436cc61c16563790306c79eaca7705668b47dffe5bb6",
  mapped: "3066f82a1a747d45120d1740f14358531a8f04bbffe6a819f86dfe50f44a0a46",
};

/** Checks each operation of ristretto255 once; raises `curves_unavailable`. A build of libsodium may lack the group silently. */
export function selfTestRistretto(group: typeof ristretto255): void {
  const number = (value: number) => Uint8Array.of(value, ...new Uint8Array(31)) as Exponent;
  const base = () => group.multiplyBase(number(1));
  const answers: Readonly<Record<string, () => boolean>> = {
    multiplyBase: () => hex(group.multiplyBase(number(2))) === RISTRETTO.doubled,
    multiply: () => hex(group.multiply(number(2), base())) === RISTRETTO.doubled,
    add: () => hex(group.add(base(), base())) === RISTRETTO.doubled,
    subtract: () => hex(group.subtract(group.multiplyBase(number(3)), base())) === RISTRETTO.doubled,
    fromUniform: () => hex(group.fromUniform(decodeHex(RISTRETTO.uniform))) === RISTRETTO.mapped,
    decode: () => isRefused(() => group.decode(decodeHex(RISTRETTO.refused))),
  };
  for (const [operation, isRight] of Object.entries(answers))
    if (isRefused(() => assert(isRight())))
      throw thresholdError("curves_unavailable", `ristretto255 answers ${operation} wrongly on this machine.`);
}

/** Checks each operation of a curve once; raises `curves_unavailable` at the first wrong answer. */
export function selfTest(answers: KnownAnswers): void {
  const { curve } = answers;
  const secret = curve.decodeScalar(decodeHex(answers.secret));
  const publicKey = curve.multiplyBase(secret);
  const one = curve.scalarFromNumber(1);
  const two = curve.scalarFromNumber(2);
  expect(curve, "multiplyBase", hex(publicKey) === answers.publicKey);
  expect(curve, "multiplyPoint", hex(curve.multiplyPoint(curve.generator, two)) === answers.doubledGenerator);
  expect(curve, "multiplySecret", hex(curve.multiplySecret(curve.generator, two)) === answers.doubledGenerator);
  expect(curve, "multiply", hex(curve.multiply(secret, secret)) === answers.square);
  expect(curve, "invert", hex(curve.multiply(secret, curve.invert(secret))) === hex(one));
  expect(curve, "add", hex(curve.add(one, one)) === hex(two));
  expect(curve, "subtract", curve.isZero(curve.subtract(secret, secret)));
  expect(curve, "negate", curve.isZero(curve.add(secret, curve.negate(secret))));
  expect(
    curve,
    "decodePoint",
    isRefused(() => curve.decodePoint(decodeHex(answers.refusedPoint))),
  );
  expect(
    curve,
    "sum",
    isRefused(() => curve.sum([publicKey, curve.negatePoint(publicKey)])),
  );
}

function expect(curve: Curve, operation: string, isRight: boolean): void {
  if (!isRight)
    throw thresholdError("curves_unavailable", `${curve.name} answers ${operation} wrongly on this machine.`);
}

function isRefused(operation: () => unknown): boolean {
  try {
    operation();
    return false;
  } catch {
    // Any refusal is the known answer here.
    return true;
  }
}
