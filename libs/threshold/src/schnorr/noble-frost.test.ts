// The whole of two-round signing against an implementation that is not ours: noble's FROST, fed the same randomness.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { concatBytes } from "@countersign/bytes";
import type { FROST } from "@noble/curves/abstract/frost.js";
import { ed25519_FROST } from "@noble/curves/ed25519.js";
import { schnorr_FROST, secp256k1_FROST } from "@noble/curves/secp256k1.js";
import fc from "fast-check";
import { prepareCurves } from "../curves/prepare-curves.ts";
import type { SuiteName } from "../key-share.ts";
import { suiteOf } from "../suites.ts";
import { splitKey } from "../testing/split-key.ts";
import { systemRng } from "../testing/system-rng.ts";
import { bind } from "./binding.ts";
import { aggregate } from "./combine.ts";
import { Nonces, nonceFrom } from "./nonces.ts";
import { respond, verifyShare } from "./share.ts";
import { finishTweaks, startTweaks } from "./tweak.ts";

const SUITES: readonly (readonly [SuiteName, FROST])[] = [
  ["FROST-ED25519-SHA512-v1", ed25519_FROST],
  ["FROST-secp256k1-SHA256-v1", secp256k1_FROST],
  ["FROST-secp256k1-SHA256-TR-v1", schnorr_FROST],
];

before(() => prepareCurves(systemRng));

for (const [name, noble] of SUITES) {
  test(`${name} gives noble's commitments, shares and signature for the same randomness`, () => {
    const sizes = fc
      .integer({ min: 2, max: 7 })
      .chain((threshold) => fc.tuple(fc.constant(threshold), fc.integer({ min: threshold, max: 7 })))
      .chain(([threshold, partyCount]) => {
        const all = Array.from({ length: partyCount }, (_, index) => index + 1);
        return fc.record({
          threshold: fc.constant(threshold),
          partyCount: fc.constant(partyCount),
          quorum: fc.subarray(all, { minLength: threshold, maxLength: threshold }),
          message: fc.uint8Array({ maxLength: 80 }),
        });
      });
    fc.assert(
      fc.property(sizes, ({ threshold, partyCount, quorum, message }) => {
        const suite = suiteOf(name);
        const { curve } = suite;
        const key = splitKey({ suite: name, threshold, partyCount, rng: systemRng });
        const [publicKey] = key.public.commitments;
        assert.ok(publicKey);
        const signingKey = finishTweaks(suite, startTweaks(curve, publicKey));
        const idOf = (party: number) => noble.Identifier.fromNumber(party);
        const noblePublic = {
          signers: { min: threshold, max: partyCount },
          commitments: [...key.public.commitments],
          verifyingShares: Object.fromEntries(
            key.public.verificationShares.map((share, index) => [idOf(index + 1), new Uint8Array(share)]),
          ),
        };
        const signers = quorum.map((party) => {
          const share = key.shares[party - 1];
          assert.ok(share);
          const randomness = [systemRng(32), systemRng(32)];
          const [first, second] = randomness.map((bytes) => nonceFrom(suite, bytes, share.secret.expose()));
          assert.ok(first && second);
          const secret = { identifier: idOf(party), signingShare: new Uint8Array(share.secret.expose()) };
          const theirs = noble.commit(secret, () => new Uint8Array(randomness.shift() ?? []));
          return { party, share, nonces: new Nonces(suite, first, second), secret, theirs };
        });
        const commitments = signers.map(({ party, nonces: { D, E } }) => ({ party, D, E }));
        const nobleList = signers.map(({ theirs }) => theirs.commitments);

        const binding = bind(signingKey, message, commitments);
        const responses = signers.map(({ share, nonces }) => respond(signingKey, binding, share, nonces));
        const { r, s } = aggregate(signingKey, binding, responses);

        for (const [place, { party, nonces, secret, theirs }] of signers.entries()) {
          const z = responses[place];
          assert.ok(z);
          assert.deepEqual(theirs.commitments.hiding, new Uint8Array(nonces.D));
          assert.deepEqual(theirs.commitments.binding, new Uint8Array(nonces.E));
          assert.deepEqual(noble.signShare(secret, noblePublic, theirs.nonces, nobleList, message), new Uint8Array(z));
          assert.ok(noble.verifyShare(noblePublic, nobleList, message, idOf(party), z));
          assert.ok(verifyShare(signingKey, binding, key.public, party, z));
        }
        const nobleShares = Object.fromEntries(
          signers.map(({ party }, place) => [idOf(party), responses[place] ?? new Uint8Array(0)]),
        );
        const signature = noble.aggregate(noblePublic, nobleList, message, nobleShares);
        assert.deepEqual(concatBytes(r, s), signature);
      }),
      { numRuns: 8 },
    );
  });
}
