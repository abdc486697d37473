import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { hex } from "@countersign/bytes";
import { ristretto255_hasher as hasher, ristretto255 as noble } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import { systemRng } from "../testing/system-rng.ts";
import { prepareCurves } from "./prepare-curves.ts";
import { type Exponent, ristretto255 } from "./ristretto255.ts";

before(() => prepareCurves(systemRng));

const uniform = fc.uint8Array({ minLength: 64, maxLength: 64 });
const numberOf = (exponent: Exponent) => BigInt(`0x${hex(exponent.toReversed())}`);

describe("ristretto255", () => {
  test("computes what noble computes", () => {
    fc.assert(
      fc.property(uniform, uniform, (one, other) => {
        const k = ristretto255.randomExponent(() => one.slice());
        const P = ristretto255.fromUniform(other);
        const reference = hasher.deriveToCurve?.(other) ?? assert.fail("noble has no map.");

        assert.equal(hex(P), hex(reference.toBytes()));
        assert.equal(hex(ristretto255.multiplyBase(k)), hex(noble.Point.BASE.multiply(numberOf(k)).toBytes()));
        assert.equal(hex(ristretto255.multiply(k, P)), hex(reference.multiply(numberOf(k)).toBytes()));
        const base = ristretto255.multiplyBase(k);
        assert.equal(hex(ristretto255.subtract(ristretto255.add(P, base), base)), hex(P));
      }),
      { numRuns: 30 },
    );
  });

  test("refuses the identity, other lengths and what is no canonical encoding", () => {
    const bad = [
      new Uint8Array(32),
      new Uint8Array(31),
      new Uint8Array(33),
      new Uint8Array(32).fill(255),
      Uint8Array.of(1),
    ];
    for (const bytes of bad) assert.throws(() => ristretto255.decode(bytes), { code: "point_invalid" });
  });

  test("no operation returns the identity", () => {
    const P = ristretto255.multiplyBase(ristretto255.randomExponent(systemRng));

    assert.throws(() => ristretto255.subtract(P, P), { code: "point_identity" });
    assert.throws(() => ristretto255.randomExponent((size) => new Uint8Array(size)), { code: "scalar_zero" });
  });
});
