import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { concatBytes, equalBytes, u16be } from "@countersign/bytes";
import { ed25519 as nobleEd } from "@noble/curves/ed25519.js";
import { schnorr } from "@noble/curves/secp256k1.js";
import fc from "fast-check";
import type { Point } from "../curves/curve.ts";
import { prepareCurves } from "../curves/prepare-curves.ts";
import type { Delivery, PartyIndex } from "../delivery.ts";
import type { KeyShare, PublicKeyPackage, SchnorrSuiteName } from "../key-share.ts";
import { combination, openSession, partialsOf, runParties, signAndCombine } from "../testing/signing-network.ts";
import { splitKey } from "../testing/split-key.ts";
import { systemRng } from "../testing/system-rng.ts";
import { combineSchnorr } from "./combine.ts";
import { ITEMS_MAX, schnorrRounds } from "./commitments.ts";
import { verifySignature } from "./gate.ts";
import { signSchnorr } from "./sign.ts";
import { publishedKey, type SchnorrItem } from "./signing-key.ts";

before(() => prepareCurves(systemRng));

const ED25519: SchnorrSuiteName = "FROST-ED25519-SHA512-v1";
const TR: SchnorrSuiteName = "FROST-secp256k1-SHA256-TR-v1";
const PLAIN: SchnorrSuiteName = "FROST-secp256k1-SHA256-v1";

const split = (suite: SchnorrSuiteName, threshold: number, partyCount: number) =>
  splitKey({ suite, threshold, partyCount, rng: systemRng });

for (const suite of [ED25519, TR, PLAIN])
  describe(suite, () => {
    test("any t of n parties sign what the published key verifies", async () => {
      const sizes = fc
        .tuple(fc.integer({ min: 2, max: 7 }), fc.integer({ min: 0, max: 5 }))
        .map(([threshold, more]) => ({ threshold, partyCount: Math.min(7, threshold + more) }));
      await fc.assert(
        fc.asyncProperty(sizes, fc.uint8Array({ maxLength: 100 }), fc.nat(), async (size, message, choice) => {
          const key = split(suite, size.threshold, size.partyCount);
          const quorums = subsets(size.partyCount, size.threshold);
          const quorum = quorums[choice % quorums.length] ?? [];

          const { r, s } = await signAndCombine(openSession({ key, quorum, message }));

          assert.ok(verifySignature({ suite, publicKey: publishedKey(key.public), message, r, s }));
          assert.ok(independentlyVerifies(suite, key.public, message, r, s));
        }),
        { numRuns: 6 },
      );
    });

    test("every quorum of a 3-of-5 key signs", async () => {
      const key = split(suite, 3, 5);
      for (const quorum of subsets(5, 3)) await signAndCombine(openSession({ key, quorum }));
    });

    test("fewer than t parties make no signature, whatever they call their threshold", async () => {
      const key = split(suite, 3, 5);
      const pretended = {
        ...key,
        public: { ...key.public, threshold: 2 },
        shares: key.shares.map((share) => ({ ...share, public: { ...key.public, threshold: 2 } })),
      };

      const session = openSession({ key: pretended, quorum: [1, 2] });

      await assert.rejects(signAndCombine(session), { code: "aggregate_invalid" });
    });
  });

test("each item of a list has its own nonces, message and signature", async () => {
  const key = split(TR, 2, 3);
  const items: SchnorrItem[] = Array.from({ length: 5 }, (_, index) => ({
    message: new Uint8Array(32).fill(index),
    ...(index % 2 === 1 && { taprootMerkleRoot: new Uint8Array(32).fill(index) }),
  }));
  const session = openSession({ key, quorum: [1, 3], items });
  const nonceCommitments = new Set<string>();

  for (const itemIndex of items.keys()) {
    const partials = await partialsOf(session, {}, itemIndex);
    combineSchnorr(combination(session, partials, itemIndex));
    for (const partial of partials.values())
      for (const { body } of partial.commitments) nonceCommitments.add(Buffer.from(body).toString("hex"));
  }

  assert.equal(nonceCommitments.size, 2 * items.length);
});

test("a partial for one place of the list is worth nothing in another", async () => {
  const key = split(ED25519, 2, 2);
  const message = new Uint8Array(32);
  const session = openSession({ key, quorum: [1, 2], items: [{ message }, { message }] });

  const partials = await partialsOf(session, {}, 0);

  assert.throws(() => combineSchnorr(combination(session, partials, 1)), { code: "package_differs" });
});

