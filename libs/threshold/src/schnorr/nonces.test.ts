import assert from "node:assert/strict";
import { before, test } from "node:test";
import { inspect } from "node:util";
import { hex } from "@countersign/bytes";
import { prepareCurves } from "../curves/prepare-curves.ts";
import { secp256k1 } from "../curves/secp256k1.ts";
import { suiteOf } from "../suites.ts";
import { splitKey } from "../testing/split-key.ts";
import { systemRng } from "../testing/system-rng.ts";
import { type NonceContext, Nonces, sampleNonces } from "./nonces.ts";

before(() => prepareCurves(systemRng));

const SUITE = "FROST-secp256k1-SHA256-TR-v1";
const CONTEXT: NonceContext = { sessionDigest: new Uint8Array(32), itemIndex: 0 };

function givenShares() {
  return splitKey({ suite: SUITE, threshold: 2, partyCount: 2, rng: systemRng }).shares;
}

test("nonces are handed out once and overwritten, and a second use is refused", () => {
  const nonces = new Nonces(suiteOf(SUITE), secp256k1.randomScalar(systemRng), secp256k1.randomScalar(systemRng));
  const seen: Uint8Array[] = [];

  nonces.spend((d, e) => seen.push(d, e));

  assert.deepEqual(seen, [new Uint8Array(32), new Uint8Array(32)]);
  assert.throws(() => nonces.spend(() => seen), { code: "nonce_spent" });
});

test("a use that throws half way has spent the nonces too", () => {
  const nonces = new Nonces(suiteOf(SUITE), secp256k1.randomScalar(systemRng), secp256k1.randomScalar(systemRng));

  assert.throws(
    () =>
      nonces.spend(() => {
        throw new Error("half way");
      }),
    { message: "half way" },
  );

  assert.throws(() => nonces.spend(() => 0), { code: "nonce_spent" });
});

test("a use from within a use is refused", () => {
  const nonces = new Nonces(suiteOf(SUITE), secp256k1.randomScalar(systemRng), secp256k1.randomScalar(systemRng));

  assert.throws(() => nonces.spend(() => nonces.spend(() => 0)), { code: "nonce_spent" });
});

test("wiped nonces cannot be used and are overwritten", () => {
  const [d, e] = [secp256k1.randomScalar(systemRng), secp256k1.randomScalar(systemRng)];
  const nonces = new Nonces(suiteOf(SUITE), d, e);

  nonces.wipe();

  assert.deepEqual([d, e], [new Uint8Array(32), new Uint8Array(32)]);
  assert.throws(() => nonces.spend(() => 0), { code: "nonce_spent" });
});

test("nonces do not print their secrets", () => {
  const [d, e] = [secp256k1.randomScalar(systemRng), secp256k1.randomScalar(systemRng)];
  const [textD, textE] = [hex(d), hex(e)];

  const nonces = new Nonces(suiteOf(SUITE), d, e);

  const printed = inspect(nonces, { showHidden: true, depth: 9 }) + JSON.stringify(nonces);
  for (const scalar of [d, e]) assert.ok(!printed.includes([...scalar].join(", ")));
  assert.ok(!printed.includes(textD) && !printed.includes(textE));
});

test("a generator that repeats itself still gives different nonces for hiding and binding, item, session and share", () => {
  const [first, second] = givenShares();
  assert.ok(first && second);
  const stuck = (size: number) => new Uint8Array(size).fill(9);

  const pairs = [
    sampleNonces(first, CONTEXT, stuck),
    sampleNonces(first, { ...CONTEXT, itemIndex: 1 }, stuck),
    sampleNonces(first, { ...CONTEXT, sessionDigest: new Uint8Array(32).fill(1) }, stuck),
    sampleNonces(second, CONTEXT, stuck),
  ];

  const commitments = pairs.flatMap(({ D, E }) => [hex(D), hex(E)]);
  assert.equal(new Set(commitments).size, 8);
});

test("the same session gives different nonces for fresh randomness", () => {
  const [share] = givenShares();
  assert.ok(share);

  const pairs = [sampleNonces(share, CONTEXT, systemRng), sampleNonces(share, CONTEXT, systemRng)];

  assert.equal(new Set(pairs.flatMap(({ D, E }) => [hex(D), hex(E)])).size, 4);
});

test("recorded randomness reproduces the nonces", () => {
  const [share] = givenShares();
  assert.ok(share);
  const recorded = (): ((size: number) => Uint8Array) => {
    let count = 0;
    return (size) => new Uint8Array(size).fill(++count);
  };

  const [one, other] = [sampleNonces(share, CONTEXT, recorded()), sampleNonces(share, CONTEXT, recorded())];

  assert.deepEqual([one.D, one.E], [other.D, other.E]);
});
