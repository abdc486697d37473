import assert from "node:assert/strict";
import { before, test } from "node:test";
import { prepareCurves } from "../curves/prepare-curves.ts";
import type { PartyIndex, SignedMessage } from "../delivery.ts";
import { ProtocolAbort } from "../errors.ts";
import { systemRng } from "../testing/system-rng.ts";
import { KeygenAbort } from "./abort.ts";
import { renunciationStatement, verifyRenunciation } from "./acknowledgement.ts";
import { judgeComplaint } from "./complaint.ts";
import { decodeShare, encodeComplaint, encodeEcho, encodeShare, isComplaint } from "./encoding.ts";
import { judgeMessages } from "./judge-messages.ts";
import type { KeygenRound } from "./rounds.ts";
import {
  cheat,
  factsOf,
  identityOf,
  type KeygenNetwork,
  keygenNetwork,
  outcomeOf,
  runKeygen,
  signAs,
} from "./testing/keygen-network.ts";

before(() => prepareCurves(systemRng));

/** Everything that was sent in a session, by round and sender; shares by the receiver's place. */
async function recorded(network: KeygenNetwork): Promise<(round: KeygenRound, from: PartyIndex) => SignedMessage> {
  const messages = new Map<string, SignedMessage>();
  await runKeygen(network, {
    tap: (message, facts) => {
      const key = `${facts.round} ${facts.from}`;
      // A copy: shares are wiped when the session ends.
      if (!messages.has(key)) messages.set(key, { ...message, body: message.body.slice() });
      return message;
    },
  });
  return (round, from) => messages.get(`${round} ${from}`) ?? assert.fail(`No ${round} of ${from}.`);
}

function complaintOf(network: KeygenNetwork, from: PartyIndex, messages: readonly SignedMessage[]): Uint8Array {
  const { deploymentId, keyId, sessionId } = network.terms;
  const renunciation = identityOf(network, from).sign(renunciationStatement(deploymentId, keyId, sessionId));
  return encodeComplaint({ renunciation, messages });
}

for (const round of ["reveal", "echo", "share", "finish"] as const)
  test(`a complaint in round "${round}" that shows nothing wrong blames the complainer and is still a promise`, async () => {
    const network = keygenNetwork({ threshold: 2, partyCount: 3 });
    const heard: SignedMessage[] = [];
    const falsely = cheat(network, 3, (sent) =>
      sent.round === round ? complaintOf(network, 3, heard.slice(0, 1)) : undefined,
    );

    const outcomes = await runKeygen(network, {
      tap: (message, facts, receiver) => {
        if (facts.from === 1 && receiver === 3) heard.push(message);
        return falsely(message, facts, receiver);
      },
    });

    const { deploymentId, keyId } = network.terms;
    for (const party of [1, 2]) {
      const { error, staged } = outcomeOf(outcomes, party);
      assert.ok(error instanceof KeygenAbort);
      assert.equal(error.code, "keygen_complaint_false");
      assert.deepEqual(error.culprits, [3]);
      assert.equal(staged, round === "finish");
      const [promise] = error.renunciations;
      assert.ok(promise && verifyRenunciation(deploymentId, keyId, promise, network.book.verifyIdentity));
      assert.equal(promise.party, 3);
      // The complaint itself is the evidence: a stranger who is shown it finds the same.
      const [complaint] = error.evidence?.messages ?? [];
      assert.ok(complaint);
      const verdict = judgeComplaint({ ...network.terms, ...network.book }, complaint);
      assert.equal(verdict?.complainer, 3);
      assert.equal(verdict?.abort.code, "keygen_complaint_false");
      assert.deepEqual(verdict?.abort.culprits, [3]);
    }
  });

