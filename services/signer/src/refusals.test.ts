import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { type Evidence, evidenceHash } from "@countersign/authority";
import { hex } from "@countersign/bytes";
import type { CallContext } from "@countersign/rpc";
import { evidenceToWire, type Session, sessionToWire } from "@countersign/wire";
import { signerError } from "./errors.ts";
import { Refusals } from "./refusals.ts";
import { signerCalls } from "./server.ts";
import { Sessions } from "./sessions.ts";
import { TestNetwork } from "./testing/test-network.ts";
import { watched } from "./testing/watched.ts";

const KEY_ID = "key-aaaaa-aaaaa-aaaaaaaaaaaaaaaa";
const CALLER = { deploymentId: "dep-test", role: "orchestrator", name: "orchestrator-1" } as const;
const REFUSAL = signerError("key_settled", "Not so.");
/** Longest wait of a deferred entry, and a little. */
const DEFERRED_MS = 1_100;

let network: TestNetwork;
beforeEach(async () => {
  network = await TestNetwork.start();
});
afterEach(() => network.stop());

function context(): CallContext {
  return { method: "/sign", caller: CALLER, traceId: undefined, ...network.limits() };
}

/** Calls `Sign` of node 1; resolves to the error's code. */
function signCode(evidence: Evidence | undefined, session: Session | undefined, node = network.at(1).node) {
  const calls = signerCalls(node, new Sessions());
  const request = {
    $typeName: "countersign.signer.v1.SignRequest" as const,
    ...(evidence && { evidence: evidenceToWire(evidence) }),
    ...(session && { session: sessionToWire(session) }),
  };
  return network.settle(
    Promise.resolve(calls.sign(request, context())).then(
      () => "signed",
      ({ code }) => code,
    ),
  );
}

async function entriesOf(kind: string) {
  const { vault } = network.at(1).node;
  await network.network.clock.advance(DEFERRED_MS);
  return (await vault.auditEntries({ from: 0, limit: 1_000 })).filter((entry) => entry.kind === kind);
}

test("a refused call is in the audit log with what it was, who called and why", async () => {
  const evidence = network.approveSignature("key-aaaaa-aaaaa-aaaaaaaaaaaaaaaa");
  const session = network.session([1, 2]);

  const code = await signCode(evidence, session);

  assert.equal(code, "share_not_here");
  const [entry, ...more] = await entriesOf("refused");
  assert.deepEqual(more, []);
  assert.deepEqual(
    { ...entry?.fields },
    {
      call: "sign",
      caller: "orchestrator orchestrator-1",
      code: "share_not_here",
      evidenceHash: hex(evidenceHash(evidence)),
      session: hex(session.sessionId),
    },
  );
  assert.equal((await network.at(1).node.vault.verifyAudit()).kind, "intact");
});

test("a call that could not be read is in the audit log as far as it was", async () => {
  assert.equal(
    await signCode(undefined, network.session([1, 2], { sessionId: new Uint8Array(3) })),
    "message_malformed",
  );

  const [entry] = await entriesOf("refused");
  assert.deepEqual(
    { ...entry?.fields },
    { call: "sign", caller: "orchestrator orchestrator-1", code: "message_malformed" },
  );
});

test("refused settlements and promises are in the audit log", async () => {
  const calls = signerCalls(network.at(1).node, new Sessions());
  const settle = {
    $typeName: "countersign.signer.v1.SettleRequest",
    keyId: KEY_ID,
    proof: { case: undefined },
  } as const;
  const renounce = {
    $typeName: "countersign.signer.v1.RenounceRequest",
    keyId: KEY_ID,
    sessionId: new Uint8Array(5),
  } as const;

  await assert.rejects(Promise.resolve(calls.settle(settle, context())), { code: "key_settled" });
  await assert.rejects(Promise.resolve(calls.renounce(renounce, context())), { code: "message_malformed" });

  assert.deepEqual(
    (await entriesOf("refused")).map(({ fields }) => [fields["call"], fields["code"]]),
    [
      ["settle", "key_settled"],
      ["renounce", "message_malformed"],
    ],
  );
});

