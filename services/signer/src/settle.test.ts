import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { apply, type Evidence } from "@countersign/authority";
import { type Secret, sha256, utf8 } from "@countersign/bytes";
import { renunciationStatement, verifyRenunciation } from "@countersign/threshold";
import { type CertifiedKey, keyToWire } from "@countersign/wire";
import { generate } from "./generate.ts";
import type { SignerNode } from "./node.ts";
import { Sessions } from "./sessions.ts";
import { keyState, renounce, settleByCertificate, settleByRenunciations } from "./settle.ts";
import { status } from "./status.ts";
import { TestNetwork } from "./testing/test-network.ts";
import { watched } from "./testing/watched.ts";

let network: TestNetwork;
let other: TestNetwork;
let creation: Evidence;
let key: CertifiedKey;
let sessionId: Uint8Array;
before(async () => {
  network = await TestNetwork.start();
  other = await TestNetwork.start();
  creation = network.approveKey();
  key = await network.createKey(creation);
  sessionId = (await network.at(1).node.vault.keyFacts(key.package.keyId))?.sessionId ?? new Uint8Array(0);
  await stageElsewhere(1);
});
after(() => {
  network.stop();
  other.stop();
});

/** Gives a node of the second network, which has the same identities, its share of the key as staged. */
async function stageElsewhere(party: number): Promise<void> {
  const { facts, secret } = await network.at(party).node.vault.openKey(key.package.keyId);
  const { acknowledgement, state: _, ...record } = facts;
  await other.at(party).node.vault.stageKey({ ...record, secret }, acknowledgement);
}

test("a key that all nodes acknowledged is active at each, with the same package and certificate", async () => {
  for (const party of [1, 2, 3]) {
    const held = await keyState(network.at(party).node, key.package.keyId);

    assert.equal(held?.state, "active");
    assert.deepEqual(held?.certificate, key.certificate);
    assert.deepEqual(keyToWire(held), keyToWire(key));
  }
  assert.deepEqual(
    key.certificate.map(({ party }) => party),
    [1, 2, 3],
  );
});

test("a staged key shows this node's own acknowledgement, a key that is not here shows nothing", async () => {
  const held = await keyState(other.at(1).node, key.package.keyId);

  assert.equal(held?.state, "staged");
  assert.deepEqual(held?.certificate, key.certificate.slice(0, 1));
  assert.equal(await keyState(other.at(2).node, key.package.keyId), undefined);
});

test("a certificate that is incomplete, out of order, of another key or forged moves nothing", async () => {
  const { node } = other.at(1);
  const [first, second, third] = key.certificate;
  assert.ok(first && second && third);
  const { certificate: foreign } = await network.createKey();
  const forged = { ...third, signature: third.signature.map((byte, place) => (place === 9 ? byte ^ 1 : byte)) };
  const bad = [[], [first, second], [first, third, second], [first, first, first], foreign, [first, second, forged]];

  for (const certificate of bad)
    await assert.rejects(settleByCertificate(node, key.package.keyId, certificate), { code: "certificate_invalid" });

  assert.equal((await keyState(node, key.package.keyId))?.state, "staged");
  await assert.rejects(settleByCertificate(other.at(2).node, key.package.keyId, key.certificate), {
    code: "key_settled",
  });
});

test("a node that acknowledged never renounces; one that renounced never acknowledges in that session", async () => {
  const { node } = other.at(1);
  const third = other.at(3).node;
  const { deploymentId } = other.descriptor;

  await assert.rejects(renounce(node, creation, { keyId: key.package.keyId, sessionId }), { code: "share_staged" });
  const signature = await renounce(third, creation, { keyId: key.package.keyId, sessionId });
  const again = await renounce(third, creation, { keyId: key.package.keyId, sessionId });

  const promise = { party: 3, sessionId, signature };
  assert.equal(verifyRenunciation(deploymentId, key.package.keyId, promise, node.verifyIdentity), true);
  assert.deepEqual(again, signature, "the promise may be asked for again");
  const { facts, secret } = await network.at(3).node.vault.openKey(key.package.keyId);
  const { acknowledgement, state: _, ...record } = facts;
  await assert.rejects(third.vault.stageKey({ ...record, secret }, acknowledgement), { code: "session_renounced" });
});

