import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { apply, evidenceHash } from "@countersign/authority";
import { hex, Secret, sha256, utf8 } from "@countersign/bytes";
import type { KeyRecord } from "@countersign/vault";
import type { CertifiedKey, Session } from "@countersign/wire";
import { encodeCertificate, encodePackage } from "./key-record.ts";
import type { SignerNode } from "./node.ts";
import { sign } from "./sign.ts";
import { TestNetwork } from "./testing/test-network.ts";
import { watched } from "./testing/watched.ts";

let network: TestNetwork;
let key: CertifiedKey;
let keyId: string;
before(async () => {
  network = await TestNetwork.start();
  key = await network.createKey();
  keyId = key.package.keyId;
});
after(() => network.stop());

/** What node 1 raises for a session; the other party, if it is asked at all, is silent. */
function refusal(session: Session, evidence = network.approveSignature(keyId), node = network.at(1).node) {
  return network.settle(
    sign(node, evidence, session, network.limits())
      .then(() => undefined)
      .catch(({ code }) => code),
  );
}

/** Where node 1's audit log ends. */
async function auditLength(): Promise<number> {
  return (await network.at(1).node.vault.auditHead()).index + 1;
}

/** A key record of node 1 with the real share of the network's key under another id. */
async function shareAs(change: Partial<KeyRecord>): Promise<KeyRecord> {
  const { facts, secret } = await network.at(1).node.vault.openKey(keyId);
  const { acknowledgement: _, state: __, ...record } = facts;
  const named = { ...record, keyId: "key-aaaaa-aaaaa-aaaaaaaaaaaaaaaa", ...change };
  const publicPart = encodePackage({ ...key.package, keyId: named.keyId }, facts.publicPart.slice(0, 32));
  return { ...named, publicPart, c: sha256(utf8(named.keyId)), secret: change.secret ?? secret };
}

async function stage(record: KeyRecord, { activate }: { activate: boolean }): Promise<void> {
  const { vault } = network.at(1).node;
  await vault.stageKey(record, encodeCertificate(key.certificate.slice(0, 1)));
  if (activate) await vault.activateKey(record.keyId, record.sessionId, encodeCertificate(key.certificate));
}

test("two parties sign what was approved, and each notes acceptance and outcome with the evidence", async () => {
  const evidence = network.approveSignature(keyId);
  const session = network.session([1, 3]);

  const outcomes = await network.sign(evidence, session);
  await network.network.clock.advance(1_000);

  for (const { status } of outcomes) assert.equal(status, "fulfilled");
  const { vault } = network.at(3).node;
  const { index } = await vault.auditHead();
  const [accepted, outcome] = await vault.auditEntries({ from: index - 1, limit: 2 });
  assert.equal(accepted?.kind, "accepted");
  assert.equal(accepted?.fields["evidenceHash"], hex(evidenceHash(evidence)));
  assert.equal(accepted?.fields["parties"], "1,3");
  assert.deepEqual(
    [outcome?.kind, { ...outcome?.fields }],
    ["outcome", { session: hex(session.sessionId), keyId, outcome: "signed" }],
  );
});

test("the parties of a session must be exactly as many known nodes as sign, this one among them", async () => {
  const length = await auditLength();

  for (const parties of [[1], [1, 2, 3], [2, 3], [1, 4], [1, 65_537]])
    assert.equal(await refusal(network.session(parties)), "session_parties_unfit", parties.join());
  assert.equal(await auditLength(), length, "no attempt was counted");
});

test("an attempt number outside the cap is refused", async () => {
  assert.equal(await refusal(network.session([1, 2], { attempt: 0 })), "session_attempt_invalid");
  assert.equal(await refusal(network.session([1, 2], { attempt: 4 })), "session_attempt_invalid");
  // The last good one goes on to wait for the other party, which was not asked.
  assert.equal(await refusal(network.session([1, 2], { attempt: 3 })), "session_deadline");
});

test("a session that names another head of either log is refused", async () => {
  const other = sha256(utf8("another head"));

  assert.equal(await refusal(network.session([1, 2], { organisationHead: other })), "heads_differ");
  assert.equal(await refusal(network.session([1, 2], { deploymentHead: other })), "heads_differ");
});

test("evidence for a new key signs nothing", async () => {
  assert.equal(await refusal(network.session([1, 2]), network.approveKey()), "intent_mismatch");
});

test("evidence is judged by this signer's own clock", async () => {
  const evidence = network.approveSignature(keyId, { expiresAtMs: network.now() });

  assert.equal(await refusal(network.session([1, 2]), evidence), "approval_expired");
});

