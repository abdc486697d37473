// A hostile orchestrator at the signers' own doors: the strongest place outside a signer. One network, told in order.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { Evidence } from "@countersign/authority";
import type { SchnorrPartial } from "@countersign/threshold";
import { type CertifiedKey, evidenceToWire, type Session, sessionToWire } from "@countersign/wire";
import { refusalOf } from "./codes.ts";
import { flips, forgeries } from "./forged-evidence.ts";
import { type Answer, Insider, QUORUMS, type Release, SILENCE_MS } from "./insider.ts";
import { withVaultOf } from "./node-vault.ts";
import { RealNetwork } from "./real-network.ts";
import { StolenNode } from "./stolen-node.ts";
import { assertAttempts, assertNoncesOnce, crossings, storm } from "./storm.ts";

/** Sessions that a signer accepts for one approval: max(3, n-t+1). */
const ATTEMPTS_MAX = 3;
/** Calls in flight at once. */
const BATCH = 96;

describe("a hostile orchestrator", { timeout: 300_000 }, () => {
  let network: RealNetwork;
  let insider: Insider;
  let key: CertifiedKey;
  let other: CertifiedKey;
  let creation: Evidence;

  before(async () => {
    network = await RealNetwork.start();
    insider = await Insider.of(network);
    ({ key, evidence: creation } = await insider.createKey("EdDSA"));
    ({ key: other } = await insider.createKey("Schnorr"));
  });
  after(() => network?.close());

  /** The code with which a signer refuses to sign, in a session that is in order. */
  function refusal(party: number, evidence: Evidence): Promise<string> {
    const session = insider.session(party === 3 ? [1, 3] : [party, party + 1]);
    const request = { evidence: evidenceToWire(evidence), session: sessionToWire(session) };
    return refusalOf(network.signerClient(party).sign(request));
  }

  /** A dead node's own record: it took up what it was seen to take up and nothing else, and says of the rest why not. */
  async function judgeAudit(party: number): Promise<void> {
    const entries = await withVaultOf(network, party, async (vault) => {
      assert.equal((await vault.verifyAudit()).kind, "intact");
      return vault.auditEntries({ from: 0, limit: 1_000 });
    });
    const accepted = entries.filter(({ kind, fields }) => kind === "accepted" && fields["sessionKind"] === "sign");
    for (const { fields } of accepted)
      assert.ok(insider.taken.has(`${party} ${fields["session"]}`), "taken up in secret");
    const counts = Map.groupBy(accepted, ({ fields }) => fields["c"]);
    for (const sessions of counts.values()) assert.ok(sessions.length <= ATTEMPTS_MAX);
    const refused = entries.filter(({ kind }) => kind === "refused");
    assert.ok(refused.some(({ fields }) => fields["code"] === "challenge_mismatch"));
    assert.ok(refused.some(({ fields }) => fields["caller"] === "orchestrator orchestrator-1"));
  }

  test("evidence that approves something else, or nothing, is refused by every signer with its own code", async () => {
    const forged = await forgeries(insider, { key, other, creation });

    const found = await inBatches(forged, async ({ what, evidence }) => {
      const codes = await Promise.all(insider.parties.map((party) => refusal(party, evidence)));
      return [what, ...new Set(codes)];
    });

    assert.deepEqual(
      found,
      forged.map(({ what, code }) => [what, code]),
    );
    assert.deepEqual(await insider.keyCounts(), [2, 2, 2]);
  });

  test("evidence with any bit changed is refused", async () => {
    const good = await insider.approveHash(key, 2);
    const changed = flips(good);

    const found = await inBatches(changed, async ({ field, evidence }, place) => {
      return [field, await refusal((place % 3) + 1, evidence)] as const;
    });

    for (const [field, code] of found) assert.ok(FLIP_CODES[field]?.includes(code), `${field}: ${code}`);
    assert.deepEqual(new Set(found.map(([field]) => field)), new Set(Object.keys(FLIP_CODES)));
    assert.deepEqual(await insider.keyCounts(), [2, 2, 2]);
    await insider.signTogether(good, insider.session([1, 2]));
    assert.equal(insider.wholeSessions().length, 1, "the evidence itself is good");
  });

  test("a request without evidence, or with a session of the wrong form, is refused and not counted", async () => {
    const good = await insider.approveHash(key, 3);
    const evidence = evidenceToWire(good);
    const session = sessionToWire(insider.session([1, 2]));
    const { assertion: _, ...bare } = evidence;
    const wrong = new Uint8Array(32).fill(1);
    const told = (changes: object) => ({ evidence, session: { ...session, ...changes } });
    const cases: [what: string, code: string, request: object][] = [
      ["nothing", "message_malformed", {}],
      ["no evidence", "message_malformed", { session }],
      ["no session", "message_malformed", { evidence }],
      ["no assertion", "message_malformed", { evidence: bare, session }],
      ["a validity beyond 2^53", "message_malformed", { evidence: { ...evidence, expiresAtMs: 2n ** 60n }, session }],
      ["a short session id", "message_malformed", told({ sessionId: new Uint8Array(31) })],
      ["no parties", "message_malformed", told({ parties: [] })],
      ["party 0", "message_malformed", told({ parties: [0, 1] })],
      ["a party twice", "message_malformed", told({ parties: [1, 1] })],
      ["parties in another order", "message_malformed", told({ parties: [2, 1] })],
      ["one party", "session_parties_unfit", told({ parties: [1] })],
      ["all parties", "session_parties_unfit", told({ parties: [1, 2, 3] })],
      ["a party that is no node", "session_parties_unfit", told({ parties: [1, 4] })],
      ["the others", "session_parties_unfit", told({ parties: [2, 3] })],
      ["attempt 0", "session_attempt_invalid", told({ attempt: 0 })],
      ["an attempt beyond the cap", "session_attempt_invalid", told({ attempt: ATTEMPTS_MAX + 1 })],
      ["a short head", "message_malformed", told({ organisationHead: wrong.slice(1) })],
      ["another organisation head", "heads_differ", told({ organisationHead: wrong })],
      ["another deployment head", "heads_differ", told({ deploymentHead: wrong })],
    ];

    const found: [string, string][] = [];
    for (const [what, , request] of cases) found.push([what, await refusalOf(network.signerClient(1).sign(request))]);

    assert.deepEqual(
      found,
      cases.map(([what, code]) => [what, code]),
    );
    // Had any of them been counted, the approval would not last for every attempt there is.
    const attempts = [QUORUMS[0], QUORUMS[1], QUORUMS[0]].map((parties) => insider.session(parties ?? []));
    for (const attempt of attempts) await insider.signTogether(good, attempt);
    assert.equal(insider.wholeSessions().filter(([first]) => first && attempts.includes(first.session)).length, 3);
  });

  test("a session id is good once and an approval for three sessions, also after kill -9 and a restart", async () => {
    const first = await insider.approveHash(key, 4);
    const second = await insider.approveHash(key, 5);
    const session = insider.session([1, 2]);
    const all = insider.session(insider.parties);
    const again = (evidence: Evidence) =>
      Promise.all(session.parties.map((party) => saidBy(insider.sign(party, evidence, session))));
    const generate = () => Promise.all(insider.parties.map((party) => saidBy(insider.generate(party, creation, all))));

    const signed = await insider.signTogether(first, session);
    const replayed = [...(await again(first)), ...(await again(second))];
    const generated = await generate();
    const sessions = Array.from({ length: 12 }, (_, k) => insider.session(QUORUMS[k % QUORUMS.length] ?? []));
    const calls = sessions.flatMap((one) => one.parties.map((party) => ({ party, one })));
    const stormed = await Promise.all(
      calls.map(async ({ party, one }) => ({
        party,
        code: await saidBy(insider.sign(party, first, one, { deadlineMs: SILENCE_MS })),
      })),
    );

    assert.deepEqual(signed, [{ kind: "released" }, { kind: "released" }]);
    assert.deepEqual(new Set(replayed), new Set(["session_replayed"]));
    assert.deepEqual(new Set(generated), new Set(["share_exists"]));
    const accepted = (node: number) =>
      stormed.filter(({ party, code }) => party === node && code !== "attempts_exhausted").length;
    assert.deepEqual(insider.parties.map(accepted), [ATTEMPTS_MAX - 1, ATTEMPTS_MAX - 1, ATTEMPTS_MAX]);

    await Promise.all(insider.parties.map((party) => network.kill(network.node(party).id)));
    await network.up();

    const exhausted = await Promise.all(
      [1, 2, 3].map((party) => saidBy(insider.sign(party, first, insider.session(party === 3 ? [1, 3] : [1, 2])))),
    );
    assert.deepEqual(new Set(exhausted), new Set(["attempts_exhausted"]));
    assert.deepEqual(new Set([...(await again(first)), ...(await again(second))]), new Set(["session_replayed"]));
    assert.deepEqual(new Set(await generate()), new Set(["share_exists"]));
    for (const quorum of QUORUMS) await insider.signsWith(key, quorum);
  });

  test("the approval of a signature generates no key, and that of a key none with other parties", async () => {
    const signature = await insider.approveHash(key, 6);
    const fresh = await network.approve("POST", "/keys", { scheme: "EdDSA", curve: "ed25519" });
    const cases: [evidence: Evidence, parties: readonly number[], code: string][] = [
      [signature, [1, 2, 3], "intent_mismatch"],
      [fresh, [1, 2], "session_parties_unfit"],
      [fresh, [1, 2, 4], "session_parties_unfit"],
      [fresh, [1, 2, 3, 4], "session_parties_unfit"],
      [{ ...fresh, payload: fresh.payload.replace("EdDSA", "Schnorr") }, [1, 2, 3], "challenge_mismatch"],
    ];

    for (const [evidence, parties, code] of cases) {
      const answers = parties.slice(0, 2).map((party) => insider.generate(party, evidence, insider.session(parties)));
      assert.deepEqual(new Set(await Promise.all(answers.map(saidBy))), new Set([code]));
    }
    assert.deepEqual(await insider.keyCounts(), [2, 2, 2]);
  });

  test("signers that are told different things release nothing", async () => {
    const wrong = new Uint8Array(32).fill(1);
    let byte = 8;
    const lie = async (what: string, bend: (told: Told) => Told | Promise<Told>) => {
      const honest = { evidence: await insider.approveHash(key, byte++), session: insider.session([1, 2]) };
      return { what, told: [honest, await bend(honest)] };
    };
    const lies = await Promise.all([
      lie("another attempt", ({ evidence, session }) => ({ evidence, session: { ...session, attempt: 2 } })),
      lie("another session id", ({ evidence }) => ({ evidence, session: insider.session([1, 2]) })),
      lie("other parties", ({ evidence, session }) => ({ evidence, session: { ...session, parties: [2, 3] } })),
      lie("another message", async ({ session }) => ({ evidence: await insider.approveHash(key, 99), session })),
      lie("another approval of the same message", async ({ evidence: { payload }, session }) => {
        return { evidence: await insider.approveHash(key, 0, { payload }), session };
      }),
      lie("another key", async ({ evidence: { payload }, session }) => {
        return { evidence: await insider.approveHash(other, 0, { payload }), session };
      }),
      lie("another organisation head", ({ evidence, session }) => {
        return { evidence, session: { ...session, organisationHead: wrong } };
      }),
      lie("another deployment head", ({ evidence, session }) => {
        return { evidence, session: { ...session, deploymentHead: wrong } };
      }),
    ]);
    const released = insider.releases.length;
    const silence = { deadlineMs: SILENCE_MS };

    const answers = await Promise.all(
      lies.map(async ({ what, told }) => {
        const calls = told.map(({ evidence, session }, place) => insider.sign(place + 1, evidence, session, silence));
        return [what, await Promise.all(calls.map(saidBy))] as const;
      }),
    );

    assert.equal(insider.releases.length, released, "no partial came out");
    for (const [what, codes] of answers) {
      const possible = [
        "session_views_differ",
        "session_deadline",
        "rpc_deadline",
        ...(what.endsWith("head") ? ["heads_differ"] : []),
      ];
      assert.ok(
        codes.every((code) => possible.includes(code)),
        `${what}: ${codes.join()}`,
      );
    }
    // Not for want of time or of each other: with one view the same signers sign.
    assert.ok(answers.filter(([, codes]) => codes.includes("session_views_differ")).length >= 4);
    await insider.signsWith(key, [1, 2]);
  });

  test("one approval, run with every quorum and every trick at once, signs its one message and nothing else", async () => {
    const before = insider.wholeSessions().length;
    for (const target of [key, other]) {
      const approvals = await Promise.all([20, 21, 22, 23].map((byte) => insider.approveHash(target, byte)));
      await Promise.all(approvals.map((evidence, place) => storm(insider, evidence, place)));
    }

    assertAttempts(insider, ATTEMPTS_MAX);
    assertNoncesOnce(insider);
    const whole = insider.wholeSessions();
    assert.ok(whole.length >= before + 4, `${whole.length - before} sessions of the storm signed`);
    for (const session of whole) assert.notEqual(insider.combine(session), undefined);
    const pairs = crossings(insider, 200);
    assert.ok(pairs.length >= 60, `${pairs.length} pairs of sessions`);
    for (const [one, two] of pairs) {
      const disguised = { ...one, partial: { ...one.partial, commitments: two.partial.commitments } };
      assert.equal(insider.combine([one, two]), undefined, "partials of two sessions combine to nothing");
      assert.equal(insider.combine([disguised, two]), undefined, "also not under the other session's commitments");
      // Connections are kept alive by this very event loop.
      await setImmediate();
    }
    for (const quorum of QUORUMS) for (const target of [key, other]) await insider.signsWith(target, quorum);
  });

  test("together with a whole stolen node it obtains no signature on anything else", async () => {
    const evidence = await insider.approveHash(key, 30);
    const wanted = insider.itemOf(await insider.approveHash(key, 31));
    const before = insider.releases.length;
    {
      await using thief = await StolenNode.take(network, 3, key);
      await judgeAudit(3);
      const run = (act: (session: Session, digest: Uint8Array, answer: Promise<Answer>) => Promise<unknown>) => {
        const session = insider.session([1, 3]);
        const answer = insider.sign(1, evidence, session);
        return act(session, insider.digestOf(evidence, session), answer).then(() => answer);
      };
      // The thief signs another message in the approved session.
      let own: SchnorrPartial | undefined;
      const another = await run(async (session, digest) => {
        own = await thief.sign(session, digest, wanted);
      });
      // It waits for the honest commitments and claims them as its own.
      const mirrored = await run((session, digest, answer) =>
        thief.commit(session, digest, (heard) => heard(), answer),
      );
      // It commits twice.
      const bodies = insider.releases.slice(0, 2).map(({ partial }) => partial.commitments[0]?.body ?? assert.fail());
      const doubled = await run((session, digest, answer) => thief.commit(session, digest, async () => bodies, answer));
      const fourth = await run(async () => undefined);

      assert.deepEqual([another, mirrored], [{ kind: "released" }, { kind: "released" }]);
      assert.ok(doubled.kind === "released" || doubled.code === "message_equivocated");
      assert.ok(fourth.kind === "failed" && fourth.code === "attempts_exhausted");
      const honest = insider.releases.slice(before);
      for (const { session, partial, evidence } of honest) {
        assert.ok(own !== undefined);
        const both: Release[] = [
          { party: 1, session, evidence, partial },
          { party: 3, session, evidence, partial: own },
        ];
        assert.equal(insider.combine(both), undefined);
        assert.equal(insider.combine(both, wanted), undefined);
      }
      assertNoncesOnce(insider);
    }
    await network.up();
    await insider.signsWith(key, [1, 3]);
  });
});

