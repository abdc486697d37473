import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { ed25519 as nobleEd } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import { systemRng } from "../testing/system-rng.ts";
import { fromHex, readVectors } from "../testing/vectors.ts";
import type { Curve, Scalar } from "./curve.ts";
import { ed25519 } from "./ed25519.ts";
import { prepareCurves } from "./prepare-curves.ts";
import { secp256k1 } from "./secp256k1.ts";
import { nobleEd25519, nobleSecp256k1 } from "./testing/noble.ts";

before(() => prepareCurves(systemRng));

const RUNS = { numRuns: 60 };
const PAIRS: readonly (readonly [Curve, Curve])[] = [
  [ed25519, nobleEd25519],
  [secp256k1, nobleSecp256k1],
];

for (const [curve, reference] of PAIRS) {
  const { order } = curve;
  const isLittleEndian = curve.name === "ed25519";
  const encode = (value: bigint): Uint8Array => {
    const bytes = fromHex(value.toString(16).padStart(64, "0"));
    return isLittleEndian ? bytes.reverse() : bytes;
  };
  const edges = [0n, 1n, 2n, order - 1n, order - 2n, (order - 1n) / 2n].map((value) => encode(value) as Scalar);
  const scalars = fc.oneof(
    fc.constantFrom(...edges),
    fc.bigInt(0n, order - 1n).map((value) => encode(value) as Scalar),
  );

  describe(curve.name, () => {
    test("scalar arithmetic equals the reference, also at 0, 1 and q - 1", () => {
      fc.assert(
        fc.property(scalars, scalars, (a, b) => {
          assert.deepEqual(curve.add(a, b), reference.add(a, b));
          assert.deepEqual(curve.subtract(a, b), reference.subtract(a, b));
          assert.deepEqual(curve.multiply(a, b), reference.multiply(a, b));
          assert.deepEqual(curve.negate(a), reference.negate(a));
          assert.equal(curve.isZero(a), reference.isZero(a));
        }),
        { numRuns: 300 },
      );
    });

    test("an argument is never changed, also when it is a view of a larger buffer", () => {
      fc.assert(
        fc.property(scalars, scalars, (a, b) => {
          const [left, right] = [Buffer.from(a), Buffer.from(b)] as unknown as [Scalar, Scalar];
          curve.add(left, right);
          curve.subtract(left, right);
          curve.multiply(left, right);
          curve.negate(left);
          curve.decodeScalar(left).fill(1);
          assert.deepEqual([new Uint8Array(left), new Uint8Array(right)], [a, b]);
        }),
        RUNS,
      );
    });

    test("inverses equal the reference, and zero has none", () => {
      fc.assert(
        fc.property(scalars, (a) => {
          if (curve.isZero(a)) assert.throws(() => curve.invert(a), { code: "scalar_zero" });
          else assert.deepEqual(curve.invert(a), reference.invert(a));
        }),
        RUNS,
      );
    });

    test("multiples and sums of points equal the reference, and the identity is refused by name", () => {
      fc.assert(
        fc.property(scalars, scalars, (a, b) => {
          const outcome = (of: Curve) => {
            const A = attempt(() => of.multiplyBase(a));
            const B = attempt(() => of.multiplyBase(b));
            if (typeof A === "string" || typeof B === "string") return [A, B];
            const { generator } = of;
            return [
              A,
              attempt(() => of.multiplyPoint(A, b)),
              attempt(() => of.multiplySecret(A, b)),
              attempt(() => of.sum([A, B])),
              attempt(() => of.sum([A, generator, B])),
              attempt(() => of.sum([A, of.negatePoint(A), B])),
              attempt(() => of.sum([A, of.negatePoint(A)])),
              attempt(() => of.sum([A])),
              of.negatePoint(A),
              of.equalPoints(A, B),
            ];
          };
          assert.deepEqual(outcome(curve), outcome(reference));
        }),
        RUNS,
      );
    });

    test("a wide hash output is reduced as the reference does", () => {
      const size = isLittleEndian ? 64 : 48;
      const wide = fc.oneof(
        fc.uint8Array({ minLength: size, maxLength: size }),
        fc.constantFrom(new Uint8Array(size), new Uint8Array(size).fill(0xff)),
      );
      fc.assert(fc.property(wide, (bytes) => assert.deepEqual(curve.reduceWide(bytes), reference.reduceWide(bytes))));
    });

    test("small numbers are encoded as the reference does", () => {
      for (const value of [0, 1, 255, 256, 65_535, 2 ** 32 - 1])
        assert.deepEqual(curve.scalarFromNumber(value), reference.scalarFromNumber(value));
    });

    test("exactly the canonical 32-byte scalars below q decode", () => {
      for (const value of [0n, 1n, order - 1n]) assert.deepEqual(curve.decodeScalar(encode(value)), encode(value));
      const refused = [order, order + 1n, 2n ** 256n - 1n].map(encode);
      // A decoder that ignores the high bits would take these for 1 and q - 1.
      if (isLittleEndian)
        refused.push(encode(2n ** 255n + 1n), encode(2n ** 253n + 1n), encode(order - 1n + 2n ** 255n));
      for (const bytes of [...refused, new Uint8Array(31), new Uint8Array(33), new Uint8Array(0)])
        assert.throws(() => curve.decodeScalar(bytes), { code: "scalar_invalid" });
    });

    test("random scalars are below q, not zero, and drawn again until they are", () => {
      const draws = [new Uint8Array(32), new Uint8Array(32).fill(0xff), encode(order), encode(order - 1n)];
      let drawn = 0;
      const scalar = curve.randomScalar((size) => {
        assert.equal(size, 32);
        return new Uint8Array(draws[drawn++] ?? []);
      });
      assert.equal(drawn, draws.length);
      assert.deepEqual(new Uint8Array(scalar), encode(order - 1n));
    });

    test("random bytes decode as a point exactly if the reference decodes them", () => {
      const bytes = fc.uint8Array({ minLength: curve.pointSize, maxLength: curve.pointSize }).map((random) => {
        if (!isLittleEndian) random[0] = 2 + ((random[0] ?? 0) & 1);
        return random;
      });
      fc.assert(
        fc.property(bytes, (encoding) => {
          const outcome = (of: Curve) => attempt(() => of.decodePoint(encoding));
          assert.deepEqual(outcome(curve), outcome(reference));
        }),
        { numRuns: 200 },
      );
    });

    test("a point of another length is refused", () => {
      const { generator } = curve;
      for (const bytes of [
        generator.subarray(1),
        Uint8Array.of(...generator, 0),
        new Uint8Array(0),
        new Uint8Array(65),
      ])
        assert.throws(() => curve.decodePoint(bytes), { code: "point_invalid" });
    });

    test("the samples of the ZF FROST suites decode and their invalid elements do not", () => {
      const suites = isLittleEndian ? ["frost-ed25519"] : ["frost-secp256k1", "frost-secp256k1-tr"];
      for (const suite of suites) {
        const samples = readVectors<Record<"identifier" | "element1" | "element2" | "scalar1", string>>(
          `frost/${suite}.samples.json`,
        );
        const { elements } = readVectors<{ elements: { invalid_element: string } }>(`frost/${suite}.elements.json`);

        assert.deepEqual(curve.decodeScalar(fromHex(samples.identifier)), curve.scalarFromNumber(42));
        assert.deepEqual(curve.decodePoint(fromHex(samples.element1)), curve.generator);
        assert.deepEqual(
          curve.decodePoint(fromHex(samples.element2)),
          curve.multiplyPoint(curve.generator, curve.scalarFromNumber(2)),
        );
        curve.decodeScalar(fromHex(samples.scalar1));
        assert.throws(() => curve.decodePoint(fromHex(elements.invalid_element)), { code: "point_invalid" });
      }
    });
  });
}

