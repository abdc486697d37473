import assert from "node:assert/strict";
import { before, test } from "node:test";
import { hex } from "@countersign/bytes";
import { prepareCurves } from "../curves/prepare-curves.ts";
import { systemRng } from "../testing/system-rng.ts";
import { type KeygenTerms, keygenSession, keygenSessionDigest, PARTIES_MAX } from "./terms.ts";
import { keygenNetwork } from "./testing/keygen-network.ts";

before(() => prepareCurves(systemRng));

const refused = (change: Partial<KeygenTerms>) => {
  const { terms, book } = keygenNetwork({ threshold: 2, partyCount: 3 });
  assert.throws(() => keygenSession({ ...terms, ...book, ...change }), { code: "keygen_terms_invalid" });
};
const members = (...indexes: readonly number[]) => indexes.map((index) => ({ index, identityKey: systemRng(32) }));

test("a threshold outside 2..n is refused", () => {
  for (const threshold of [0, 1, 4, 2.5, Number.NaN]) refused({ threshold });
});

test("more parties than the maximum are refused", () => {
  refused({ members: members(...Array.from({ length: PARTIES_MAX + 1 }, (_, k) => k + 1)) });
});

test("members that are not exactly 1..n in order are refused: zero, doubled, missing, unsorted, or congruent mod q", () => {
  for (const indexes of [
    [0, 1, 2],
    [1, 1, 2],
    [1, 2, 4],
    [2, 1, 3],
    [1, 2, 2 ** 252 + 3],
    [1, 2, 2.5],
  ])
    refused({ members: members(...indexes) });
});

test("ids and keys of another length and epochs that are no 32-bit count are refused", () => {
  refused({ sessionId: systemRng(31) });
  refused({ sessionDigest: systemRng(33) });
  refused({ members: [...members(1, 2), { index: 3, identityKey: systemRng(31) }] });
  for (const epoch of [-1, 0.5, 2 ** 32]) refused({ epoch });
});

test("the session digest changes with every term", () => {
  const { terms } = keygenNetwork({ threshold: 2, partyCount: 3 });
  const [first, second, third] = terms.members;
  assert.ok(first && second && third);
  const changed: readonly Partial<KeygenTerms>[] = [
    {},
    { suite: "FROST-secp256k1-SHA256-TR-v1" },
    { keyId: "key-other" },
    { epoch: 1 },
    { threshold: 3 },
    { sessionId: systemRng(32) },
    { members: [first, second] },
    { members: [second, first, third] },
    { members: [first, second, { ...third, identityKey: systemRng(32) }] },
  ];

  const digests = changed.map((change) => hex(keygenSessionDigest({ ...terms, ...change })));

  assert.equal(new Set(digests).size, changed.length);
});
