import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { CertifiedKey } from "@countersign/wire";
import { KeyDirectory } from "./key-directory.ts";
import { remote, TestSigners } from "./testing/test-signers.ts";

const signal = new AbortController().signal;

let signers: TestSigners;
let key: CertifiedKey;
let keys: KeyDirectory;
beforeEach(async () => {
  signers = await TestSigners.start();
  key = await signers.makeKey();
  keys = new KeyDirectory(signers.network);
});

test("a key is asked for once and then known", async () => {
  const first = await keys.find(key.package.keyId, signal);
  const asked = signers.calls.length;
  const second = await keys.find(key.package.keyId, signal);

  assert.deepEqual(first.commitments, key.package.commitments);
  assert.deepEqual(second, first);
  assert.equal(asked, 3);
  assert.equal(signers.calls.length, 3);
});

test("one honest node among liars is enough: a public key proves itself or is not believed", async () => {
  const other = await signers.makeKey("key-bbbbb-bbbbb-bbbbbbbbbbbbbbbb");
  const lie = signers.network.signers.get(1);
  assert.ok(lie !== undefined);
  // Node 1 presents another key's package, node 2 the right key with a certificate of the other.
  const held = signers.held.get(2)?.get(key.package.keyId);
  assert.ok(held !== undefined);
  held.certificate = other.certificate;
  signers.behaviour.set(1, {
    keyState: async (_request, options) => {
      signers.behaviour.delete(1);
      return lie.keyState({ keyId: other.package.keyId }, options);
    },
  });

  const found = await keys.find(key.package.keyId, signal);

  assert.deepEqual(found.commitments, key.package.commitments);
});

test("a key that is staged, refused or unknown everywhere is not active, and nodes that are away are not asked", async () => {
  for (const held of signers.held.values()) for (const one of held.values()) one.state = "staged";
  signers.away.add(3);
  signers.behaviour.set(2, {
    keyState: async () => {
      throw remote("rpc_unavailable");
    },
  });

  await assert.rejects(keys.find(key.package.keyId, signal), { code: "key_not_active" });

  assert.deepEqual(signers.calls, ["keyState 1", "keyState 2"]);
});

test("a certificate is of this key, complete and signed by the pinned nodes, or it is not admitted", async () => {
  const { keyId } = key.package;
  const other = await signers.makeKey("key-bbbbb-bbbbb-bbbbbbbbbbbbbbbb");
  const [first, second, third] = key.certificate;
  assert.ok(first && second && third);
  const forged = { ...third, signature: second.signature };
  const bad: CertifiedKey[] = [
    other,
    { package: key.package, certificate: other.certificate },
    { package: key.package, certificate: [first, second] },
    { package: key.package, certificate: [first, second, forged] },
    { package: { ...key.package, chainCodeHash: new Uint8Array(32) }, certificate: key.certificate },
  ];

  for (const presented of bad) assert.throws(() => keys.admit(presented, keyId), { code: "certificate_differs" });
  assert.equal(keys.admit(key, keyId), key);
});
