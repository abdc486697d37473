import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { concatBytes } from "@countersign/bytes";
import type { Curve } from "../curves/curve.ts";
import { prepareCurves } from "../curves/prepare-curves.ts";
import type { PartyIndex, SignedMessage } from "../delivery.ts";
import { ProtocolAbort, type ThresholdErrorCode } from "../errors.ts";
import { suiteOf } from "../suites.ts";
import { systemRng } from "../testing/system-rng.ts";
import { KeygenAbort } from "./abort.ts";
import { acknowledgementStatement, verifyRenunciation } from "./acknowledgement.ts";
import { commitTo, type Dealing, deal } from "./dealing.ts";
import {
  decodeShare,
  encodeComplaint,
  encodeEcho,
  encodeFinish,
  encodePackage,
  encodeReveal,
  encodeShare,
  type Package,
} from "./encoding.ts";
import { judgeKeygen } from "./judge-messages.ts";
import type { KeygenRound } from "./rounds.ts";
import {
  cheat,
  type Interference,
  identityOf,
  type KeygenNetwork,
  keygenNetwork,
  type Outcome,
  outcomeOf,
  runKeygen,
} from "./testing/keygen-network.ts";

/** Party 3 cheats, in 2 of 3 unless said. */
const CHEATER = 3;
const HONEST: readonly PartyIndex[] = [1, 2];

before(() => prepareCurves(systemRng));

describe("a commitment", () => {
  test("of another length names its sender", async () => {
    for (const size of [0, 31]) await everyoneBlames("keygen_message_malformed", replace("commit", systemRng(size)));
  });
});