test("a key that is unknown, staged, of another organisation or of another purpose is not here, all with one answer", async () => {
  const ids = ["b", "c", "d"].map((letter) => `key-${letter.repeat(5)}-aaaaa-aaaaaaaaaaaaaaaa`);
  const [staged = "", foreign = "", canary = ""] = ids;
  await stage(await shareAs({ keyId: staged }), { activate: false });
  await stage(await shareAs({ keyId: foreign, owner: "or-other" }), { activate: true });
  await stage(await shareAs({ keyId: canary, purpose: "canary" }), { activate: true });
  const length = await auditLength();

  for (const id of ["key-eeeee-aaaaa-aaaaaaaaaaaaaaaa", ...ids]) {
    const error = await network.settle(
      sign(network.at(1).node, network.approveSignature(id), network.session([1, 2]), network.limits()).catch(
        (raised) => raised,
      ),
    );
    assert.equal(error.code, "share_not_here", id);
    assert.equal(error.message, `This node holds no active key ${id} of organisation ${network.ids.orgId}.`);
  }
  assert.equal(await auditLength(), length, "no attempt was counted");
});

test("an organisation's evidence reaches no key of another, however well it is approved", async () => {
  const { descriptor } = network;
  const other = { ...apply(descriptor).organisations.get(network.ids.orgId), orgId: "or-other" };
  const organisations = new Map([...network.at(1).node.authority.organisations, ["or-other", other as never]]);
  const node: SignerNode = { ...network.at(1).node, authority: { ...network.at(1).node.authority, organisations } };

  const evidence = network.approveSignature(keyId, { orgId: "or-other" });

  assert.equal(await refusal(network.session([1, 2]), evidence, node), "share_not_here");
});

test("a damaged share is found before any nonce exists", async () => {
  const id = "key-fffff-aaaaa-aaaaaaaaaaaaaaaa";
  const wrong = new Uint8Array(32);
  wrong[0] = 7;
  await stage(await shareAs({ keyId: id, secret: new Secret(wrong) }), { activate: true });
  const length = await auditLength();

  assert.equal(await refusal(network.session([1, 2]), network.approveSignature(id)), "key_share_inconsistent");
  assert.equal(await auditLength(), length);
});

test("one approval costs this node three sessions and no more, and one session id one session", async () => {
  const evidence = network.approveSignature(keyId);
  const first = network.session([1, 2]);

  const codes = [await refusal(first, evidence), await refusal(first, evidence)];
  for (let attempt = 0; attempt < 3; attempt++) codes.push(await refusal(network.session([1, 2]), evidence));

  assert.deepEqual(codes, [
    "session_deadline",
    "session_replayed",
    "session_deadline",
    "session_deadline",
    "attempts_exhausted",
  ]);
});

test("until the attempt is durable no session is open and nothing leaves; then the same call signs", async () => {
  const part = network.at(1);
  const session = network.session([1, 2]);
  const evidence = network.approveSignature(keyId);
  const held = Promise.withResolvers<void>();
  part.disk = () => held.promise;

  const both = network.sign(evidence, session);
  await network.network.clock.advance(200);
  const name = hex(session.sessionId);
  const left = network.network.history.filter(({ subject }) => {
    const [, , from, , topic] = subject.split(".");
    return from === "node-1" && topic === name;
  });
  const open = part.node.mesh.sessions;
  part.disk = async () => {};
  held.resolve();
  const outcomes = await both;

  assert.equal(open, 0, "the mesh session opens after the attempt is durable");
  assert.equal(left.length, 0, "nothing leaves before the attempt is durable");
  for (const { status } of outcomes) assert.equal(status, "fulfilled");
});

test("a node killed as its session opens finds the attempt and its entry on the disk", async () => {
  const { node, store } = network.at(1);
  const session = network.session([1, 2]);
  const evidence = network.approveSignature(keyId);
  let rows: ReadonlyMap<string, Uint8Array> = new Map();
  const openSession: typeof node.mesh.openSession = (options) => {
    // From here on nonces exist and messages leave.
    rows = store.durableRows();
    return node.mesh.openSession(options);
  };
  await refusal(session, evidence, { ...node, mesh: watched(node.mesh, { openSession }) });

  const vault = await network.afterKill(1, rows);

  const { index } = await vault.auditHead();
  const [entry] = await vault.auditEntries({ from: index, limit: 1 });
  assert.deepEqual([entry?.kind, entry?.fields["session"]], ["accepted", hex(session.sessionId)]);
  const c = Buffer.from(String(entry?.fields["c"]), "hex");
  const again = { kind: "sign", c, attemptsMax: 3, expiresAt: evidence.expiresAtMs, audit: {} } as const;
  await assert.rejects(vault.beginSession({ ...again, sessionId: session.sessionId }), { code: "session_replayed" });
  assert.deepEqual(await vault.beginSession({ ...again, sessionId: network.session([1]).sessionId }), { attempt: 2 });
  await vault.close();
});

