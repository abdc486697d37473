import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { concatBytes, u16be } from "@countersign/bytes";
import { signMessage } from "@countersign/mesh";
import { ed25519 as nobleEd } from "@noble/curves/ed25519.js";
import type { Scalar } from "../curves/curve.ts";
import { prepareCurves } from "../curves/prepare-curves.ts";
import type { PartyIndex, SignedMessage } from "../delivery.ts";
import { ProtocolAbort, type ThresholdErrorCode } from "../errors.ts";
import type { SuiteName } from "../key-share.ts";
import { suiteOf } from "../suites.ts";
import {
  combination,
  DEPLOYMENT,
  identityOf,
  openSession,
  partialsOf,
  type SigningSession,
} from "../testing/signing-network.ts";
import { splitKey } from "../testing/split-key.ts";
import { systemRng } from "../testing/system-rng.ts";
import { combineSchnorr } from "./combine.ts";
import { type Accusation, convicts, type SigningCase } from "./convicts.ts";
import { shareStatement } from "./package.ts";
import type { SchnorrPartial } from "./partial.ts";

before(() => prepareCurves(systemRng));

const ED25519: SuiteName = "FROST-ED25519-SHA512-v1";
const TR: SuiteName = "FROST-secp256k1-SHA256-TR-v1";

type Partials = Map<PartyIndex, SchnorrPartial>;

async function givenPartials(
  suite: SuiteName = ED25519,
  threshold = 2,
): Promise<{ session: SigningSession; partials: Partials }> {
  const key = splitKey({ suite, threshold, partyCount: threshold + 1, rng: systemRng });
  const quorum = Array.from({ length: threshold }, (_, index) => index + 1);
  const session = openSession({ key, quorum });
  return { session, partials: await partialsOf(session) };
}

/** Changes what a party replied; `resign` puts its identity behind the change. */
function change(
  { parties }: SigningSession,
  partials: Partials,
  party: PartyIndex,
  changes: Partial<SchnorrPartial>,
  { resign = true } = {},
): void {
  const partial = { ...of(partials, party), ...changes };
  const statement = shareStatement(partial.packageHash, partial.z);
  partials.set(party, resign ? { ...partial, signature: identityOf(parties, party).sign(statement) } : partial);
}

function of(partials: ReadonlyMap<PartyIndex, SchnorrPartial>, party: PartyIndex): SchnorrPartial {
  const partial = partials.get(party);
  assert.ok(partial);
  return partial;
}

/** Combines and expects a fault. */
function fault(
  session: SigningSession,
  partials: Partials,
  expected: { code: ThresholdErrorCode; culprits: readonly PartyIndex[]; suspects?: readonly PartyIndex[] },
  changes: Partial<ReturnType<typeof combination>> = {},
): ProtocolAbort {
  try {
    combineSchnorr({ ...combination(session, partials), ...changes });
  } catch (error) {
    assert.ok(error instanceof ProtocolAbort, String(error));
    const { code, culprits, suspects } = error;
    assert.deepEqual({ code, culprits, suspects }, { suspects: [], ...expected });
    return error;
  }
  assert.fail("A signature was returned.");
}

function caseOf(session: SigningSession): SigningCase {
  const { partials: _, ...facts } = combination(session, new Map());
  return { ...facts, itemCount: session.items.length };
}

/** What a third party is told about the first culprit of an abort. */
function accusationOf(abort: ProtocolAbort): Accusation {
  const [culprit] = abort.culprits;
  const { code, evidence } = abort;
  assert.ok(culprit !== undefined && evidence !== undefined);
  assert.ok(code === "share_invalid" || code === "commitment_invalid" || code === "commitment_equivocated");
  return { code, culprit, evidence };
}

const plusOne = (suite: SuiteName, z: Uint8Array): Uint8Array => {
  const { curve } = suiteOf(suite);
  return curve.add(curve.decodeScalar(z), curve.scalarFromNumber(1));
};

/** A commit message that this party signs in this session. */
function signedCommit(session: SigningSession, from: PartyIndex, body: Uint8Array, facts = {}): SignedMessage {
  const { sessionId, sessionDigest, parties } = session;
  const header = { sessionId, sessionDigest, round: "commit", from, to: 0 as const, ...facts };
  return signMessage(identityOf(parties, from), DEPLOYMENT, header, body);
}

