import assert from "node:assert/strict";
import { before, test } from "node:test";
import { hex } from "@countersign/bytes";
import fc from "fast-check";
import type { Scalar } from "../curves/curve.ts";
import { prepareCurves } from "../curves/prepare-curves.ts";
import type { PartyIndex } from "../delivery.ts";
import type { KeyShare, SuiteName } from "../key-share.ts";
import { lagrangeCoefficient } from "../schnorr/lagrange.ts";
import { tapTweak } from "../schnorr/signing-key.ts";
import { applyTweak, signedScalar, startTweaks } from "../schnorr/tweak.ts";
import { suiteOf } from "../suites.ts";
import { systemRng } from "../testing/system-rng.ts";
import { verifyCertificate } from "./acknowledgement.ts";
import { isComplaint } from "./encoding.ts";
import type { KeygenOptions } from "./generate-key.ts";
import { checkKeyShare, publicKeyPackage } from "./public-key-package.ts";
import type { KeygenRound } from "./rounds.ts";
import { dkgVectors, recordedRng } from "./testing/dkg-vectors.ts";
import { cheat, keygenNetwork, outcomeOf, runKeygen } from "./testing/keygen-network.ts";

const ROUNDS: readonly KeygenRound[] = ["commit", "reveal", "echo", "share", "finish"];
const SUITES: readonly SuiteName[] = [
  "FROST-ED25519-SHA512-v1",
  "FROST-secp256k1-SHA256-TR-v1",
  "FROST-secp256k1-SHA256-v1",
];
/** Key generations per suite; each costs up to a quarter of a second of CPU at n = 7. */
const RUNS = 6;

before(() => prepareCurves(systemRng));

for (const suite of SUITES) {
  test(`${suite}: for any t of n every party holds its share of one key that t shares make and t-1 do not`, async () => {
    const sizes = fc.integer({ min: 2, max: 7 }).chain((n) => fc.tuple(fc.integer({ min: 2, max: n }), fc.constant(n)));
    await fc.assert(
      fc.asyncProperty(sizes, fc.infiniteStream(fc.nat()), async ([threshold, partyCount], order) => {
        const network = keygenNetwork({ threshold, partyCount, suite });

        const outcomes = await runKeygen(network);

        const keys = [...outcomes.values()].map(({ key, error }) => key ?? assert.fail(String(error)));
        const [first] = keys;
        assert.ok(first);
        const { deploymentId } = network.terms;
        for (const { share, certificate } of keys) {
          assert.deepEqual(share.public, first.share.public);
          assert.deepEqual(certificate, first.certificate);
          checkKeyShare(share);
          verifyCertificate(deploymentId, share.public, certificate, network.book.verifyIdentity);
        }
        assert.deepEqual(publicKeyPackage(first.share.public), first.share.public);
        const shares = keys.map(({ share }) => share).sort(() => ((order.next().value ?? 0) % 3) - 1);
        assert.ok(interpolatesToKey(shares.slice(0, threshold)));
        assert.ok(!interpolatesToKey(shares.slice(0, threshold - 1)));
      }),
      { numRuns: RUNS },
    );
  });
}

for (const { suite: name, publicKey, parties } of dkgVectors()) {
  test(`${name}: the published coefficients make the published key and shares`, async () => {
    const network = keygenNetwork({ threshold: 2, partyCount: 3, suite: name });
    const suite = suiteOf(name);
    const { curve } = suite;

    const outcomes = await runKeygen(network, {
      rng: (party) => recordedRng(parties[party - 1]?.coefficients ?? []),
    });

    for (const { index, share: expected, verificationShare } of parties) {
      const share = outcomeOf(outcomes, index).key?.share;
      const internal = share?.public.commitments[0];
      assert.ok(share && internal);
      // The TR file shows keys that carry the empty-root tweak already; ours stay internal until they sign.
      const start = startTweaks(curve, internal);
      const NO_ROOT = new Uint8Array(0);
      const tweaked = suite.evenY ? applyTweak(curve, start, tapTweak(internal, NO_ROOT), "x-only") : start;
      const scalar = curve.decodeScalar(share.secret.expose());
      const published = curve.add(signedScalar(curve, tweaked.sign, scalar), tweaked.addend);
      assert.equal(hex(tweaked.point), hex(publicKey));
      assert.equal(hex(published), hex(expected));
      assert.equal(hex(curve.multiplyBase(published)), hex(verificationShare));
    }
  });
}

