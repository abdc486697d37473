import assert from "node:assert/strict";
import { createHash, createPublicKey, verify } from "node:crypto";
import { before, describe, test } from "node:test";
import { base64url, concatBytes, hex, sha256, u32be } from "@countersign/bytes";
import { secp256k1 as noble } from "@noble/curves/secp256k1.js";
import type { Point } from "../curves/curve.ts";
import { prepareCurves } from "../curves/prepare-curves.ts";
import { secp256k1 } from "../curves/secp256k1.ts";
import type { PartyIndex, Rng } from "../delivery.ts";
import { systemRng } from "../testing/system-rng.ts";
import { fromHex } from "../testing/vectors.ts";
import { combineEcdsa } from "./combine.ts";
import { deriveKey } from "./derivation.ts";
import { ecdsaRounds } from "./rounds.ts";
import { combination, type EcdsaNetwork, ecdsaNetwork, runEcdsa, signWith } from "./testing/ecdsa-network.ts";
import type { EcdsaSignature } from "./verify.ts";

before(() => prepareCurves(systemRng));

/** noble's verdict with low s enforced, and the key that noble recovers. */
function judges(publicKey: Uint8Array, digest: Uint8Array, { r, s, recid }: EcdsaSignature): void {
  const compact = concatBytes(r, s);
  assert.ok(noble.verify(compact, digest, publicKey, { prehash: false, lowS: true }), "noble refuses");
  const recovered = noble.recoverPublicKey(concatBytes(Uint8Array.of(recid), compact), digest, { prehash: false });
  assert.equal(hex(recovered), hex(publicKey), "another key is recovered");
}

function quorums(threshold: number, partyCount: number): readonly (readonly PartyIndex[])[] {
  if (threshold === 0) return [[]];
  if (partyCount < threshold) return [];
  const withLast = quorums(threshold - 1, partyCount - 1).map((rest) => [...rest, partyCount]);
  return [...quorums(threshold, partyCount - 1), ...withLast];
}

function publicKeyOf({ key }: EcdsaNetwork): Point {
  return key.public.commitments[0] ?? assert.fail("The key has no public key.");
}

describe("three-round threshold ECDSA", () => {
  for (const [threshold, partyCount] of [
    [2, 2],
    [2, 3],
    [3, 3],
    [2, 4],
    [3, 5],
    [4, 5],
    [7, 7],
  ] as const)
    test(`every quorum of ${threshold} of ${partyCount} signs`, async () => {
      const network = ecdsaNetwork(threshold, partyCount);
      for (const quorum of quorums(threshold, partyCount)) {
        const digest = systemRng(32);

        const signature = await signWith(network, quorum, { digests: [digest] });

        judges(publicKeyOf(network), digest, signature);
      }
      assert.deepEqual(network.bans, []);
    });

  test("OpenSSL accepts the signature of a message's hash", async () => {
    const network = ecdsaNetwork(2, 3);
    const message = systemRng(50);

    const { r, s } = await signWith(network, [1, 3], { digests: [sha256(message)] });

    const { x, y } = noble.Point.fromBytes(publicKeyOf(network)).toAffine();
    const coordinate = (value: bigint) => base64url(fromHex(value.toString(16).padStart(64, "0")));
    const jwk = { kty: "EC", crv: "secp256k1", x: coordinate(x), y: coordinate(y) };
    const key = createPublicKey({ key: jwk, format: "jwk" });
    assert.ok(verify("sha256", message, { key, dsaEncoding: "ieee-p1363" }, concatBytes(r, s)));
  });

  test("signs digests at the edges of q", async () => {
    const network = ecdsaNetwork(2, 2);
    const edges = [0n, 1n, secp256k1.order - 1n, secp256k1.order, secp256k1.order + 1n, 2n ** 256n - 1n];
    const digests = edges.map((value) => fromHex(value.toString(16).padStart(64, "0")));

    const run = await runEcdsa(network, [1, 2], { digests });

    for (const [index, digest] of digests.entries())
      judges(publicKeyOf(network), digest, combineEcdsa(combination(run, index)));
  });

  test("signs under a derived key, with the tweak at the first party of whatever quorum", async () => {
    const network = ecdsaNetwork(2, 3);
    const { chainCode } = network.key;
    for (const path of [[0], [44, 60, 0], [2 ** 31 - 1, 1, 2, 3]])
      for (const quorum of [
        [1, 2],
        [2, 3],
      ]) {
        const digest = systemRng(32);

        const signature = await signWith(network, quorum, { digests: [digest], path });

        judges(deriveKey(publicKeyOf(network), chainCode, path).publicKey, digest, signature);
      }
  });

  test("signs a list of digests in groups of sixteen, each with its own nonce", async () => {
    const network = ecdsaNetwork(2, 2);
    const digests = Array.from({ length: 18 }, () => systemRng(32));
    digests[1] = digests[0] ?? new Uint8Array(0);
    const sizes = new Map<string, number>();

    const run = await runEcdsa(network, [1, 2], {
      digests,
      forge: ({ round, body }) => {
        sizes.set(round, body.length);
        return undefined;
      },
    });

    const signatures = digests.map((_, index) => combineEcdsa(combination(run, index)));
    for (const [index, digest] of digests.entries())
      judges(publicKeyOf(network), digest, signatures[index] as EcdsaSignature);
    assert.equal(new Set(signatures.map(({ r }) => hex(r))).size, digests.length);
    assert.deepEqual(Object.fromEntries(sizes), ecdsaRounds(18));
  });

  test("sends the specification's bytes: 10,896, 40,228 and 193", async () => {
    const bytes: Record<string, number> = {};

    const { outcomes } = await runEcdsa(ecdsaNetwork(2, 2), [1, 2], {
      forge: ({ round, body }) => {
        bytes[round] = body.length;
        return undefined;
      },
    });

    const [outcome] = outcomes.values();
    assert.ok(outcome?.status === "fulfilled");
    assert.equal(outcome.value[0]?.length, 193);
    assert.deepEqual(bytes, { "request-0": 10_896, "answer-0": 40_228 });
  });

  test("200 interleaved sessions of one network do not mix", async () => {
    const network = ecdsaNetwork(2, 3);
    const quorum = (k: number) =>
      [
        [1, 2],
        [1, 3],
        [2, 3],
      ][k % 3] ?? [];
    const digests = Array.from({ length: 200 }, () => systemRng(32));

    const signatures = await Promise.all(
      digests.map((digest, k) => signWith(network, quorum(k), { digests: [digest] })),
    );

    for (const [k, signature] of signatures.entries())
      judges(publicKeyOf(network), digests[k] ?? new Uint8Array(0), signature);
    assert.equal(new Set(signatures.map(({ r }) => hex(r))).size, 200);
  });

  test("a generator that is stuck still gives another R in another session", async () => {
    const network = ecdsaNetwork(2, 2);
    const digest = systemRng(32);
    const rng = () => (size: number) => new Uint8Array(size).fill(7);

    const first = await signWith(network, [1, 2], { digests: [digest], rng });
    const second = await signWith(network, [1, 2], { digests: [digest], rng });

    assert.notEqual(hex(first.r), hex(second.r));
  });

  test("s is never in the upper half, and recid follows it", async () => {
    const network = ecdsaNetwork(2, 2);
    const digests = Array.from({ length: 32 }, () => systemRng(32));
    const run = await runEcdsa(network, [1, 2], { digests });
    const recids = new Set<number>();
    for (const [index, digest] of digests.entries()) {
      const signature = combineEcdsa(combination(run, index));
      judges(publicKeyOf(network), digest, signature);
      assert.ok(BigInt(`0x${hex(signature.s)}`) <= (secp256k1.order - 1n) / 2n);
      recids.add(signature.recid);
    }
    assert.deepEqual([...recids].sort(), [0, 1]);
  });

  test("pauses between pieces when it is told to", async () => {
    let pauses = 0;

    await signWith(ecdsaNetwork(2, 2), [1, 2], {
      options: (_, options) => ({
        ...options,
        pause: async () => {
          pauses++;
        },
      }),
    });

    assert.ok(pauses >= 10, `${pauses} pauses`);
  });
});