test("a true complaint convinces a judge who was not in the session", async () => {
  const network = keygenNetwork({ threshold: 2, partyCount: 3 });
  const { curve } = network.session.suite;
  let complaint: SignedMessage | undefined;
  const badShare = cheat(network, 3, ({ round, to, body }) => {
    if (round !== "share" || to !== 1) return undefined;
    const content = decodeShare(curve, body);
    return encodeShare({ ...content, share: curve.negate(content.share) });
  });

  await runKeygen(network, {
    tap: (message, facts, receiver) => {
      if (facts.from === 1 && facts.round === "finish") complaint = message;
      return badShare(message, facts, receiver);
    },
  });

  assert.ok(complaint && isComplaint(complaint.body));
  const verdict = judgeComplaint({ ...network.terms, ...network.book }, complaint);
  assert.equal(verdict?.complainer, 1);
  assert.equal(verdict?.abort.code, "keygen_share_invalid");
  assert.deepEqual(verdict?.abort.culprits, [3]);
  assert.equal(verdict?.renunciation?.party, 1);
});

test("an honest session's messages convict nobody, in any order", async () => {
  const network = keygenNetwork({ threshold: 2, partyCount: 3 });
  const of = await recorded(network);
  const rounds = ["commit", "reveal", "echo", "share", "finish"] as const;
  const messages = rounds.flatMap((round) => [1, 2, 3].map((party) => of(round, party)));

  assert.equal(judgeMessages(network.session, messages), undefined);
  assert.equal(judgeMessages(network.session, messages.toReversed()), undefined);
});

test("messages of another session, digest or deployment, by strangers, or altered, prove nothing", async () => {
  const network = keygenNetwork({ threshold: 2, partyCount: 3 });
  const bad = encodeEcho(systemRng(31));
  const facts = factsOf(network, "echo", 2);
  const genuine = signAs(network, facts, bad);
  const stranger = keygenNetwork({ threshold: 2, partyCount: 3 });

  assert.deepEqual(judgeMessages(network.session, [genuine])?.culprits, [2]);
  for (const message of [
    signAs(network, { ...facts, sessionId: systemRng(32) }, bad),
    signAs(network, { ...facts, sessionDigest: systemRng(32) }, bad),
    signAs(stranger, facts, bad),
    { ...genuine, body: encodeEcho(systemRng(30)) },
    { ...genuine, signature: systemRng(64) },
  ])
    assert.equal(judgeMessages(network.session, [message]), undefined);
});

test("a member of the deployment who is not in the session convicts nobody and cannot complain", async () => {
  const network = keygenNetwork({ threshold: 2, partyCount: 4 });
  const terms = { ...network.terms, members: network.terms.members.slice(0, 3) };
  const { session } = keygenNetwork({ threshold: 2, partyCount: 3 });
  const reduced = { ...session, ...network.book, terms, sessionDigest: network.session.sessionDigest };
  const outsider = signAs(network, factsOf(network, "finish", 4), complaintOf(network, 4, []));

  assert.equal(judgeMessages(reduced, [signAs(network, factsOf(network, "echo", 4), systemRng(5))]), undefined);
  const judged = judgeComplaint({ ...terms, ...network.book, sessionDigest: network.session.sessionDigest }, outsider);
  assert.equal(judged, undefined);
});

test("two signed bodies for one round convict their signer; two receivers' shares do not", async () => {
  const network = keygenNetwork({ threshold: 2, partyCount: 3 });
  const echo = (to: PartyIndex | 0) => signAs(network, factsOf(network, "echo", 2, to), encodeEcho(systemRng(32)));
  const of = await recorded(network);
  const { curve } = network.session.suite;
  const content = decodeShare(curve, of("share", 3).body);
  const share = (to: PartyIndex) =>
    signAs(
      network,
      factsOf(network, "share", 3, to),
      encodeShare({ ...content, to, share: curve.randomScalar(systemRng) }),
    );

  const verdict = judgeMessages(network.session, [echo(0), echo(0)]);
  assert.equal(verdict?.code, "keygen_equivocated");
  assert.deepEqual(verdict?.culprits, [2]);
  assert.equal(verdict?.evidence?.messages.length, 2);
  // Addressing a broadcast to single receivers is no way around it.
  assert.deepEqual(judgeMessages(network.session, [echo(1), echo(3)])?.culprits, [2]);
  assert.equal(judgeMessages(network.session, [share(1), share(2)]), undefined);
  assert.deepEqual(judgeMessages(network.session, [share(1), share(1)])?.culprits, [3]);
  // To all it says that it does not go on, to one it goes on.
  const complaint = signAs(network, factsOf(network, "share", 3), complaintOf(network, 3, []));
  assert.deepEqual(judgeMessages(network.session, [complaint, share(1)])?.culprits, [3]);
});