test("generation pauses between the checks of two messages and between two points of the joint key", async () => {
  const [threshold, partyCount] = [3, 5];
  const pauses = new Map<PartyIndex, number>();
  const counting = (party: PartyIndex, options: KeygenOptions): KeygenOptions => ({
    ...options,
    pause: async () => void pauses.set(party, (pauses.get(party) ?? 0) + 1),
  });

  const outcomes = await runKeygen(keygenNetwork({ threshold, partyCount }), { options: counting });

  assert.ok([...outcomes.values()].every(({ key }) => key !== undefined));
  const perParty = ROUNDS.length * (partyCount - 1) + threshold + partyCount;
  assert.deepEqual([...pauses.values()], new Array(partyCount).fill(perParty));
});

test("the chain code depends on every party's part, and two generations share nothing", async () => {
  const [first, second] = await Promise.all(
    [1, 2].map(async () => {
      const network = keygenNetwork({ threshold: 2, partyCount: 3 });
      return outcomeOf(await runKeygen(network), 1).key?.share.public;
    }),
  );

  assert.ok(first && second);
  assert.notEqual(hex(first.chainCodeHash), hex(second.chainCodeHash));
  assert.notEqual(hex(first.tau), hex(second.tau));
  assert.notDeepEqual(first.commitments, second.commitments);
});

test("nobody's later message leaves before everyone's earlier one is in", async () => {
  // Each party's message of a round, held back once: nobody who lacks it may go on.
  for (const [place, round] of ROUNDS.entries()) {
    const network = keygenNetwork({ threshold: 2, partyCount: 3 });
    const seen = new Map<string, number>();
    const withheld = cheat(network, 3, (sent) => (sent.round === round ? null : undefined));

    await runKeygen(network, {
      tap: (message, facts, receiver) => {
        seen.set(facts.round, (seen.get(facts.round) ?? 0) + 1);
        return withheld(message, facts, receiver);
      },
    });

    for (const later of ROUNDS.slice(place + 1)) {
      // Party 3 itself lacks nothing and goes on, but the next round cannot complete for it either.
      const sentByThird = later === ROUNDS[place + 1] ? 2 : 0;
      assert.equal(seen.get(later) ?? 0, sentByThird, `${later} after ${round}`);
    }
  }
});

test("a share is staged before its acknowledgement leaves, and with that acknowledgement", async () => {
  const network = keygenNetwork({ threshold: 2, partyCount: 3 });
  const events: string[] = [];

  const outcomes = await runKeygen(network, {
    tap: (message, facts) => {
      if (facts.round === "finish") events.push(`sent by ${facts.from}`);
      return message;
    },
    options: (party, options) => ({
      ...options,
      stage: async (share, acknowledgement) => {
        checkKeyShare(share);
        assert.equal(acknowledgement.party, party);
        events.push(`staging by ${party}`);
        // The store is slow: whatever does not wait for it comes before this.
        for (let turn = 0; turn < 20; turn++) await Promise.resolve();
        events.push(`staged by ${party}`);
      },
    }),
  });

  assert.equal([...outcomes.values()].filter(({ key }) => key).length, 3);
  for (const party of [1, 2, 3]) {
    assert.ok(events.indexOf(`staged by ${party}`) >= 0);
    assert.ok(events.indexOf(`staged by ${party}`) < events.indexOf(`sent by ${party}`));
  }
});

test("a share that cannot be staged is never acknowledged, and its secret is wiped", async () => {
  const network = keygenNetwork({ threshold: 2, partyCount: 3 });
  const finished: PartyIndex[] = [];
  const full = new Error("The disk is full.");
  let refused: KeyShare | undefined;

  const outcomes = await runKeygen(network, {
    tap: (message, facts) => {
      if (facts.round === "finish") finished.push(facts.from);
      return message;
    },
    options: (party, options) => ({
      ...options,
      stage: async (share, acknowledgement, chainCode) => {
        if (party !== 2) return options.stage(share, acknowledgement, chainCode);
        refused = share;
        throw full;
      },
    }),
  });

  assert.equal(outcomeOf(outcomes, 2).error, full);
  assert.ok(!finished.includes(2));
  assert.throws(() => refused?.secret.expose(), /wiped/);
  for (const party of [1, 3]) assert.deepEqual(silentOf(outcomeOf(outcomes, party).error), [2]);
});

test("what failed after staging leaves no usable share in memory", async () => {
  const network = keygenNetwork({ threshold: 2, partyCount: 3 });

  const outcomes = await runKeygen(network, {
    tap: cheat(network, 3, ({ round }) => (round === "finish" ? null : undefined)),
  });

  const { staged, stagedShare } = outcomeOf(outcomes, 1);
  assert.ok(staged);
  assert.throws(() => stagedShare?.secret.expose(), /wiped/);
});