test("when the attempt cannot be made durable nothing is signed and no session is left open", async () => {
  const part = network.at(1);
  part.disk = async () => {
    throw Object.assign(new Error("The disk is gone."), { code: "store_failed" });
  };

  const code = await refusal(network.session([1, 2])).finally(() => {
    part.disk = async () => {};
  });

  assert.equal(code, "store_failed");
  assert.equal(part.node.mesh.sessions, 0);
});

test("the opened share is wiped after a signature, after a failure and after a refusal", async () => {
  const shares: Secret[] = [];
  const { node } = network.at(1);
  const openKey: typeof node.vault.openKey = async (id) => {
    const opened = await node.vault.openKey(id);
    shares.push(opened.secret);
    return opened;
  };
  const watching: SignerNode = { ...node, vault: watched(node.vault, { openKey }) };
  const evidence = network.approveSignature(keyId);
  const session = network.session([1, 2]);
  const limits = network.limits();

  await network.settle(
    Promise.all([sign(watching, evidence, session, limits), sign(network.at(2).node, evidence, session, limits)]),
  );
  const silent = await refusal(network.session([1, 2]), network.approveSignature(keyId), watching);
  const replayed = await refusal(session, evidence, watching);

  assert.deepEqual([silent, replayed], ["session_deadline", "session_replayed"]);
  assert.equal(shares.length, 3);
  for (const share of shares) assert.throws(() => share.expose(), /wiped/);
});

test("what the key cannot sign is refused before its share is opened", async () => {
  const { node } = network.at(1);
  const openKey: typeof node.vault.openKey = () => assert.fail("The share was opened.");
  const watching: SignerNode = { ...node, vault: watched(node.vault, { openKey }) };
  const body = { kind: "Hash", hash: `0x${"11".repeat(32)}`, taprootMerkleRoot: `0x${"22".repeat(32)}` };
  const unfit = network.approve(`/keys/${keyId}/signatures`, body);

  assert.equal(await refusal(network.session([1, 2]), unfit, watching), "key_unfit");
  assert.equal(await refusal(network.session([1]), network.approveSignature(keyId), watching), "session_parties_unfit");
});

test("a session is closed also when the audit log's queue takes no outcome", async () => {
  const { node } = network.at(1);
  const recordOutcome = () => {
    throw Object.assign(new Error("The queue is full."), { code: "store_overloaded" });
  };
  const full: SignerNode = { ...node, vault: watched(node.vault, { recordOutcome }) };

  const code = await refusal(network.session([1, 2]), network.approveSignature(keyId), full);

  assert.equal(code, "store_overloaded");
  assert.equal(node.mesh.sessions, 0);
});

test("a cancelled session ends at once and its outcome is noted", async () => {
  const { node } = network.at(1);
  const session = network.session([1, 2]);
  const caller = new AbortController();

  const call = sign(node, network.approveSignature(keyId), session, { ...network.limits(), signal: caller.signal });
  call.catch(() => undefined);
  await network.network.clock.advance(100);
  const open = node.mesh.sessions;
  caller.abort(new Error("the caller went away"));
  await assert.rejects(network.settle(call), { code: "session_cancelled" });
  await network.network.clock.advance(1_000);

  assert.equal(open, 1);
  assert.equal(node.mesh.sessions, 0);
  const { index } = await node.vault.auditHead();
  const [entry] = await node.vault.auditEntries({ from: index, limit: 1 });
  assert.equal(entry?.fields["outcome"], "session_cancelled");
});

test("a party that was told another digest is never signed with", async () => {
  const evidence = network.approveSignature(keyId);
  const session = network.session([1, 2]);
  const limits = network.limits();

  const outcomes = await network.settle(
    Promise.allSettled([
      sign(network.at(1).node, evidence, session, limits),
      sign(network.at(2).node, evidence, { ...session, attempt: 2 }, limits),
    ]),
  );

  for (const outcome of outcomes)
    assert.equal(outcome.status === "rejected" && outcome.reason.code, "session_views_differ");
});

test("a node whose descriptor asks for more parties takes no smaller session", async () => {
  const file = { ...network.at(1).node.descriptor, threshold: 3 };
  const node: SignerNode = { ...network.at(1).node, descriptor: file };

  assert.equal(await refusal(network.session([1, 2]), network.approveSignature(keyId), node), "session_parties_unfit");
});
