import assert from "node:assert/strict";
import { test } from "node:test";
import { systemRng } from "../testing/system-rng.ts";
import type { Curve, Scalar } from "./curve.ts";
import { ed25519 } from "./ed25519.ts";
import { KNOWN_ANSWERS, prepareCurves, selfTest, selfTestRistretto } from "./prepare-curves.ts";
import { ristretto255 } from "./ristretto255.ts";
import { secp256k1 } from "./secp256k1.ts";

// These tests run in order: the first needs a process where nothing is prepared yet.
test("a curve refuses to work before it is prepared", async () => {
  for (const curve of [ed25519, secp256k1])
    assert.throws(() => curve.multiplyBase(curve.scalarFromNumber(1)), { code: "curves_unprepared", kind: "bug" });

  await prepareCurves(systemRng);

  for (const curve of [ed25519, secp256k1])
    assert.deepEqual(curve.multiplyBase(curve.scalarFromNumber(1)), curve.generator);
});

test("the blinding seed is asked for once and wiped", async () => {
  const seeds: Uint8Array[] = [];

  await prepareCurves((size) => {
    const seed = systemRng(size);
    seeds.push(seed);
    return seed;
  });

  assert.deepEqual(seeds, [new Uint8Array(32)]);
});

test("the self-test fails for every operation that answers wrongly", () => {
  for (const answers of KNOWN_ANSWERS) {
    const { curve } = answers;
    const one = curve.scalarFromNumber(1);
    const wrong: { [Operation in keyof Curve]?: Curve[Operation] } = {
      multiplyBase: () => curve.generator,
      multiplyPoint: (point) => point,
      multiplySecret: (point) => point,
      multiply: (a) => a,
      invert: () => one,
      add: () => one,
      subtract: (a) => a,
      negate: (a: Scalar) => a,
      decodePoint: () => curve.generator,
      sum: () => curve.generator,
    };
    for (const [operation, answer] of Object.entries(wrong))
      assert.throws(
        () => selfTest({ ...answers, curve: { ...curve, [operation]: answer } }),
        { code: "curves_unavailable" },
        `${curve.name} ${operation}`,
      );
  }
});

test("the self-test fails for every operation of ristretto255 that answers wrongly or is missing", () => {
  const wrong = ristretto255.multiplyBase(ristretto255.randomExponent(systemRng));
  for (const operation of ["multiplyBase", "multiply", "add", "subtract", "fromUniform", "decode"] as const)
    for (const answer of [() => wrong, ...(operation === "decode" ? [] : [undefined])])
      assert.throws(
        () => selfTestRistretto({ ...ristretto255, [operation]: answer }),
        { code: "curves_unavailable" },
        operation,
      );
});
