import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { before, test } from "node:test";
import { inspect } from "node:util";
import { hex, Secret, utf8 } from "@countersign/bytes";
import fc from "fast-check";
import { prepareAead } from "./aead.ts";
import { type RecordPlace, sealer } from "./sealer.ts";

before(prepareAead);

const place: RecordPlace = {
  kind: "share",
  row: "share/key-1",
  keyId: "key-1",
  c: new Uint8Array(32).fill(1),
  owner: "or-1",
  purpose: "wallet",
  epoch: 3,
  birth: new Uint8Array(32).fill(2),
};
const plaintext = utf8("the share of key 1");
const rejected = { code: "record_rejected" };
const key = (fill: number) => new Secret(new Uint8Array(32).fill(fill));

function sealerOf(
  options: { deploymentId?: string; nodeId?: string; dataKeys?: readonly (readonly [number, Secret])[] } = {},
) {
  const { deploymentId = "dep-1", nodeId = "node-1", dataKeys = [[1, key(9)] as const] } = options;
  return sealer({ deploymentId, nodeId, dataKeys: new Map(dataKeys), rng: randomBytes });
}

test("what was sealed opens in its place", () => {
  const sealed = sealerOf().seal(place, plaintext);

  assert.deepEqual(sealerOf().open(place, sealed), plaintext);
  assert.ok(!hex(sealed).includes(hex(plaintext)));
});

test("no field of the place can be another one", () => {
  const sealed = sealerOf().seal(place, plaintext);
  const others: readonly Partial<RecordPlace>[] = [
    { kind: "key" },
    { row: "share/key-2" },
    { keyId: "key-2" },
    { c: new Uint8Array(32).fill(3) },
    { owner: "or-2" },
    { purpose: "canary" },
    { epoch: 4 },
    { birth: new Uint8Array(32).fill(4) },
    // Fields that only differ together would collide without length prefixes.
    { owner: "or-1w", purpose: "allet" },
  ];

  for (const other of others)
    assert.throws(() => sealerOf().open({ ...place, ...other }, sealed), rejected, inspect(other));
});

test("another node, another deployment and another data key are refused", () => {
  const sealed = sealerOf().seal(place, plaintext);

  assert.throws(() => sealerOf({ nodeId: "node-2" }).open(place, sealed), rejected);
  assert.throws(() => sealerOf({ deploymentId: "dep-2" }).open(place, sealed), rejected);
  assert.throws(() => sealerOf({ dataKeys: [[1, key(8)]] }).open(place, sealed), rejected);
});

test("any flipped bit, any truncation and anything appended is refused", () => {
  const records = sealerOf();
  const sealed = records.seal(place, plaintext);

  fc.assert(
    fc.property(fc.nat(sealed.length * 8 - 1), (bit) => {
      const flipped = sealed.map((byte, index) => (index === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      assert.throws(() => records.open(place, flipped), rejected);
    }),
    { numRuns: 300 },
  );
  for (let size = 0; size < sealed.length; size++)
    assert.throws(() => records.open(place, sealed.subarray(0, size)), rejected);
  assert.throws(() => records.open(place, Uint8Array.of(...sealed, 0)), rejected);
});

test("after a rotation the newest data key seals and the older ones still open, each its own records only", () => {
  const old = sealerOf({ dataKeys: [[1, key(1)]] }).seal(place, plaintext);
  const both = sealerOf({
    dataKeys: [
      [1, key(1)],
      [2, key(2)],
    ],
  });

  const renewed = both.seal(place, plaintext);

  assert.deepEqual(both.open(place, old), plaintext);
  assert.deepEqual(sealerOf({ dataKeys: [[2, key(2)]] }).open(place, renewed), plaintext);
  assert.throws(() => sealerOf({ dataKeys: [[1, key(1)]] }).open(place, renewed), rejected);
  // The same key under another version: the version itself is bound.
  const renumbered = Uint8Array.of(...old.subarray(0, 4), 2, ...old.subarray(5));
  assert.throws(() => sealerOf({ dataKeys: [[2, key(1)]] }).open(place, renumbered), rejected);
});

test("two seals of one record differ: the nonce is fresh", () => {
  assert.notDeepEqual(sealerOf().seal(place, plaintext), sealerOf().seal(place, plaintext));
});

test("a wiped sealer neither seals nor opens, and nothing shows its keys", () => {
  const records = sealerOf();
  const sealed = records.seal(place, plaintext);

  records.wipe();

  assert.throws(() => records.seal(place, plaintext), /wiped/);
  assert.throws(() => records.open(place, sealed), /wiped/);
});