for (const suite of [ED25519, TR])
  describe(`a signature share of ${suite}`, () => {
    test("that is off by one names its signer, and the evidence convicts it", async () => {
      const { session, partials } = await givenPartials(suite, 3);
      change(session, partials, 2, { z: plusOne(suite, of(partials, 2).z) });

      const abort = fault(session, partials, { code: "share_invalid", culprits: [2] });

      assert.ok(convicts(caseOf(session), accusationOf(abort)));
    });

    test("that is not canonical names its signer, and the evidence convicts it", async () => {
      const { session, partials } = await givenPartials(suite);
      change(session, partials, 1, { z: new Uint8Array(32).fill(0xff) });

      const abort = fault(session, partials, { code: "share_invalid", culprits: [1] });

      assert.ok(convicts(caseOf(session), accusationOf(abort)));
    });

    test("that is zero or of another length names its signer", async () => {
      for (const size of [32, 31, 0]) {
        const { session, partials } = await givenPartials(suite);
        change(session, partials, 2, { z: new Uint8Array(size) });

        const abort = fault(session, partials, { code: "share_invalid", culprits: [2] });

        assert.ok(convicts(caseOf(session), accusationOf(abort)));
      }
    });

    test("that cancels another's error is no escape: a valid sum is a signature", async () => {
      const { session, partials } = await givenPartials(suite);
      const { curve } = suiteOf(suite);
      change(session, partials, 1, { z: plusOne(suite, of(partials, 1).z) });
      const lowered = curve.subtract(curve.decodeScalar(of(partials, 2).z), curve.scalarFromNumber(1));
      change(session, partials, 2, { z: lowered });

      combineSchnorr(combination(session, partials));
    });
  });

test("two cheaters are both named", async () => {
  const { session, partials } = await givenPartials(ED25519, 3);
  for (const party of [1, 3]) change(session, partials, party, { z: plusOne(ED25519, of(partials, party).z) });

  const abort = fault(session, partials, { code: "share_invalid", culprits: [1, 3] });

  for (const culprit of abort.culprits) assert.ok(convicts(caseOf(session), { ...accusationOf(abort), culprit }));
});

describe("a reply that convinces only its receiver makes suspects, not culprits", () => {
  test("a missing one", async () => {
    const { session, partials } = await givenPartials();
    partials.delete(2);

    fault(session, partials, { code: "partial_invalid", culprits: [], suspects: [2] });
  });

  test("one with a changed z that its party did not sign", async () => {
    const { session, partials } = await givenPartials();
    change(session, partials, 2, { z: plusOne(ED25519, of(partials, 2).z) }, { resign: false });

    fault(session, partials, { code: "partial_invalid", culprits: [], suspects: [2] });
  });

  test("one without all commitments", async () => {
    const { session, partials } = await givenPartials();
    change(session, partials, 1, { commitments: of(partials, 1).commitments.slice(1) });

    fault(session, partials, { code: "partial_invalid", culprits: [], suspects: [1] });
  });

  test("one with commitments in another order", async () => {
    const { session, partials } = await givenPartials();
    change(session, partials, 1, { commitments: of(partials, 1).commitments.toReversed() });

    fault(session, partials, { code: "partial_invalid", culprits: [], suspects: [1] });
  });

  test("one with a commitment whose sender did not sign it", async () => {
    const { session, partials } = await givenPartials();
    const [own, other] = of(partials, 1).commitments;
    assert.ok(own && other);
    change(session, partials, 1, { commitments: [own, { ...other, body: own.body }] });

    fault(session, partials, { code: "partial_invalid", culprits: [], suspects: [1] });
  });

  for (const [what, facts] of [
    ["session", { sessionId: new Uint8Array(32) }],
    ["session digest", { sessionDigest: new Uint8Array(32) }],
    ["round", { round: "other" }],
    ["receiver", { to: 1 }],
  ] as const)
    test(`one with a commitment of another ${what}`, async () => {
      const { session, partials } = await givenPartials();
      const [own] = of(partials, 1).commitments;
      const other = of(await partialsOf(session), 2).commitments[1];
      assert.ok(own && other);
      change(session, partials, 1, { commitments: [own, signedCommit(session, 2, other.body, facts)] });

      fault(session, partials, { code: "partial_invalid", culprits: [], suspects: [1] });
    });

  test("one for another message than everyone else's", async () => {
    const { session, partials } = await givenPartials();
    const key = session.key;
    const others = await partialsOf(
      { ...session, key },
      {
        options: (party, options) => (party === 2 ? { ...options, items: [{ message: new Uint8Array(1) }] } : options),
      },
    );

    fault(session, others, { code: "package_differs", culprits: [], suspects: [2] });
    assert.notDeepEqual(partials, others);
  });
});