describe("a reveal", () => {
  test("of another package than was committed to names its sender", async () => {
    await everyoneBlames("keygen_commitment_mismatch", (network) => {
      const other = dealingOf(network);
      return cheat(network, CHEATER, ({ round }) => (round === "reveal" ? encodeReveal(other) : undefined));
    });
  });

  test("of the committed package with another salt names its sender", async () => {
    await everyoneBlames("keygen_commitment_mismatch", (network) =>
      cheat(network, CHEATER, ({ round, body }) =>
        round === "reveal" ? concatBytes(body.subarray(0, 1), systemRng(32), body.subarray(33)) : undefined,
      ),
    );
  });

  test("copied from another party with its commitment names the copier", async () => {
    // The hash binds the committing party, so that a copied commitment opens for nobody else.
    const network = keygenNetwork({ threshold: 2, partyCount: 3 });
    const first = new Map<string, Uint8Array>();
    const copy = cheat(network, CHEATER, ({ round }) => first.get(round));

    const outcomes = await runKeygen(network, {
      tap: (message, facts, receiver) => {
        if (facts.from === 1) first.set(facts.round, message.body);
        return copy(message, facts, receiver);
      },
    });

    expectBlame(network, outcomes, "keygen_commitment_mismatch");
  });

  for (const [title, count] of [
    ["t-1", 1],
    ["t+1", 3],
    ["no", 0],
  ] as const)
    test(`of a polynomial with ${title} coefficients names its sender`, async () => {
      await everyoneBlames("keygen_degree_wrong", (network) => {
        const { package: content } = dealingOf(network);
        const [constant] = content.commitments;
        assert.ok(constant);
        const commitments = Array.from({ length: count }, () => constant);
        return revealing(network, encodePackage({ ...content, commitments }));
      });
    });

  test("with a proof for another party, session or key, or off by one, names its sender", async () => {
    const forged: readonly ((network: KeygenNetwork) => Package)[] = [
      (network) => dealingOf(network, { dealer: 1 }).package,
      (network) => dealingOf(network, { context: systemRng(32) }).package,
      (network) => ({ ...dealingOf(network).package, R: dealingOf(network).package.R }),
      (network) => {
        const { package: content } = dealingOf(network);
        const { curve } = network.session.suite;
        return { ...content, mu: curve.add(content.mu, curve.scalarFromNumber(1)) };
      },
      (network) => {
        // A rogue key: the sum of the others' constant terms, negated, which nobody can prove to know.
        const { package: content } = dealingOf(network);
        const { curve } = network.session.suite;
        const rogue = curve.negatePoint(dealingOf(network).package.commitments[0] ?? curve.generator);
        return { ...content, commitments: content.commitments.with(0, rogue) };
      },
    ];
    for (const content of forged)
      await everyoneBlames("keygen_proof_invalid", (network) => revealing(network, encodePackage(content(network))));
  });

  for (const suite of ["FROST-ED25519-SHA512-v1", "FROST-secp256k1-SHA256-TR-v1"] as const)
    test(`with any field that is no canonical value of ${suite} names its sender`, async () => {
      const { curve } = suiteOf(suite);
      const badPoints = [
        new Uint8Array(curve.pointSize),
        new Uint8Array(curve.pointSize).fill(255),
        Uint8Array.of(1, ...new Uint8Array(curve.pointSize - 1)),
        // Of order two on Ed25519; on secp256k1 an encoding without a kind.
        Uint8Array.of(0xec, ...new Uint8Array(curve.pointSize - 2).fill(255), 0x7f),
      ];
      const badScalars = [
        encodeScalar(curve, curve.order),
        encodeScalar(curve, curve.order + 1n),
        new Uint8Array(32).fill(255),
      ];
      const at = (place: number) => 2 + place * curve.pointSize;
      for (const bad of badPoints)
        for (const place of [0, 1, 2])
          await everyoneBlames(
            "point_invalid",
            (network) => revealing(network, overwrite(network, at(place), bad)),
            suite,
          );
      for (const bad of badScalars)
        await everyoneBlames("scalar_invalid", (network) => revealing(network, overwrite(network, at(3), bad)), suite);
    });

  test("that is longer or shorter than its package names its sender", async () => {
    const change: readonly ((bytes: Uint8Array) => Uint8Array)[] = [
      (bytes) => bytes.subarray(0, -1),
      (bytes) => concatBytes(bytes, Uint8Array.of(0)),
      () => new Uint8Array(0),
    ];
    for (const changed of change)
      await everyoneBlames("keygen_message_malformed", (network) =>
        revealing(network, changed(dealingOf(network).encodedPackage)),
      );
  });

  test("that is bad for one peer only ends the session for the other too, by that peer's complaint", async () => {
    const network = keygenNetwork({ threshold: 2, partyCount: 3 });

    const outcomes = await runKeygen(network, {
      tap: cheat(network, CHEATER, ({ round, to, body }) =>
        round === "reveal" && to === 1 ? body.with(40, (body[40] ?? 0) ^ 1) : undefined,
      ),
    });

    const complained = abortOf(outcomes, 2);
    assert.ok(complained instanceof KeygenAbort);
    assert.deepEqual(complained.culprits, [CHEATER]);
    assert.equal(complained.code, "keygen_equivocated");
    assert.equal(abortOf(outcomes, 1).code, "keygen_commitment_mismatch");
    assert.deepEqual(abortOf(outcomes, 1).culprits, [CHEATER]);
  });
});