test("a share that its header addresses to nobody in the session convicts its signer", async () => {
  const network = keygenNetwork({ threshold: 2, partyCount: 3 });
  const of = await recorded(network);
  const content = decodeShare(network.session.suite.curve, of("share", 3).body);

  for (const to of [0, 4]) {
    const message = signAs(network, factsOf(network, "share", 3, to), encodeShare({ ...content, to }));
    const verdict = judgeMessages(network.session, [of("reveal", 3), of("echo", 3), message]);
    assert.equal(verdict?.code, "keygen_share_invalid");
    assert.deepEqual(verdict?.culprits, [3]);
  }
});

test("a dispute over echoes that the complainer's own quotes do not show is a false complaint", async () => {
  const network = keygenNetwork({ threshold: 2, partyCount: 3 });
  const of = await recorded(network);
  const agreeing = [1, 2, 3].map((party) => of("echo", party));
  const complaint = signAs(network, factsOf(network, "share", 2), complaintOf(network, 2, agreeing));

  const verdict = judgeComplaint({ ...network.terms, ...network.book }, complaint);

  assert.equal(verdict?.abort.code, "keygen_complaint_false");
  assert.deepEqual(verdict?.abort.culprits, [2]);
});

test("a complaint that quotes differing echoes is a dispute that blames nobody", async () => {
  const network = keygenNetwork({ threshold: 2, partyCount: 3 });
  const echoes = [1, 2, 3].map((party) => signAs(network, factsOf(network, "echo", party), encodeEcho(systemRng(32))));
  const complaint = signAs(network, factsOf(network, "share", 2), complaintOf(network, 2, echoes));

  const verdict = judgeComplaint({ ...network.terms, ...network.book }, complaint);

  assert.equal(verdict?.abort.code, "keygen_views_differ");
  assert.deepEqual(verdict?.abort.culprits, []);
  assert.equal(verdict?.renunciation?.party, 2);
});

test("what is no complaint of this session has no verdict", async () => {
  const network = keygenNetwork({ threshold: 2, partyCount: 3 });
  const of = await recorded(network);
  const judge = (message: SignedMessage) => judgeComplaint({ ...network.terms, ...network.book }, message);
  const body = complaintOf(network, 2, []);
  const facts = factsOf(network, "finish", 2);

  assert.equal(judge(of("finish", 2)), undefined);
  assert.equal(judge(signAs(network, { ...facts, round: "commit" }, body)), undefined);
  assert.equal(judge(signAs(network, { ...facts, sessionId: systemRng(32) }, body)), undefined);
  assert.equal(judge({ ...signAs(network, facts, body), signature: systemRng(64) }), undefined);
});

test("one complaint's fault outweighs another's emptiness", async () => {
  const network = keygenNetwork({ threshold: 2, partyCount: 4 });
  const tap = cheat(network, 4, ({ round, to }) => {
    // Party 4 deals party 1 a bad share, and complains about nothing itself.
    if (round === "share" && to === 1) return Uint8Array.of(0, ...systemRng(68));
    return round === "finish" ? complaintOf(network, 4, []) : undefined;
  });

  const outcomes = await runKeygen(network, { tap });

  for (const party of [2, 3]) {
    const { error } = outcomeOf(outcomes, party);
    assert.ok(error instanceof KeygenAbort && error instanceof ProtocolAbort);
    assert.notEqual(error.code, "keygen_complaint_false");
    assert.deepEqual(error.culprits, [4]);
    assert.deepEqual(
      error.renunciations.map((promise) => promise.party),
      [1, 4],
    );
  }
});
