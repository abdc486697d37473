import assert from "node:assert/strict";
import { before, test } from "node:test";
import { hex } from "@countersign/bytes";
import { prepareCurves } from "../curves/prepare-curves.ts";
import { suiteOf } from "../suites.ts";
import { systemRng } from "../testing/system-rng.ts";
import { deal } from "./dealing.ts";
import { decodePackage } from "./encoding.ts";
import { dkgVectors, recordedRng } from "./testing/dkg-vectors.ts";

const NO_CONTEXT = new Uint8Array(0);
const PARTIES = [1, 2, 3];

before(() => prepareCurves(systemRng));

for (const { suite: name, parties: published } of dkgVectors()) {
  test(`${name}: a dealing with the published coefficients and nonce is the published one`, () => {
    const suite = suiteOf(name);
    const { curve } = suite;
    for (const { index, coefficients, commitments, R, mu } of published) {
      // The files do not print the nonce: k = mu - a_0 * c.
      const [a0 = NO_CONTEXT, C0 = NO_CONTEXT] = [coefficients[0], commitments[0]];
      const challenge = suite.HDKG(Buffer.concat([curve.scalarFromNumber(index), C0, R]));
      const nonce = curve.subtract(curve.decodeScalar(mu), curve.multiply(curve.decodeScalar(a0), challenge));
      const rng = recordedRng([...coefficients, nonce]);

      const dealing = deal({ suite, context: NO_CONTEXT, dealer: index, parties: PARTIES, threshold: 2, rng });

      assert.deepEqual(dealing.package.commitments.map(hex), commitments.map(hex));
      assert.equal(hex(dealing.package.R), hex(R));
      assert.equal(hex(dealing.package.mu), hex(mu));
      assert.deepEqual(decodePackage(curve, 2, dealing.encodedPackage), dealing.package);
      for (const receiver of published)
        if (receiver.index !== index)
          assert.equal(
            hex(dealing.shares.get(receiver.index) ?? NO_CONTEXT),
            hex(receiver.received.get(index) ?? NO_CONTEXT),
          );
    }
  });
}

test("a polynomial with a root at a party is drawn again, so that no honest share is zero", () => {
  // f(x) = 2 - x is zero at party 2; the second draw, 2 + x, at none.
  const suite = suiteOf("FROST-ED25519-SHA512-v1");
  const { curve } = suite;
  const [one, two] = [curve.scalarFromNumber(1), curve.scalarFromNumber(2)];
  const rng = recordedRng([two, curve.negate(one), two, one]);

  const dealing = deal({ suite, context: NO_CONTEXT, dealer: 1, parties: PARTIES, threshold: 2, rng });

  assert.equal(hex(dealing.ownShare), hex(curve.scalarFromNumber(3)));
  assert.equal(hex(dealing.shares.get(2) ?? NO_CONTEXT), hex(curve.scalarFromNumber(4)));
});

test("zero is never drawn as a coefficient", () => {
  const suite = suiteOf("FROST-secp256k1-SHA256-TR-v1");
  const { curve } = suite;
  const [zero, five] = [curve.scalarFromNumber(0), curve.scalarFromNumber(5)];
  const rng = recordedRng([zero, five, zero, five]);

  const dealing = deal({ suite, context: NO_CONTEXT, dealer: 1, parties: PARTIES, threshold: 2, rng });

  const fiveG = curve.multiplyBase(five);
  assert.deepEqual(dealing.package.commitments, [fiveG, fiveG]);
});

test("wiping a dealing overwrites every share", () => {
  const suite = suiteOf("FROST-ED25519-SHA512-v1");
  const dealing = deal({ suite, context: NO_CONTEXT, dealer: 1, parties: PARTIES, threshold: 2, rng: systemRng });

  dealing.wipe();

  for (const share of [dealing.ownShare, ...dealing.shares.values()]) assert.ok(share.every((byte) => byte === 0));
});
