import assert from "node:assert/strict";
import { before, test } from "node:test";
import { hex } from "@countersign/bytes";
import { prepareCurves } from "../curves/prepare-curves.ts";
import { secp256k1 } from "../curves/secp256k1.ts";
import { splitKey } from "../testing/split-key.ts";
import { systemRng } from "../testing/system-rng.ts";
import { packageHash, type SigningPackage, shareStatement } from "./package.ts";

before(() => prepareCurves(systemRng));

test("the package hash covers key, epoch, session, place, message, root and the whole commitment list", () => {
  const point = () => secp256k1.multiplyBase(secp256k1.randomScalar(systemRng));
  const key = splitKey({ suite: "FROST-secp256k1-SHA256-TR-v1", threshold: 2, partyCount: 3, rng: systemRng }).public;
  const [first, second] = [1, 2].map((party) => ({ party, D: point(), E: point() }));
  assert.ok(first && second);
  const message = new Uint8Array(32);
  const given: SigningPackage = {
    key,
    sessionDigest: new Uint8Array(32),
    itemIndex: 0,
    item: { message },
    commitments: [first, second],
  };

  const hashes = [
    given,
    { ...given, key: { ...key, suite: "FROST-secp256k1-SHA256-v1" as const } },
    { ...given, key: { ...key, keyId: "key-other" } },
    { ...given, key: { ...key, epoch: 1 } },
    { ...given, sessionDigest: new Uint8Array(32).fill(1) },
    { ...given, itemIndex: 1 },
    { ...given, item: { message: new Uint8Array(31) } },
    { ...given, item: { message, taprootMerkleRoot: new Uint8Array(32) } },
    { ...given, commitments: [first] },
    { ...given, commitments: [first, { ...second, party: 3 }] },
    { ...given, commitments: [first, { ...second, D: point() }] },
    { ...given, commitments: [first, { ...second, E: point() }] },
    { ...given, commitments: [{ ...first, D: first.E, E: first.D }, second] },
  ].map((changed) => hex(packageHash(changed)));

  assert.equal(new Set(hashes).size, hashes.length);
});

test("an absent and an empty root are one", () => {
  const key = splitKey({ suite: "FROST-secp256k1-SHA256-TR-v1", threshold: 2, partyCount: 2, rng: systemRng }).public;
  const given = { key, sessionDigest: new Uint8Array(32), itemIndex: 0, commitments: [] };
  const message = new Uint8Array(32);

  const absent = packageHash({ ...given, item: { message } });
  const empty = packageHash({ ...given, item: { message, taprootMerkleRoot: new Uint8Array(0) } });

  assert.deepEqual(absent, empty);
});

test("what a party signs over its share keeps hash and z apart", () => {
  const bytes = new Uint8Array(64).fill(5);

  const one = shareStatement(bytes.subarray(0, 32), bytes.subarray(32));
  const other = shareStatement(bytes.subarray(0, 31), bytes.subarray(31));

  assert.notDeepEqual(one, other);
});