describe("an echo", () => {
  test("of another length names its sender", async () => {
    await everyoneBlames("keygen_message_malformed", replace("echo", Uint8Array.of(0, ...systemRng(31))));
  });

  test("that differs without any two messages that show why ends the session and blames nobody", async () => {
    const network = keygenNetwork({ threshold: 2, partyCount: 3 });

    const outcomes = await runKeygen(network, { tap: replace("echo", encodeEcho(systemRng(32)))(network) });

    for (const party of HONEST) {
      const abort = abortOf(outcomes, party);
      assert.equal(abort.code, "keygen_views_differ");
      assert.deepEqual(abort.culprits, []);
      assert.equal(outcomeOf(outcomes, party).staged, false);
    }
  });

  test("shows that a party dealt two packages, and its two messages convict it", async () => {
    const network = keygenNetwork({ threshold: 2, partyCount: 4 });
    const [a, b] = [dealingOf(network, { dealer: 4 }), dealingOf(network, { dealer: 4 })];
    let shares = 0;
    const equivocate = cheat(network, 4, ({ round, to }) => {
      const dealing = to === 1 ? a : b;
      if (round === "commit") return dealing.commitment;
      return round === "reveal" ? encodeReveal(dealing) : undefined;
    });

    const outcomes = await runKeygen(network, {
      tap: (message, facts, receiver) => {
        if (facts.round === "share" && facts.from !== 4 && facts.to !== 0) shares++;
        return equivocate(message, facts, receiver);
      },
    });

    assert.equal(shares, 0, "no honest share leaves while views differ");
    for (const party of [1, 2, 3]) {
      const abort = abortOf(outcomes, party);
      assert.equal(abort.code, "keygen_equivocated");
      assert.deepEqual(abort.culprits, [4]);
      convinces(network, abort);
      assert.equal(abort.evidence?.messages.length, 2);
    }
  });

  test("that differs between two receivers convicts its sender where both come together", async () => {
    const network = keygenNetwork({ threshold: 2, partyCount: 3 });

    const outcomes = await runKeygen(network, {
      tap: cheat(network, CHEATER, ({ round, to }) =>
        round === "echo" && to === 2 ? encodeEcho(systemRng(32)) : undefined,
      ),
    });

    // Party 2 disputes in place of its share; party 1 holds the other echo.
    const abort = abortOf(outcomes, 1);
    assert.equal(abort.code, "keygen_equivocated");
    assert.deepEqual(abort.culprits, [CHEATER]);
    convinces(network, abort);
    assert.equal(abortOf(outcomes, 2).code, "keygen_views_differ");
    assert.deepEqual(abortOf(outcomes, 2).culprits, []);
  });
});

describe("a share", () => {
  const forgeries: Readonly<Record<string, (network: KeygenNetwork, body: Uint8Array) => Uint8Array>> = {
    "off the polynomial": (network, body) => {
      const { curve } = network.session.suite;
      const content = decodeShare(curve, body);
      return encodeShare({ ...content, share: curve.add(content.share, curve.scalarFromNumber(1)) });
    },
    "of zero": (_, body) => body.fill(0, -32).slice(),
    "of another dealing": (network, body) =>
      encodeShare({ ...decodeShare(network.session.suite.curve, body), tau: systemRng(32) }),
    "in another sender's name": (network, body) =>
      encodeShare({ ...decodeShare(network.session.suite.curve, body), from: 2 }),
    "for another receiver": (network, body) =>
      encodeShare({ ...decodeShare(network.session.suite.curve, body), to: 2 }),
  };

  for (const [title, forge] of Object.entries(forgeries))
    test(`${title} is proven by its receiver's complaint, also to those who acknowledged`, async () => {
      await complaintProves("keygen_share_invalid", (network, body) => forge(network, body));
    });

  test("that is no canonical scalar is proven likewise", async () => {
    await complaintProves("scalar_invalid", (_, body) =>
      concatBytes(body.subarray(0, -32), new Uint8Array(32).fill(255)),
    );
  });

  test("of another length is proven likewise", async () => {
    await complaintProves("keygen_message_malformed", (_, body) => body.subarray(0, -1));
  });

  test("as long as the round allows still fits the complaint about it", async () => {
    await complaintProves("keygen_message_malformed", () => new Uint8Array(1_900));
  });

  test("that went astray blames nobody, and its receiver does not complain", async () => {
    const network = keygenNetwork({ threshold: 2, partyCount: 3 });
    let toFirst: SignedMessage | undefined;
    let finishes = 0;

    const outcomes = await runKeygen(network, {
      tap: (message, facts, receiver) => {
        if (facts.from === 2 && facts.round === "finish") finishes++;
        if (facts.from !== CHEATER || facts.round !== "share") return message;
        // Party 2 is handed what party 3 signed for party 1.
        if (receiver === 1) toFirst = message;
        return toFirst;
      },
    });

    const abort = abortOf(outcomes, 2);
    assert.equal(abort.code, "keygen_message_misdirected");
    assert.deepEqual(abort.culprits, []);
    assert.equal(finishes, 0);
  });
});

