import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { concatBytes, hex, u32be } from "@countersign/bytes";
import type { Curve, Point, Scalar } from "../curves/curve.ts";
import { prepareCurves } from "../curves/prepare-curves.ts";
import { secp256k1 } from "../curves/secp256k1.ts";
import { suiteOf, taggedHash } from "../suites.ts";
import { systemRng } from "../testing/system-rng.ts";
import { fromHex, readVectors } from "../testing/vectors.ts";
import { lagrangeCoefficient } from "./lagrange.ts";
import { tweakScalar } from "./signing-key.ts";
import { applyTweak, finishTweaks, hasEvenY, type SigningKey, signedScalar, startTweaks } from "./tweak.ts";

before(() => prepareCurves(systemRng));

const TR = suiteOf("FROST-secp256k1-SHA256-TR-v1");
const curve: Curve = secp256k1;

/** A published partial signature's parts; MuSig2 and BIP-445 differ only in how weight and nonce coefficient come about. */
interface PartialParts {
  readonly key: SigningKey;
  readonly aggnonce: Uint8Array;
  readonly nonceCoefficient: (xOnlyKey: Uint8Array) => Uint8Array;
  readonly message: Uint8Array;
  readonly k1: Scalar;
  readonly k2: Scalar;
  /** Lagrange or key aggregation coefficient. */
  readonly weight: Scalar;
  readonly secret: Scalar;
}

/** gR * (k1 + b * k2) + c * weight * v * g * secret. */
function partialSignature({ key, aggnonce, nonceCoefficient, message, k1, k2, weight, secret }: PartialParts): string {
  const x = key.point.subarray(1);
  const b = reduced(nonceCoefficient(x));
  const [R1, R2] = [aggnonce.subarray(0, 33), aggnonce.subarray(33)].map((bytes) => curve.decodePoint(bytes));
  assert.ok(R1 && R2);
  const R = curve.sum([R1, curve.multiplyPoint(R2, b)]);
  const c = TR.H2(concatBytes(R.subarray(1), x, message));
  const nonce = signedScalar(curve, hasEvenY(R) ? 1 : -1, curve.add(k1, curve.multiply(b, k2)));
  const term = curve.multiply(curve.multiply(c, weight), secret);
  return hex(curve.add(nonce, signedScalar(curve, key.sign, term)));
}

function tweaked(publicKey: Point, tweaks: readonly (readonly [Uint8Array, boolean])[]): SigningKey {
  let context = startTweaks(curve, publicKey);
  for (const [tweak, isXonly] of tweaks)
    context = applyTweak(curve, context, tweakScalar(tweak), isXonly ? "x-only" : "plain");
  return finishTweaks(TR, context);
}

interface Bip445Group {
  readonly tg_id: string;
  readonly thresh_pk: string;
  readonly secshares: readonly string[];
  readonly secnonces: readonly string[];
  readonly tweaks: readonly string[];
  readonly valid_tests: readonly {
    readonly my_id: number;
    readonly ids: readonly number[];
    readonly secshare_index: number;
    readonly secnonce_index: number;
    readonly aggnonce: string;
    readonly msg: string;
    readonly tweak_indices: readonly number[];
    readonly is_xonly: readonly boolean[];
    readonly expected: string;
  }[];
  readonly error_tests: readonly {
    readonly tweak_indices: readonly number[];
    readonly is_xonly: readonly boolean[];
    readonly error: { readonly message: string };
  }[];
}

describe("BIP-445 tweak vectors", () => {
  const groups = readVectors<{ test_groups: readonly Bip445Group[] }>("bip445/tweak_vectors.json").test_groups;
  const at = (list: readonly string[], index: number) => fromHex(list[index] ?? "");
  const tweaksOf = (
    group: Bip445Group,
    { tweak_indices, is_xonly }: Pick<Bip445Group["valid_tests"][0], "tweak_indices" | "is_xonly">,
  ) => tweak_indices.map((index, place) => [at(group.tweaks, index), is_xonly[place] ?? false] as const);

  for (const group of groups)
    test(`the tweak context of group ${group.tg_id} gives the published partial signatures`, () => {
      for (const vector of group.valid_tests) {
        const key = tweaked(curve.decodePoint(fromHex(group.thresh_pk)), tweaksOf(group, vector));
        const secnonce = at(group.secnonces, vector.secnonce_index);
        const aggnonce = fromHex(vector.aggnonce);
        const message = fromHex(vector.msg);
        const ids = vector.ids.toSorted((a, b) => a - b);
        const signature = partialSignature({
          key,
          aggnonce,
          message,
          nonceCoefficient: (x) => taggedHash("BIP0445/noncecoef", ...ids.map(u32be), aggnonce, x, message),
          k1: curve.decodeScalar(secnonce.subarray(0, 32)),
          k2: curve.decodeScalar(secnonce.subarray(32, 64)),
          weight: lagrangeCoefficient(
            curve,
            ids.map((id) => id + 1),
            vector.my_id + 1,
          ),
          secret: curve.decodeScalar(at(group.secshares, vector.secshare_index)),
        });
        assert.equal(signature, vector.expected.toLowerCase());
      }
    });

  test("a tweak that is not below the order or leads to the identity is refused", () => {
    const codes: Record<string, string> = {
      "The tweak value is out of range.": "tweak_invalid",
      "The result of tweaking cannot be infinity.": "point_identity",
      "The tweak must be a 32-byte array.": "tweak_invalid",
    };
    for (const group of groups)
      for (const vector of group.error_tests) {
        const code = codes[vector.error.message];
        // The remaining case, lists of different lengths, cannot be expressed here.
        if (code === undefined) continue;
        const publicKey = curve.decodePoint(fromHex(group.thresh_pk));
        assert.throws(() => tweaked(publicKey, tweaksOf(group, vector)), { code });
      }
  });
});