/** What one signer is told. */
interface Told {
  readonly evidence: Evidence;
  readonly session: Session;
}

async function saidBy(answer: Promise<Answer>): Promise<string> {
  const found = await answer;
  return found.kind === "failed" ? found.code : found.kind;
}

/** What a changed bit may be called, by the field it is in. */
const FLIP_CODES: Readonly<Record<string, readonly string[]>> = {
  orgId: ["challenge_mismatch", "evidence_malformed"],
  principalId: ["challenge_mismatch", "evidence_malformed"],
  appId: ["challenge_mismatch", "evidence_malformed"],
  method: ["challenge_mismatch", "evidence_malformed"],
  path: ["challenge_mismatch", "evidence_malformed"],
  payload: ["challenge_mismatch", "encoding_invalid"],
  nonce: ["challenge_mismatch"],
  expiresAtMs: ["challenge_mismatch"],
  kind: ["credential_kind_mismatch", "evidence_malformed"],
  credId: ["credential_unknown", "evidence_malformed"],
  clientData: [
    "assertion_invalid",
    "ceremony_unexpected",
    "challenge_mismatch",
    "client_data_malformed",
    "encoding_invalid",
  ],
  signature: ["assertion_invalid"],
};

/** Runs `work` for each, `BATCH` at a time; results in the same order. */
async function inBatches<T, R>(list: readonly T[], work: (one: T, place: number) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let from = 0; from < list.length; from += BATCH)
    results.push(...(await Promise.all(list.slice(from, from + BATCH).map((one, k) => work(one, from + k)))));
  return results;
}