describe("an acknowledgement", () => {
  test("of another key names its sender, with evidence that anyone can check", async () => {
    const network = keygenNetwork({ threshold: 2, partyCount: 3 });
    const other = outcomeOf(await runKeygen(keygenNetwork({ threshold: 2, partyCount: 3 })), 1).key?.share.public;
    assert.ok(other);
    const statement = acknowledgementStatement(network.terms.deploymentId, other);
    const signature = identityOf(network, CHEATER).sign(statement);

    const outcomes = await runKeygen(network, { tap: replace("finish", encodeFinish(signature))(network) });

    for (const party of HONEST) {
      const abort = abortOf(outcomes, party);
      assert.equal(abort.code, "keygen_acknowledgement_invalid");
      assert.deepEqual(abort.culprits, [CHEATER]);
      convinces(network, abort);
      assert.equal(outcomeOf(outcomes, party).staged, true);
    }
  });

  test("of another length names its sender", async () => {
    const network = keygenNetwork({ threshold: 2, partyCount: 3 });

    const outcomes = await runKeygen(network, { tap: replace("finish", new Uint8Array(64))(network) });

    for (const party of HONEST) {
      assert.equal(abortOf(outcomes, party).code, "keygen_message_malformed");
      assert.deepEqual(abortOf(outcomes, party).culprits, [CHEATER]);
    }
  });
});

describe("garbage", () => {
  for (const round of ["commit", "reveal", "echo", "share", "finish"] as const)
    test(`in round "${round}" names its sender and stores nothing before the last round`, async () => {
      for (const kind of [0, 1, 2, 255]) {
        const network = keygenNetwork({ threshold: 2, partyCount: 3 });
        const body = round === "commit" ? systemRng(7) : Uint8Array.of(kind, ...systemRng(100));

        const outcomes = await runKeygen(network, { tap: replace(round, body)(network) });

        for (const party of HONEST) {
          assert.deepEqual(abortOf(outcomes, party).culprits, [CHEATER]);
          assert.equal(outcomeOf(outcomes, party).staged, round === "finish");
        }
      }
    });

  test("in place of a complaint's promise makes the complaint its sender's fault, and no promise", async () => {
    const network = keygenNetwork({ threshold: 2, partyCount: 3 });
    const body = encodeComplaint({ renunciation: systemRng(64), messages: [] });

    const outcomes = await runKeygen(network, { tap: replace("finish", body)(network) });

    for (const party of HONEST) {
      const abort = abortOf(outcomes, party);
      assert.equal(abort.code, "keygen_complaint_false");
      assert.deepEqual(abort.culprits, [CHEATER]);
      assert.ok(abort instanceof KeygenAbort);
      assert.deepEqual(abort.renunciations, []);
    }
  });
});

/** Runs with a cheat that every honest party must pin on the cheater, with evidence that convinces a stranger. */
async function everyoneBlames(
  code: ThresholdErrorCode,
  tap: (network: KeygenNetwork) => NonNullable<Interference["tap"]>,
  suite: KeygenNetwork["terms"]["suite"] = "FROST-ED25519-SHA512-v1",
): Promise<void> {
  const network = keygenNetwork({ threshold: 2, partyCount: 3, suite });
  expectBlame(network, await runKeygen(network, { tap: tap(network) }), code);
}

