import assert from "node:assert/strict";
import { before, test } from "node:test";
import type { Scalar } from "../curves/curve.ts";
import { prepareCurves } from "../curves/prepare-curves.ts";
import { systemRng } from "../testing/system-rng.ts";
import { checkShare, type RevealedPackage } from "./checks.ts";
import { deal } from "./dealing.ts";
import { encodeShare } from "./encoding.ts";
import { keygenNetwork } from "./testing/keygen-network.ts";

before(() => prepareCurves(systemRng));

test("at a root of the dealt polynomial no share is good: neither zero nor any other", () => {
  for (const suite of ["FROST-ED25519-SHA512-v1", "FROST-secp256k1-SHA256-TR-v1"] as const) {
    const { session } = keygenNetwork({ threshold: 2, partyCount: 3, suite });
    const { curve } = session.suite;
    const one = curve.scalarFromNumber(1);
    const tau = systemRng(32);
    const { context, parties } = session;
    const genuine = deal({ suite: session.suite, context, dealer: 3, parties, threshold: 2, rng: systemRng });
    // f(x) = x - 1, which honest code would draw again.
    const commitments = [curve.multiplyBase(curve.negate(one)), curve.multiplyBase(one)];
    const dealt: RevealedPackage = { ...genuine, package: { ...genuine.package, commitments } };
    const check = (to: number, share: Scalar) =>
      checkShare(session, { from: 3, to, tau, dealt }, encodeShare({ tau, from: 3, to, share }));

    assert.deepEqual(check(2, one), one);
    for (const share of [curve.scalarFromNumber(0), one])
      assert.throws(() => check(1, share), { code: "keygen_share_invalid" });
  }
});