test("a party that signs different commitments for two others is convicted by both messages", async () => {
  const key = splitKey({ suite: ED25519, threshold: 3, partyCount: 3, rng: systemRng });
  const session = openSession({ key, quorum: [1, 2, 3] });
  const foreign = await partialsOf(openSession({ key, quorum: [1, 2, 3] }));
  const otherBody = of(foreign, 3).commitments[2]?.body;
  assert.ok(otherBody);

  const partials = await partialsOf(session, {
    tap: (message, facts, receiver) =>
      facts.from === 3 && receiver === 2 ? signedCommit(session, 3, otherBody) : message,
  });
  const abort = fault(session, partials, { code: "commitment_equivocated", culprits: [3] });

  assert.ok(convicts(caseOf(session), accusationOf(abort)));
});

test("a party whose signed commitments are no points is convicted by its message", async () => {
  const { session, partials } = await givenPartials(TR);
  const body = new Uint8Array(2 + 66);
  body[1] = 1;
  const bad = signedCommit(session, 2, body);
  for (const [party, { commitments }] of partials)
    change(session, partials, party, { commitments: [commitments[0] ?? bad, bad] });

  const abort = fault(session, partials, { code: "commitment_invalid", culprits: [2] });

  assert.ok(convicts(caseOf(session), accusationOf(abort)));
});

test("a party whose signed commitment has a part of small order is convicted by its message", async () => {
  const torsion = nobleEd.Point.fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a");
  const torsioned = nobleEd.Point.BASE.multiply(5n).add(torsion).toBytes();
  for (const place of [0, 1]) {
    const { session, partials } = await givenPartials(ED25519);
    const honest = of(partials, 1).commitments[1]?.body;
    assert.ok(honest);
    const body = new Uint8Array(honest);
    body.set(torsioned, 2 + 32 * place);
    const bad = signedCommit(session, 2, body);
    for (const [party, { commitments }] of partials)
      change(session, partials, party, { commitments: [commitments[0] ?? bad, bad] });

    const abort = fault(session, partials, { code: "commitment_invalid", culprits: [2] });

    assert.ok(convicts(caseOf(session), accusationOf(abort)));
  }
});