test("the longest list fits its round, and the event loop gets a turn between items", async () => {
  const key = split(TR, 2, 2);
  const items = Array.from({ length: ITEMS_MAX }, (_, index) => ({ message: u16be(index) }));
  const session = openSession({ key, quorum: [1, 2], items });
  let pauses = 0;

  const partials = await partialsOf(
    session,
    {
      options: (_, options) => ({
        ...options,
        pause: async () => {
          pauses++;
        },
      }),
    },
    ITEMS_MAX - 1,
  );

  combineSchnorr(combination(session, partials, ITEMS_MAX - 1));
  // Two parties, each between the items of three loops.
  assert.equal(pauses, 2 * 3 * (ITEMS_MAX - 1));
  assert.equal(partials.get(1)?.commitments[0]?.body.length, schnorrRounds(ITEMS_MAX).commit);
});

test("an empty list and one item too many are refused before anything is sent", async () => {
  for (const count of [0, ITEMS_MAX + 1, 1.5]) assert.throws(() => schnorrRounds(count), { code: "item_invalid" });

  const session = openSession({ key: split(TR, 2, 2), quorum: [1, 2] });
  for (const count of [0, ITEMS_MAX + 1]) {
    const items = Array.from({ length: count }, () => ({ message: new Uint8Array(32) }));
    const outcomes = await runParties(session, {
      options: (_, options) => ({ ...options, items }),
      tap: () => assert.fail("Nothing may be sent."),
    });
    for (const outcome of outcomes.values())
      assert.ok(outcome.status === "rejected" && outcome.reason.code === "item_invalid");
  }
});

test("partials carry nothing of the share or the nonces but z", async () => {
  const key = split(ED25519, 2, 2);
  const partials = await partialsOf(openSession({ key, quorum: [1, 2] }));

  for (const [party, partial] of partials) {
    assert.deepEqual(Object.keys(partial).sort(), ["commitments", "packageHash", "signature", "z"]);
    const secret = Buffer.from(key.shares[party - 1]?.secret.expose() ?? []).toString("hex");
    assert.ok(
      !JSON.stringify(partial, (_, value) =>
        value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value,
      ).includes(secret),
    );
  }
});

describe("who signs", () => {
  const refused = async (parties: readonly PartyIndex[], change: (share: KeyShare) => KeyShare = (share) => share) => {
    const key = split(TR, 2, 3);
    const share = key.shares[0];
    assert.ok(share);
    const sent: string[] = [];
    const delivery: Delivery = {
      self: 1,
      parties,
      send: async (round) => {
        sent.push(round);
        throw new Error("Nothing may be sent.");
      },
      complete: async () => new Map(),
    };
    const options = {
      share: change(share),
      items: [{ message: new Uint8Array(32) }],
      sessionDigest: new Uint8Array(32),
      identity: { sign: () => new Uint8Array(64) },
      rng: systemRng,
    };
    await assert.rejects(signSchnorr(delivery, options), { code: "quorum_invalid" });
    assert.deepEqual(sent, []);
  };

  test("a quorum of fewer or more than t parties is refused", async () => {
    await refused([1]);
    await refused([1, 2, 3]);
  });
  test("a quorum with a non-member is refused", async () => {
    await refused([1, 4]);
    await refused([0, 1]);
    await refused([1, 1.5]);
  });
  test("a quorum that names a party twice is refused", () => refused([1, 1]));
  test("an unsorted quorum is refused", () => refused([2, 1]));
  test("a quorum without oneself is refused", () => refused([2, 3]));
  test("another party's share is refused", () => refused([1, 2], (share) => ({ ...share, index: 2 })));
});

