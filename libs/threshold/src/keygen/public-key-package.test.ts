import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Secret } from "@countersign/bytes";
import { prepareCurves } from "../curves/prepare-curves.ts";
import type { SuiteName } from "../key-share.ts";
import { suiteOf } from "../suites.ts";
import { splitKey } from "../testing/split-key.ts";
import { systemRng } from "../testing/system-rng.ts";
import { checkKeyShare, checkPublicPolynomial, publicKeyPackage } from "./public-key-package.ts";

const SUITES: readonly SuiteName[] = ["FROST-ED25519-SHA512-v1", "FROST-secp256k1-SHA256-TR-v1"];
const UNUSABLE = { code: "public_key_package_invalid" };

before(() => prepareCurves(systemRng));

const split = (suite: SuiteName, threshold: number, partyCount: number) =>
  splitKey({ suite, threshold, partyCount, rng: systemRng });

for (const suite of SUITES) {
  test(`${suite}: a package rebuilt from its commitments has the dealt verification shares and passes the check`, () => {
    for (const [threshold, partyCount] of [
      [2, 2],
      [2, 3],
      [3, 5],
      [7, 7],
    ] as const) {
      const { public: dealt } = split(suite, threshold, partyCount);

      const rebuilt = publicKeyPackage(dealt);

      assert.deepEqual(rebuilt, dealt);
      checkPublicPolynomial(rebuilt);
    }
  });

  test(`${suite}: points off the polynomial, or on one of another degree, are found`, () => {
    const { curve } = suiteOf(suite);
    const { public: key } = split(suite, 3, 5);
    const { public: other } = split(suite, 2, 5);
    const stray = curve.multiplyBase(curve.randomScalar(systemRng));

    // t-1 too low, t-1 too high, one share replaced, another public key, one share missing.
    assert.throws(() => checkPublicPolynomial({ ...other, threshold: 3, commitments: key.commitments }), UNUSABLE);
    assert.throws(
      () => checkPublicPolynomial({ ...key, threshold: 2, commitments: key.commitments.slice(0, 2) }),
      UNUSABLE,
    );
    for (const place of [0, 4])
      assert.throws(
        () => checkPublicPolynomial({ ...key, verificationShares: key.verificationShares.with(place, stray) }),
        UNUSABLE,
      );
    assert.throws(() => checkPublicPolynomial({ ...key, commitments: key.commitments.with(0, stray) }), UNUSABLE);
    assert.throws(
      () => checkPublicPolynomial({ ...key, verificationShares: key.verificationShares.slice(0, -1) }),
      UNUSABLE,
    );
  });

  test(`${suite}: a polynomial of degree t-2 is found although its points fit together`, () => {
    const { public: low } = split(suite, 2, 5);
    const [constant, slope] = low.commitments;
    assert.ok(constant && slope);

    assert.throws(
      () => checkPublicPolynomial({ ...low, threshold: 3, commitments: [constant, slope, slope] }),
      UNUSABLE,
    );
  });
}

test("facts that make no key are refused with one code", () => {
  const { public: key } = split("FROST-ED25519-SHA512-v1", 2, 3);
  const [constant, slope] = key.commitments;
  assert.ok(constant && slope);
  const identity = Uint8Array.of(1, ...new Uint8Array(31));

  for (const change of [
    { threshold: 1 },
    { threshold: 4 },
    { partyCount: 33 },
    { commitments: [] },
    { commitments: [constant] },
    { commitments: [constant, slope, slope] },
    { commitments: [constant, identity] },
    { commitments: [constant, slope.subarray(1)] },
    { chainCodeHash: systemRng(31) },
    { tau: systemRng(33) },
  ])
    assert.throws(() => publicKeyPackage({ ...key, ...change }), UNUSABLE, JSON.stringify(Object.keys(change)));
});

test("commitments that make a verification share the identity are refused", () => {
  const { curve } = suiteOf("FROST-secp256k1-SHA256-TR-v1");
  const { public: key } = split("FROST-secp256k1-SHA256-TR-v1", 2, 3);
  const one = curve.scalarFromNumber(1);

  // f(x) = 2 - x.
  const commitments = [curve.multiplyBase(curve.scalarFromNumber(2)), curve.multiplyBase(curve.negate(one))];

  assert.throws(() => publicKeyPackage({ ...key, commitments }), UNUSABLE);
});

test("a share counts only at its own index and only unchanged", () => {
  const { shares, public: key } = split("FROST-ED25519-SHA512-v1", 2, 3);
  const [first, second] = shares;
  assert.ok(first && second);
  const damaged = { code: "key_share_inconsistent" };

  for (const share of shares) checkKeyShare(share);

  assert.throws(() => checkKeyShare({ ...first, secret: second.secret }), damaged);
  assert.throws(() => checkKeyShare({ ...first, index: 2 }), damaged);
  assert.throws(() => checkKeyShare({ ...first, index: 4 }), damaged);
  for (const bytes of [new Uint8Array(32), new Uint8Array(32).fill(255), new Uint8Array(31)])
    assert.throws(() => checkKeyShare({ public: key, index: 1, secret: new Secret(bytes) }), damaged);
});