describe("BIP-327 tweak vectors", () => {
  const vectors = readVectors<{
    sk: string;
    pubkeys: string[];
    secnonce: string;
    aggnonce: string;
    tweaks: string[];
    msg: string;
    valid_test_cases: {
      key_indices: number[];
      tweak_indices: number[];
      is_xonly: boolean[];
      signer_index: number;
      expected: string;
      comment: string;
    }[];
    error_test_cases: { tweak_indices: number[] }[];
  }>("bitcoin/bip-0327-tweak_vectors.json");

  test("the tweak context gives the published MuSig2 partial signatures", () => {
    const [secnonce, aggnonce, message] = [vectors.secnonce, vectors.aggnonce, vectors.msg].map(fromHex);
    assert.ok(secnonce && aggnonce && message);
    for (const vector of vectors.valid_test_cases) {
      const keys = vector.key_indices.map((index) => curve.decodePoint(fromHex(vectors.pubkeys[index] ?? "")));
      const list = taggedHash("KeyAgg list", ...keys);
      const second = keys.find((key) => hex(key) !== hex(keys[0] ?? key));
      const coefficient = (key: Point) =>
        second !== undefined && hex(key) === hex(second)
          ? curve.scalarFromNumber(1)
          : reduced(taggedHash("KeyAgg coefficient", list, key));
      const aggregate = curve.sum(keys.map((key) => curve.multiplyPoint(key, coefficient(key))));
      const own = keys[vector.signer_index];
      assert.ok(own);
      const key = tweaked(
        aggregate,
        vector.tweak_indices.map((index, place) => [
          fromHex(vectors.tweaks[index] ?? ""),
          vector.is_xonly[place] ?? false,
        ]),
      );
      const signature = partialSignature({
        key,
        aggnonce,
        message,
        nonceCoefficient: (x) => taggedHash("MuSig/noncecoef", aggnonce, x, message),
        k1: curve.decodeScalar(secnonce.subarray(0, 32)),
        k2: curve.decodeScalar(secnonce.subarray(32, 64)),
        weight: coefficient(own),
        secret: curve.decodeScalar(fromHex(vectors.sk)),
      });
      assert.equal(signature, vector.expected.toLowerCase(), vector.comment);
    }
  });

  test("the tweak beyond the order is refused", () => {
    for (const { tweak_indices } of vectors.error_test_cases)
      for (const index of tweak_indices)
        assert.throws(() => tweakScalar(fromHex(vectors.tweaks[index] ?? "")), { code: "tweak_invalid" });
  });
});

test("a chain of plain and x-only tweaks keeps secret and key together", () => {
  for (let round = 0; round < 16; round++) {
    const secret = curve.randomScalar(systemRng);
    let context = startTweaks(curve, curve.multiplyBase(secret));
    for (let step = 0; step < 5; step++)
      context = applyTweak(
        curve,
        context,
        curve.randomScalar(systemRng),
        (round >> step) % 2 === 0 ? "plain" : "x-only",
      );
    const { point, sign, addend } = finishTweaks(TR, context);

    assert.ok(hasEvenY(point));
    assert.deepEqual(curve.multiplyBase(curve.add(signedScalar(curve, sign, secret), addend)), point);
  }
});

/** A tagged hash as a scalar, reduced as BIP-327 and BIP-445 do. */
function reduced(hash: Uint8Array): Scalar {
  return curve.reduceWide(concatBytes(new Uint8Array(16), hash));
}
