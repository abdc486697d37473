import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { publishedKey } from "@countersign/threshold";
import { evidenceToWire } from "@countersign/wire";
import { KeyDirectory } from "./key-directory.ts";
import { orchestratorService } from "./server.ts";
import { remote, TestSigners } from "./testing/test-signers.ts";

let signers: TestSigners;
let service: ReturnType<typeof orchestratorService>;
beforeEach(async () => {
  signers = await TestSigners.start();
  service = orchestratorService(signers.network, new KeyDirectory(signers.network));
});

// biome-ignore lint/suspicious/noExplicitAny: answers of three calls, and a wrong guess fails the test.
function call(method: "createKey" | "sign" | "status", request: object): Promise<any> {
  const context = { signal: new AbortController().signal, deadlineMs: 10_000 };
  const handler = service.handlers[method];
  assert.ok(handler !== undefined);
  return Promise.resolve(handler(request as never, context as never) as Promise<unknown>);
}

test("API and operators may call, for a minute at most and ten seconds by default", () => {
  assert.deepEqual(service.rule, { callers: ["api", "operator"], deadlineDefaultMs: 10_000, deadlineMaxMs: 60_000 });
});

test("a new key is answered with its published key, certificate and verification shares", async () => {
  const { key, publicKey, verificationShares } = await signers.settle(
    call("createKey", { evidence: evidenceToWire(signers.approveKey()) }),
  );

  const held = signers.held.get(1)?.get(key.keyId);
  assert.ok(held !== undefined);
  assert.deepEqual(publicKey, publishedKey(held.share.public));
  assert.deepEqual(verificationShares, held.share.public.verificationShares);
  assert.equal(key.certificate.length, 3);
});

test("a signature is answered with attempts and parties", async () => {
  const key = await signers.makeKey();

  const evidence = evidenceToWire(signers.approveSignature(key.package.keyId));
  const { signatures, attempts, parties } = await signers.settle(call("sign", { evidence }));

  assert.deepEqual([signatures.length, attempts, parties], [1, 1, [1, 2]]);
});

test("a request without evidence is refused", async () => {
  await assert.rejects(call("sign", {}), { code: "message_malformed" });
  await assert.rejects(call("createKey", {}), { code: "message_malformed" });
});

test("status shows every node of the descriptor, also one that is away", async () => {
  signers.away.add(3);

  const { threshold, nodes } = await call("status", {});

  assert.equal(threshold, 2);
  assert.deepEqual(nodes[0], {
    nodeId: "node-1",
    party: 1,
    region: "region-1",
    present: true,
    roundTripUs: 1_000,
    sessions: 0,
  });
  assert.deepEqual(
    nodes.map(({ present }: { present: boolean }) => present),
    [true, true, false],
  );
});

test("512 requests run at once, the next is told to come again, and an ended one makes room", async () => {
  const { keyId } = (await signers.makeKey()).package;
  const released = Promise.withResolvers<never>();
  for (const party of [1, 2, 3]) signers.behaviour.set(party, { keyState: () => released.promise });
  const evidence = () => evidenceToWire(signers.approveSignature(keyId));

  const running = Array.from({ length: 512 }, () => call("sign", { evidence: evidence() }).catch(({ code }) => code));
  await assert.rejects(call("sign", { evidence: evidence() }), { code: "orchestrator_busy" });
  await assert.rejects(call("createKey", { evidence: evidenceToWire(signers.approveKey()) }), {
    code: "orchestrator_busy",
  });
  released.reject(remote("rpc_unavailable"));
  const ended = await signers.settle(Promise.all(running));
  signers.behaviour.clear();
  const next = await signers.settle(call("sign", { evidence: evidence() }));

  assert.deepEqual([...new Set(ended)], ["key_not_active"]);
  assert.equal(next.attempts, 1);
});