/** Bytes that are a function of a seed: SHA-256 in counter mode. */
function seededRng(seed: string): Rng {
  let counter = 0;
  return (size) => {
    const blocks = Array.from({ length: Math.ceil(size / 32) }, () =>
      createHash("sha256").update(seed).update(u32be(counter++)).digest(),
    );
    return new Uint8Array(concatBytes(...blocks).subarray(0, size));
  };
}

describe("known-answer transcripts", () => {
  // Any change here changes bytes on the wire: it needs another suite id (specification, section 6.1).
  const frozen = [
    {
      threshold: 2,
      partyCount: 2,
      quorum: [1, 2],
      digest: "bd82ae6c128deb2d24f4aa816fbe1e015f29f442a0bdf0e3ba72bdb3fd14473f",
    },
    {
      threshold: 2,
      partyCount: 3,
      quorum: [1, 3],
      digest: "d75234cf046e1a9da72cd19daf76a7eb7c2c415adc80752cfaef5775f1783453",
    },
    {
      threshold: 3,
      partyCount: 5,
      quorum: [2, 3, 5],
      digest: "db6e71432d3661b6dc8c9d460b0a64051315a8a4f8437d4ae6ac092234a28282",
    },
  ];
  for (const { threshold, partyCount, quorum, digest } of frozen)
    test(`of ${threshold} of ${partyCount} are frozen`, async () => {
      const messages = new Map<string, string>();
      const network = ecdsaNetwork(threshold, partyCount, { rng: seededRng(`network ${threshold} of ${partyCount}`) });

      const run = await runEcdsa(network, quorum, {
        digests: [new Uint8Array(32).fill(0x5a)],
        path: [1, 2],
        sessionId: new Uint8Array(32).fill(0x17),
        rng: (party) => seededRng(`party ${party}`),
        forge: ({ from, to, round, body }) => {
          messages.set(`${round} ${from} ${to}`, hex(sha256(body)));
          return undefined;
        },
      });

      const { r, s, recid } = combineEcdsa(combination(run));
      const lines = [...messages].sort().map(([name, hash]) => `${name} ${hash}`);
      const transcript = [...lines, hex(r), hex(s), String(recid)].join("\n");
      assert.equal(hex(sha256(Buffer.from(transcript))), digest, transcript);
    });
});