test("shares that a party received are wiped also when the session fails afterwards", async () => {
  const full = new Error("The disk is full.");
  const bodies: Uint8Array[] = [];

  const outcomes = await runKeygen(keygenNetwork({ threshold: 2, partyCount: 3 }), {
    tap: (message, facts) => {
      if (facts.round === "share" && facts.to === 2) bodies.push(message.body);
      return message;
    },
    options: (party, options) => ({
      ...options,
      stage: async (share, acknowledgement, chainCode) => {
        if (party === 2) throw full;
        return options.stage(share, acknowledgement, chainCode);
      },
    }),
  });

  assert.equal(outcomeOf(outcomes, 2).error, full);
  assert.equal(bodies.length, 2);
  for (const body of bodies) assert.ok(body.every((byte) => byte === 0));
});

test("share messages are wiped once everyone acknowledged", async () => {
  const network = keygenNetwork({ threshold: 2, partyCount: 3 });
  const bodies: Uint8Array[] = [];

  await runKeygen(network, {
    tap: (message, facts) => {
      if (facts.round === "share") bodies.push(message.body);
      return message;
    },
  });

  assert.equal(bodies.length, 6);
  for (const body of bodies) assert.ok(body.every((byte) => byte === 0));
});

for (const round of ROUNDS)
  test(`a node that falls silent before "${round}" is an outage that names it, not blame`, async () => {
    const network = keygenNetwork({ threshold: 2, partyCount: 3 });

    const outcomes = await runKeygen(network, {
      tap: cheat(network, 3, (sent) => (ROUNDS.indexOf(sent.round) >= ROUNDS.indexOf(round) ? null : undefined)),
    });

    for (const party of [1, 2]) {
      const { error, staged } = outcomeOf(outcomes, party);
      assert.deepEqual(silentOf(error), [3]);
      assert.equal(staged, round === "finish");
    }
  });

test("reveals that arrive last change nothing: they were committed to", async () => {
  const network = keygenNetwork({ threshold: 2, partyCount: 3 });

  const outcomes = await runKeygen(network, {
    delivery: (party, delivery) => ({
      ...delivery,
      send: async (round, to, body) => {
        // Party 3 speaks only once it has heard everyone.
        if (party === 3 && round === "reveal") await delivery.complete("reveal");
        return delivery.send(round, to, body);
      },
    }),
  });

  assert.equal([...outcomes.values()].filter(({ key }) => key).length, 3);
});

test("a delivery that joins others than the members is refused before anything is sent", async () => {
  const network = keygenNetwork({ threshold: 2, partyCount: 3 });
  const sent: string[] = [];

  for (const change of [{ parties: [1, 2] }, { parties: [1, 2, 4] }, { parties: [1, 2, 3, 4] }, { self: 4 }]) {
    const outcomes = await runKeygen(network, {
      tap: (message, facts) => {
        sent.push(facts.round);
        return message;
      },
      delivery: (_, delivery) => ({ ...delivery, ...change }),
    });
    for (const { error } of outcomes.values()) assert.equal(codeOf(error), "keygen_terms_invalid");
  }

  assert.deepEqual(sent, []);
});

test("dealings that cancel out end the session and blame nobody", async () => {
  const network = keygenNetwork({ threshold: 2, partyCount: 2 });
  const { curve } = network.session.suite;
  const secret = curve.randomScalar(systemRng);

  const outcomes = await runKeygen(network, {
    rng: (party) => recordedRng([party === 1 ? secret : curve.negate(secret)]),
  });

  for (const { error, staged } of outcomes.values()) {
    assert.equal(codeOf(error), "keygen_result_degenerate");
    assert.deepEqual(error instanceof Error && "culprits" in error && error.culprits, []);
    assert.equal(staged, false);
  }
});

test("an honest session has no complaints", async () => {
  const network = keygenNetwork({ threshold: 3, partyCount: 5 });
  let complaints = 0;

  await runKeygen(network, {
    tap: (message, facts) => {
      if (facts.round !== "commit" && isComplaint(message.body)) complaints++;
      return message;
    },
  });

  assert.equal(complaints, 0);
});

function interpolatesToKey(shares: readonly KeyShare[]): boolean {
  const [first] = shares;
  assert.ok(first);
  const { curve } = suiteOf(first.public.suite);
  const quorum = shares.map(({ index }) => index);
  const secret = shares.reduce<Scalar>((total, { index, secret: share }) => {
    const scalar = curve.decodeScalar(share.expose());
    return curve.add(total, curve.multiply(scalar, lagrangeCoefficient(curve, quorum, index)));
  }, curve.scalarFromNumber(0));
  return hex(curve.multiplyBase(secret)) === hex(first.public.commitments[0] ?? new Uint8Array(0));
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : error;
}

function silentOf(error: unknown): unknown {
  assert.ok(error instanceof Error && "code" in error && "details" in error);
  assert.equal(error.code, "session_deadline");
  const { details } = error;
  return typeof details === "object" && details !== null && "silent" in details ? details.silent : undefined;
}