describe("what a peer commits to", () => {
  /** Party 2 signs another body than its honest one; party 1 must name it with evidence. */
  const cheat = async (
    suite: SchnorrSuiteName,
    change: (body: Uint8Array, size: number) => Uint8Array,
    itemCount = 1,
  ) => {
    const key = split(suite, 2, 2);
    const items = Array.from({ length: itemCount }, () => ({ message: new Uint8Array(32) }));
    const session = openSession({ key, quorum: [1, 2], items });
    const size = suite === ED25519 ? 32 : 33;
    const outcomes = await runParties(session, {
      delivery: (party, delivery) =>
        party === 2
          ? { ...delivery, send: (round, to, body) => delivery.send(round, to, change(body, size)) }
          : delivery,
    });
    const honest = outcomes.get(1);
    assert.ok(honest?.status === "rejected");
    assert.equal(honest.reason.code, "commitment_invalid");
    assert.deepEqual(honest.reason.culprits, [2]);
    assert.equal(honest.reason.evidence.messages.length, 1);
    const facts = session.parties.openSignedMessage(honest.reason.evidence.messages[0]);
    assert.equal(facts?.from, 2);
  };
  const replace = (body: Uint8Array, offset: number, bytes: Uint8Array) => {
    const changed = new Uint8Array(body);
    changed.set(bytes, offset);
    return changed;
  };
  /** 5*G plus a point of order 8: on the curve, canonical, not of prime order. */
  const torsioned = () => {
    const torsion = nobleEd.Point.fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a");
    return nobleEd.Point.BASE.multiply(5n).add(torsion).toBytes();
  };

  test("a torsioned D names its sender", () => cheat(ED25519, (body) => replace(body, 2, torsioned())));
  test("a torsioned E names its sender", () => cheat(ED25519, (body, size) => replace(body, 2 + size, torsioned())));
  test("the identity as D names its sender", () =>
    cheat(ED25519, (body) => replace(body, 2, Uint8Array.of(1, ...new Uint8Array(31)))));
  test("a D that is no point names its sender", () => cheat(TR, (body) => replace(body, 2, Uint8Array.of(4))));
  test("an E that is no point names its sender", () =>
    cheat(TR, (body, size) => replace(body, 2 + size, Uint8Array.of(0))));
  test("a shorter body names its sender", () => cheat(TR, (body) => body.subarray(0, -1)));
  test("a longer body names its sender", () => cheat(ED25519, (body) => Uint8Array.of(...body, 0)));
  test("an empty body names its sender", () => cheat(ED25519, () => new Uint8Array(0)));
  test("commitments for more items than the session has name their sender", () => {
    // The round's bound is for the longest points: with 32 items, Ed25519 leaves room for one more.
    const oneMore = (body: Uint8Array, size: number) =>
      concatBytes(u16be(33), body.subarray(2), body.subarray(2, 2 + 2 * size));
    return cheat(ED25519, oneMore, 32);
  });
  test("commitments for another number of items name their sender", () =>
    cheat(ED25519, (body, size) => concatBytes(u16be(1), body.subarray(2, 2 + 2 * size)), 2));
});

test("commitments that go on record as ours but are not end the session before any share exists", async () => {
  const key = split(ED25519, 2, 2);
  const [, second] = [await honestBody(), await honestBody()];

  const outcomes = await runParties(openSession({ key, quorum: [1, 2] }), {
    delivery: (party, delivery) =>
      party === 1 ? { ...delivery, send: (round, to) => delivery.send(round, to, second) } : delivery,
  });

  const outcome = outcomes.get(1);
  assert.ok(outcome?.status === "rejected");
  assert.match(outcome.reason.message, /signed other commitments/);
});

test("a share that does not verify at its own party is not released", async () => {
  const key = split(TR, 2, 2);
  const identity = { sign: () => assert.fail("Nothing may be signed for a faulty share.") };

  // A share whose bytes were damaged stands for any computation that went wrong.
  const outcomes = await runParties(openSession({ key, quorum: [1, 2] }), {
    options: (party, options) => {
      if (party === 2) return options;
      const damaged = new Uint8Array(options.share.secret.expose());
      damaged[31] = (damaged[31] ?? 0) ^ 1;
      const secret = Object.assign(Object.create(options.share.secret), { expose: () => damaged });
      return { ...options, identity, share: { ...options.share, secret } };
    },
  });

  const outcome = outcomes.get(1);
  assert.ok(outcome?.status === "rejected");
  assert.equal(outcome.reason.code, "share_faulty");
});

test("a delivery that loses a party's message ends the session", async () => {
  const key = split(TR, 2, 2);

  const outcomes = await runParties(openSession({ key, quorum: [1, 2] }), {
    delivery: (_, delivery) => ({ ...delivery, complete: async () => new Map() }),
  });

  for (const outcome of outcomes.values()) assert.equal(outcome.status, "rejected");
});

/** Commitments of some other session. */
async function honestBody(): Promise<Uint8Array> {
  const key = split(ED25519, 2, 2);
  const partials = await partialsOf(openSession({ key, quorum: [1, 2] }));
  return partials.get(1)?.commitments[0]?.body ?? new Uint8Array(0);
}

function independentlyVerifies(
  suite: SchnorrSuiteName,
  key: PublicKeyPackage,
  message: Uint8Array,
  r: Uint8Array,
  s: Uint8Array,
): boolean {
  const publicKey = publishedKey(key);
  switch (suite) {
    case "FROST-ED25519-SHA512-v1":
      return nobleEd.verify(concatBytes(r, s), message, publicKey, { zip215: false });
    case "FROST-secp256k1-SHA256-TR-v1":
      return schnorr.verify(concatBytes(r, s), message, publicKey.subarray(1));
    case "FROST-secp256k1-SHA256-v1":
      return equalBytes(publicKey, key.commitments[0] ?? (new Uint8Array(0) as Point));
  }
}

function subsets(partyCount: number, size: number): PartyIndex[][] {
  const all: PartyIndex[][] = [[]];
  for (let party = 1; party <= partyCount; party++) for (const subset of [...all]) all.push([...subset, party]);
  return all.filter((subset) => subset.length === size);
}