test("a promise is given to whoever holds the approval that creates the key, expired or not, and to nobody else", async () => {
  const { node } = other.at(3);
  const { keyId } = key.package;
  const asked = { keyId, sessionId: sha256(utf8("never begun")) };
  const later: SignerNode = { ...node, now: () => node.now() + 86_400_000 };
  const forged = { ...creation, payload: JSON.stringify({ scheme: "Schnorr", curve: "secp256k1" }) };
  const [unsigned = 0, ...rest] = creation.assertion.signature;
  const signature = Uint8Array.from([unsigned ^ 1, ...rest]);
  const farAhead = { scheme: "EdDSA", curve: "ed25519" };
  const bad = [
    [network.approveKey(), "intent_mismatch"],
    [network.approveSignature(keyId), "intent_mismatch"],
    [forged, "challenge_mismatch"],
    [{ ...creation, assertion: { ...creation.assertion, signature } }, "assertion_invalid"],
    [network.approve("/keys", farAhead, { expiresAtMs: node.now() + 400_000 }), "approval_expiry_too_far"],
  ] as const;
  const { index } = await node.vault.auditHead();

  for (const [evidence, code] of bad) await assert.rejects(renounce(node, evidence, asked), { code });
  assert.equal((await node.vault.auditHead()).index, index);
  await renounce(later, creation, asked);
  assert.equal((await node.vault.auditHead()).index, index + 1);
});

test("a promise leaves only once it is durable", async () => {
  const part = other.at(2);
  const held = Promise.withResolvers<void>();
  part.disk = () => held.promise;
  let left = false;

  const keyId = key.package.keyId;
  const promise = renounce(part.node, creation, { keyId, sessionId: sha256(utf8("a session")) }).then(() => {
    left = true;
  });
  await other.network.clock.advance(500);
  const early = left;
  part.disk = async () => {};
  held.resolve();
  await promise;

  assert.equal(early, false);
  assert.equal(left, true);
});

test("the complete certificate activates the key, whoever brings it, and again changes nothing", async () => {
  const { node } = other.at(1);

  const settled = await settleByCertificate(node, key.package.keyId, key.certificate);
  const length = (await node.vault.auditHead()).index;
  const again = await settleByCertificate(node, key.package.keyId, []);

  assert.equal(settled.state, "active");
  assert.deepEqual(again, settled);
  assert.equal((await node.vault.auditHead()).index, length);
});

test("one approval makes one key: a second generation is refused at every node", async () => {
  const evidence = network.approveKey();
  await network.createKey(evidence);

  await assert.rejects(network.createKey(evidence), { code: "share_exists" });
});

test("a generation is judged like a signature: intent, all nodes, attempt, heads", async () => {
  const { node } = network.at(1);
  const signature = network.approveSignature(key.package.keyId);
  const head = sha256(utf8("another head"));
  const all = [1, 2, 3];
  const bad = [
    [signature, network.session(all), "intent_mismatch"],
    [network.approveKey(), network.session([1, 2]), "session_parties_unfit"],
    [network.approveKey(), network.session(all, { attempt: 9 }), "session_attempt_invalid"],
    [network.approveKey(), network.session(all, { deploymentHead: head }), "heads_differ"],
  ] as const;
  const length = (await node.vault.auditHead()).index;

  for (const [evidence, session, code] of bad)
    await assert.rejects(network.settle(generate(node, evidence, session, network.limits())), { code });

  assert.equal((await node.vault.auditHead()).index, length);
});

test("a generation that could not open its session no longer counts as running", async () => {
  const { node } = network.at(1);
  const evidence = network.approveKey();
  const openSession = () => {
    throw Object.assign(new Error("This node has left the mesh."), { code: "session_cancelled" });
  };
  const left = { ...node, mesh: watched(node.mesh, { openSession }) };

  await assert.rejects(generate(left, evidence, network.session([1, 2, 3]), network.limits()), {
    code: "session_cancelled",
  });

  assert.equal((await network.createKey(evidence)).certificate.length, 3);
});

test("this node's copy of a new share is wiped also when the key cannot be made active", async () => {
  const { node } = network.at(1);
  const shares: Secret[] = [];
  const stageKey: typeof node.vault.stageKey = (record, acknowledgement) => {
    shares.push(record.secret);
    return node.vault.stageKey(record, acknowledgement);
  };
  const activateKey = async () => {
    throw Object.assign(new Error("The disk is gone."), { code: "store_failed" });
  };
  const failing = { ...node, vault: watched(node.vault, { stageKey, activateKey }) };
  const [evidence, session] = [network.approveKey(), network.session([1, 2, 3])];
  const nodes = [failing, network.at(2).node, network.at(3).node];

  const [first] = await network.settle(
    Promise.allSettled(nodes.map((one) => generate(one, evidence, session, network.limits()))),
  );

  assert.equal(first?.status === "rejected" && first.reason.code, "store_failed");
  assert.equal(shares.length, 1);
  for (const share of shares) assert.throws(() => share.expose(), /wiped/);
});