function expectBlame(
  network: KeygenNetwork,
  outcomes: ReadonlyMap<PartyIndex, Outcome>,
  code: ThresholdErrorCode,
): void {
  for (const party of HONEST) {
    const abort = abortOf(outcomes, party);
    assert.equal(abort.code, code);
    assert.deepEqual(abort.culprits, [CHEATER]);
    assert.equal(outcomeOf(outcomes, party).staged, false);
    convinces(network, abort);
  }
}

/** Party 1 gets a bad share: it stages nothing, and its complaint convicts the cheater at party 2, which acknowledged. */
async function complaintProves(
  code: ThresholdErrorCode,
  forge: (network: KeygenNetwork, body: Uint8Array) => Uint8Array,
): Promise<void> {
  const network = keygenNetwork({ threshold: 2, partyCount: 3 });
  const { deploymentId, keyId } = network.terms;

  const outcomes = await runKeygen(network, {
    tap: cheat(network, CHEATER, ({ round, to, body }) =>
      round === "share" && to === 1 ? forge(network, body.slice()) : undefined,
    ),
  });

  for (const party of HONEST) {
    const abort = abortOf(outcomes, party);
    assert.equal(abort.code, code);
    assert.deepEqual(abort.culprits, [CHEATER]);
    convinces(network, abort);
    assert.equal(outcomeOf(outcomes, party).staged, party === 2);
  }
  const abort = abortOf(outcomes, 2);
  assert.ok(abort instanceof KeygenAbort);
  const [promise] = abort.renunciations;
  assert.ok(promise && verifyRenunciation(deploymentId, keyId, promise, network.book.verifyIdentity));
  assert.equal(promise.party, 1);
}

/** The evidence alone, shown to a judge who was not there, convicts the culprit of the same. */
function convinces(network: KeygenNetwork, abort: ProtocolAbort): void {
  const verdict = judgeKeygen({ ...network.terms, ...network.book }, abort.evidence?.messages ?? []);
  assert.deepEqual(verdict?.culprits, abort.culprits);
  assert.equal(verdict?.code, abort.code);
}

function abortOf(outcomes: ReadonlyMap<PartyIndex, Outcome>, party: PartyIndex): ProtocolAbort {
  const { error } = outcomeOf(outcomes, party);
  assert.ok(error instanceof ProtocolAbort, String(error));
  return error;
}

function dealingOf(network: KeygenNetwork, change: { dealer?: PartyIndex; context?: Uint8Array } = {}): Dealing {
  const { suite, context, parties, terms } = network.session;
  return deal({ suite, context, parties, dealer: CHEATER, threshold: terms.threshold, rng: systemRng, ...change });
}

/** The cheater sends this body, alike to all, in place of its own. */
function replace(round: KeygenRound, body: Uint8Array) {
  return (network: KeygenNetwork) => cheat(network, CHEATER, (sent) => (sent.round === round ? body : undefined));
}

/** The cheater commits to these bytes as its package and reveals them. */
function revealing(network: KeygenNetwork, encodedPackage: Uint8Array): NonNullable<Interference["tap"]> {
  const salt = systemRng(32);
  const commitment = commitTo(network.session.context, CHEATER, salt, encodedPackage);
  return cheat(network, CHEATER, ({ round }) => {
    if (round === "commit") return commitment;
    return round === "reveal" ? encodeReveal({ salt, encodedPackage }) : undefined;
  });
}

/** A genuine package with one field overwritten. */
function overwrite(network: KeygenNetwork, offset: number, field: Uint8Array): Uint8Array {
  const { encodedPackage } = dealingOf(network);
  encodedPackage.set(field, offset);
  return encodedPackage;
}

function encodeScalar(curve: Curve, value: bigint): Uint8Array {
  const bigEndian = Buffer.from(value.toString(16).padStart(64, "0"), "hex");
  return new Uint8Array(curve.name === "ed25519" ? bigEndian.reverse() : bigEndian);
}