describe("an orchestrator that lies or errs frames nobody", () => {
  test("when it combines under another message than the parties signed", async () => {
    const { session, partials } = await givenPartials();

    fault(session, partials, { code: "package_differs", culprits: [] }, { item: { message: new Uint8Array(1) } });
  });

  test("when it combines under another Merkle root than the parties signed", async () => {
    const { session, partials } = await givenPartials(TR);
    const item = { message: session.items[0]?.message ?? new Uint8Array(0), taprootMerkleRoot: new Uint8Array(32) };

    fault(session, partials, { code: "package_differs", culprits: [] }, { item });
  });

  test("when it accuses an honest share in front of a judge under another list, message or session", async () => {
    const { session, partials } = await givenPartials(ED25519, 3);
    const { packageHash, z, signature, commitments } = of(partials, 1);
    const other = await partialsOf(session);
    const share = { party: 1, packageHash, z, signature };
    const accuse = (messages: readonly SignedMessage[], signingCase: SigningCase = caseOf(session)) =>
      convicts(signingCase, { code: "share_invalid", culprit: 1, evidence: { messages, shares: [share] } });
    const swapped = commitments.map((message, place) =>
      place === 1 ? (of(other, 1).commitments[1] ?? message) : message,
    );

    assert.ok(!accuse(commitments));
    assert.ok(!accuse(swapped));
    assert.ok(!accuse(commitments, { ...caseOf(session), item: { message: new Uint8Array(1) } }));
    assert.ok(!accuse(commitments, { ...caseOf(session), sessionId: new Uint8Array(32) }));
    assert.ok(!accuse(commitments.slice(1)));
    assert.ok(!accuse(commitments.toReversed()));
  });

  test("when it changes an honest share that it received", async () => {
    const { session, partials } = await givenPartials();
    const { packageHash, z, signature, commitments } = of(partials, 1);
    const share = { party: 1, packageHash, z: plusOne(ED25519, z), signature };

    const evidence = { messages: commitments, shares: [share] };

    assert.ok(!convicts(caseOf(session), { code: "share_invalid", culprit: 1, evidence }));
    assert.ok(!convicts(caseOf(session), { code: "share_invalid", culprit: 1, evidence: { messages: commitments } }));
  });

  test("when it calls one honest message two, another party's message the culprit's, or good commitments bad", async () => {
    const { session, partials } = await givenPartials();
    const [own, other] = of(partials, 1).commitments;
    assert.ok(own && other);
    const accuse = (code: Accusation["code"], culprit: PartyIndex, messages: readonly SignedMessage[]) =>
      convicts(caseOf(session), { code, culprit, evidence: { messages } });

    assert.ok(!accuse("commitment_equivocated", 1, [own, own]));
    assert.ok(!accuse("commitment_equivocated", 1, [own, other]));
    assert.ok(!accuse("commitment_equivocated", 1, [own]));
    assert.ok(!accuse("commitment_equivocated", 1, [own, signedCommit(session, 1, other.body, { round: "other" })]));
    assert.ok(!accuse("commitment_equivocated", 1, [signedCommit(session, 1, other.body, { round: "other" }), own]));
    assert.ok(!accuse("commitment_invalid", 1, [own]));
    assert.ok(!accuse("commitment_invalid", 1, [other]));
    assert.ok(!accuse("commitment_invalid", 1, [{ ...own, body: own.body.subarray(1) }]));
    assert.ok(!accuse("commitment_invalid", 1, []));
    assert.ok(!accuse("commitment_invalid", 3, [signedCommit(session, 3, new Uint8Array(1))]));
  });

  test("when the commitments that it shows for a bad share are not signed", async () => {
    const { session, partials } = await givenPartials();
    change(session, partials, 2, { z: plusOne(ED25519, of(partials, 2).z) });
    const accusation = accusationOf(fault(session, partials, { code: "share_invalid", culprits: [2] }));
    const { messages, ...rest } = accusation.evidence;
    const unsigned = messages.map((message) => ({ ...message, signature: new Uint8Array(64) }));

    assert.ok(convicts(caseOf(session), accusation));
    assert.ok(!convicts(caseOf(session), { ...accusation, evidence: { ...rest, messages: unsigned } }));
    assert.ok(!convicts(caseOf(session), { ...accusation, evidence: { ...rest, messages: messages.slice(0, 1) } }));
  });

  test("when the quorum that it tells the judge is none of the key's", async () => {
    const { session } = await givenPartials();
    const accusation: Accusation = { code: "commitment_invalid", culprit: 1, evidence: { messages: [] } };

    assert.throws(() => convicts({ ...caseOf(session), parties: [2, 1] }, accusation), { code: "quorum_invalid" });
  });
});

test("a party that commits to another number of items is convicted by its message", async () => {
  const { session, partials } = await givenPartials();
  const points = of(partials, 2).commitments[1]?.body.subarray(2) ?? new Uint8Array(0);
  const message = signedCommit(session, 2, concatBytes(u16be(2), points, points));

  const accusation: Accusation = { code: "commitment_invalid", culprit: 2, evidence: { messages: [message] } };

  assert.ok(convicts(caseOf(session), accusation));
});

test("shares that verify but make no signature are not released", async () => {
  const { session, partials } = await givenPartials();
  const { curve } = suiteOf(ED25519);
  const { publicKey } = combination(session, partials);
  // A package whose verification shares do not belong to its key: bind and verify the shares under the wrong key.
  const [first, ...rest] = publicKey.commitments;
  assert.ok(first);
  const wrongKey = { ...publicKey, commitments: [curve.sum([first, curve.generator]), ...rest] };
  const shares = session.key.shares.map((share) => ({ ...share, public: wrongKey }));
  const wrong = { ...session, key: { ...session.key, public: wrongKey, shares } };

  fault(wrong, await partialsOf(wrong), { code: "aggregate_invalid", culprits: [] });
});

test("a quorum that is none of the key's is refused", async () => {
  const { session, partials } = await givenPartials();

  for (const parties of [[1], [2, 1], [1, 1], [1, 9]])
    assert.throws(() => combineSchnorr({ ...combination(session, partials), parties }), { code: "quorum_invalid" });
});

test("the signature does not depend on the order in which replies came", async () => {
  const { session, partials } = await givenPartials(TR, 3);

  const forward = combineSchnorr(combination(session, partials));
  const backward = combineSchnorr(combination(session, new Map([...partials].reverse())));

  assert.deepEqual(forward, backward);
  assert.equal((forward.s as Scalar).length, 32);
});