test("a share that cannot be stored is never acknowledged, and no node has the key", async () => {
  const evidence = network.approveKey();
  const session = network.session([1, 2, 3]);
  let commits = 0;
  network.at(2).disk = async () => {
    // The first is the session's own entry.
    if (++commits > 1) throw Object.assign(new Error("The disk is gone."), { code: "store_failed" });
  };

  const outcomes = await network.settle(
    Promise.allSettled([1, 2, 3].map((party) => generate(network.at(party).node, evidence, session, network.limits()))),
  );
  network.at(2).disk = async () => {};

  const codes = outcomes.map((outcome) => (outcome.status === "rejected" ? outcome.reason.code : "made"));
  assert.deepEqual(codes, ["session_deadline", "store_failed", "session_deadline"]);
  for (const { node } of network.nodes.values())
    for (const facts of await node.vault.keys(100))
      assert.ok(facts.state.kind === "active" || facts.acknowledgement.length > 0, "an unfinished key stays staged");
  assert.equal((await network.at(2).node.vault.keys(100)).filter(({ state }) => state.kind === "staged").length, 0);
});

test("status tells who the node is, what it holds, whom it sees and where its logs end", async () => {
  const { node } = network.at(2);
  const { organisationHead, deploymentHead, ...shown } = await status(node, new Sessions());
  const { index, hash } = await node.vault.auditHead();

  assert.deepEqual([shown.nodeId, shown.party, shown.region], ["node-2", 2, "region-2"]);
  assert.match(shown.bootId, /^[0-9a-f]{32}$/);
  assert.equal(shown.keys, await node.vault.countKeys());
  assert.equal(shown.sessions, 0);
  assert.deepEqual(
    shown.peers.map(({ nodeId, present }) => [nodeId, present]),
    [
      ["node-1", true],
      ["node-3", true],
    ],
  );
  assert.equal(shown.auditLength, BigInt(index + 1));
  assert.deepEqual(shown.auditHead, hash);
  assert.deepEqual(deploymentHead, apply(network.descriptor).deploymentHead);
  assert.deepEqual(organisationHead, deploymentHead);
});

/** What a node promises about a session of the key, with its real signature. */
function promiseOf(party: number, of = sessionId) {
  const { identity } = other.at(party).node;
  const statement = renunciationStatement(other.descriptor.deploymentId, key.package.keyId, of);
  return { party, sessionId: of, signature: identity.sign(statement) };
}

test("a staged share leaves on the promises of t other nodes for its session, and on nothing less", async () => {
  await stageElsewhere(2);
  const { node } = other.at(2);
  const { keyId } = key.package;
  const [first, third] = [promiseOf(1), promiseOf(3)];
  const elsewhere = sha256(utf8("another session"));
  const bad = {
    "no promise": [],
    "fewer than t": [first],
    "one node twice": [first, first],
    "enough, and one of them thousands of times": [first, third, ...Array.from({ length: 4_900 }, () => third)],
    "its own": [first, promiseOf(2)],
    "of another session": [first, { ...third, sessionId: elsewhere }],
    "one good for its session, one for another": [first, promiseOf(3, elsewhere)],
    "signed for another session": [first, { ...promiseOf(3, elsewhere), sessionId }],
    "signed by another node": [first, { ...first, party: 3 }],
    "of no node": [first, { ...third, party: 4 }],
  };

  for (const [what, promises] of Object.entries(bad))
    await assert.rejects(settleByRenunciations(node, keyId, promises), { code: "key_settled" }, what);
  const sessions = [promiseOf(1, elsewhere), promiseOf(3, elsewhere)];
  await assert.rejects(settleByRenunciations(node, keyId, sessions), { code: "share_session_differs" });
  assert.equal((await keyState(node, keyId))?.state, "staged");

  const gone = await settleByRenunciations(node, keyId, [first, third]);

  assert.equal(gone, undefined);
  await assert.rejects(stageElsewhere(2), { code: "session_renounced" }, "the session stays given up");
});

test("an active key leaves on no promise", async () => {
  const { node } = network.at(2);
  // Both networks have the same identities.
  const promises = [promiseOf(1), promiseOf(3)];

  await assert.rejects(settleByRenunciations(node, key.package.keyId, promises), { code: "share_active" });

  assert.equal((await keyState(node, key.package.keyId))?.state, "active");
});