test("what is no key id is refused by every call that takes one, and the refusal is in the audit log", async () => {
  const calls = signerCalls(network.at(1).node, new Sessions());
  const state = { $typeName: "countersign.signer.v1.KeyStateRequest" } as const;
  const settle = { $typeName: "countersign.signer.v1.SettleRequest", proof: { case: undefined } } as const;
  const renounce = { $typeName: "countersign.signer.v1.RenounceRequest", sessionId: new Uint8Array(32) } as const;
  const bad = ["", "key-1", KEY_ID.toUpperCase(), `${KEY_ID}\n`, `${KEY_ID}/x`, KEY_ID.replace("key", "sig")];

  for (const keyId of bad) {
    const code = { code: "key_id_malformed" };
    await assert.rejects(async () => calls.keyState({ ...state, keyId }, context()), code, keyId);
    await assert.rejects(async () => calls.settle({ ...settle, keyId }, context()), code, keyId);
    await assert.rejects(async () => calls.renounce({ ...renounce, keyId }, context()), code, keyId);
  }

  assert.deepEqual(
    (await entriesOf("refused")).map(({ fields }) => fields["code"]),
    Array(3 * bad.length).fill("key_id_malformed"),
  );
});

test("what is no verdict about a request is not in the audit log as a refusal", async () => {
  const sessions = new Sessions();
  void sessions.drain();
  const calls = signerCalls(network.at(1).node, sessions);
  const request = {
    $typeName: "countersign.signer.v1.SignRequest" as const,
    evidence: evidenceToWire(network.approveSignature("key-aaaaa-aaaaa-aaaaaaaaaaaaaaaa")),
    session: sessionToWire(network.session([1, 2])),
  };

  await assert.rejects(Promise.resolve(calls.sign(request, context())), { code: "signer_closing" });

  assert.deepEqual(await entriesOf("refused"), []);
});

test("a flood gets 32 entries, then one in 15 seconds, and counts for the rest; nothing is lost", async () => {
  const { node } = network.at(1);
  let timers = 0;
  const setTimer: typeof node.clock.setTimer = (delayMs, run) => {
    timers++;
    return node.clock.setTimer(delayMs, run);
  };
  const refusals = new Refusals({ ...node, clock: watched(node.clock, { setTimer }) });
  const note = (count: number) => {
    for (let k = 0; k < count; k++) refusals.note(REFUSAL, { call: "settle", caller: CALLER });
  };

  note(1_000);
  const atOnce = await entriesOf("refused");
  await network.network.clock.advance(15_000);
  const counted = (await entriesOf("refused")).slice(atOnce.length);
  note(100);
  refusals.close();
  const closed = (await entriesOf("refused")).slice(atOnce.length + counted.length);

  assert.equal(atOnce.length, 32);
  assert.equal(timers, 2, "one for each time that something waits to be counted");
  assert.deepEqual(
    counted.map(({ fields }) => ({ ...fields })),
    [{ total: 968, codes: "key_settled 968" }],
  );
  assert.deepEqual(closed.map(({ fields }) => fields["total"] ?? 1).toSorted(), [1, 99]);
});

test("a refusal reaches its caller also when the log's queue is full, and is counted for later", async () => {
  const { node } = network.at(1);
  let isFull = true;
  const recordRefusal: typeof node.vault.recordRefusal = (fields) => {
    if (isFull) throw new Error("The queue is full.");
    node.vault.recordRefusal(fields);
  };
  const refusals = new Refusals({ ...node, vault: watched(node.vault, { recordRefusal }) });

  refusals.note(REFUSAL, { call: "settle", caller: CALLER });
  isFull = false;
  refusals.close();

  assert.deepEqual(
    (await entriesOf("refused")).map(({ fields }) => ({ ...fields })),
    [{ total: 1, codes: "key_settled 1" }],
  );
});