describe("edwards25519 encodings", () => {
  const { BASE, fromBytes } = nobleEd.Point;
  const torsion = fromBytes(fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"));

  test("what was only assumed to be a point is refused where it is used", () => {
    const [k, good] = [ed25519.scalarFromNumber(5), ed25519.generator];
    const offCurve = ed25519.assumePoint(new Uint8Array(32).fill(2));
    const mixed = ed25519.assumePoint(fromBytes(good).add(torsion).toBytes());

    assert.throws(() => ed25519.assumePoint(new Uint8Array(31)), { code: "point_invalid" });
    assert.throws(() => ed25519.sum([good, offCurve]), { code: "point_invalid" });
    assert.throws(() => ed25519.multiplyPoint(offCurve, k), { code: "point_invalid" });
    assert.throws(() => ed25519.multiplyPoint(mixed, k), { code: "point_invalid" });
    assert.throws(() => secp256k1.assumePoint(new Uint8Array(33).fill(5)), { code: "point_invalid" });
  });

  test("no point of small or mixed order decodes, for any of the eight torsion points", () => {
    let small = nobleEd.Point.ZERO;
    for (let index = 0; index < 8; index++, small = small.add(torsion)) {
      const refused = index === 0 ? [small] : [small, BASE.multiply(5n).add(small)];
      for (const point of refused)
        assert.throws(() => ed25519.decodePoint(point.toBytes()), { code: "point_invalid" }, `torsion ${index}`);
    }
    assert.ok(small.is0());
  });

  test("no non-canonical encoding decodes", () => {
    const p = 2n ** 255n - 19n;
    const encode = (y: bigint, sign: 0 | 1) => {
      const bytes = fromHex(y.toString(16).padStart(64, "0")).reverse();
      bytes[31] = (bytes[31] ?? 0) | (sign << 7);
      return bytes;
    };
    // y = p + k stands for y = k; x = 0 has no negative.
    for (let y = p; y < 2n ** 255n; y++)
      for (const sign of [0, 1] as const)
        assert.throws(() => ed25519.decodePoint(encode(y, sign)), { code: "point_invalid" });
    for (const y of [1n, p - 1n]) assert.throws(() => ed25519.decodePoint(encode(y, 1)), { code: "point_invalid" });
    assert.throws(() => ed25519.decodePoint(new Uint8Array(32).fill(0xff)), { code: "point_invalid" });
  });
});

describe("secp256k1 encodings", () => {
  test("only the prefixes 02 and 03 and x below p decode", () => {
    const x = secp256k1.generator.subarray(1);
    const p = fromHex("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f");
    for (const prefix of [0, 1, 4, 5, 6, 7, 255])
      assert.throws(() => secp256k1.decodePoint(Uint8Array.of(prefix, ...x)), { code: "point_invalid" });
    for (const abscissa of [p, new Uint8Array(32).fill(0xff), new Uint8Array(32)])
      assert.throws(() => secp256k1.decodePoint(Uint8Array.of(2, ...abscissa)), { code: "point_invalid" });
  });
});

/** The result, or the code of the refusal. */
function attempt<Result>(operation: () => Result): Result | string {
  try {
    return operation();
  } catch (error) {
    assert.ok(error instanceof Error && "code" in error && typeof error.code === "string", String(error));
    return error.code;
  }
}
