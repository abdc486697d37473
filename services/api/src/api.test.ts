import assert from "node:assert/strict";
import { verify } from "node:crypto";
import { after, before, test } from "node:test";
import { decodeHex, decodePrefixedHex, sha256 } from "@countersign/bytes";
import { CountersignClient, TRUST_API } from "@countersign/sdk";
import { schnorr } from "@noble/curves/secp256k1.js";
import { Compile } from "typebox/compile";
import { Key, KeyWithStore } from "./keys/key-schema.ts";
import { Signature } from "./signatures/signature-schema.ts";
import { TestApi } from "./testing/test-api.ts";

let api: TestApi;
before(async () => {
  api = await TestApi.start();
});
after(() => api.close());

const keyForm = Compile(Key);
const keyWithStoreForm = Compile(KeyWithStore);
const signatureForm = Compile(Signature);
const HASH = `0x${"11".repeat(32)}`;

function verifiesEd25519(publicKey: string, message: Uint8Array, encoded: string): boolean {
  const key = {
    key: { kty: "OKP", crv: "Ed25519", x: Buffer.from(publicKey, "hex").toString("base64url") },
    format: "jwk",
  };
  return verify(null, message, key as never, decodePrefixedHex(encoded));
}

test("an Ed25519 key is created, shown with its certificate, listed, and signs a message", async () => {
  const created = await api.post("/keys", { scheme: "EdDSA", curve: "ed25519", name: "treasury" });
  assert.equal(created.status, 200);
  assert.deepEqual([...keyForm.Errors(created.json)], []);
  assert.match(created.json.id, /^key-[a-z2-7]{5}-[a-z2-7]{5}-[a-z2-7]{16}$/);
  assert.equal(created.json.name, "treasury");
  assert.equal(created.json.custodial, true);
  assert.equal(created.json.publicKey.length, 64);
  assert.deepEqual(
    created.json.countersign.certificate.acknowledgements.map(({ nodeId }: { nodeId: string }) => nodeId),
    ["node-1", "node-2", "node-3"],
  );
  assert.equal("internalPublicKey" in created.json.countersign, false);

  const shown = await api.call("GET", `/keys/${created.json.id}`);
  assert.deepEqual([...keyWithStoreForm.Errors(shown.json)], []);
  const { wallets, store, ...bare } = shown.json;
  assert.deepEqual(bare, created.json);
  assert.deepEqual(wallets, []);
  assert.deepEqual(store, { id: "countersign", kind: "Mpc", keyId: created.json.id });

  const listed = await api.call("GET", "/keys");
  assert.deepEqual(
    listed.json.items.find(({ id }: { id: string }) => id === created.json.id),
    created.json,
  );

  const body = { kind: "Message", message: "0x68656c6c6f", externalId: "first" };
  const signed = await api.post(`/keys/${created.json.id}/signatures`, body);
  assert.equal(signed.status, 200);
  assert.deepEqual([...signatureForm.Errors(signed.json)], []);
  assert.match(signed.json.id, /^sig-/);
  assert.equal(signed.json.status, "Signed");
  assert.equal(signed.json.externalId, "first");
  assert.deepEqual(signed.json.requestBody, body);
  assert.equal(signed.json.requester.userId, api.alice.principalId);
  assert.match(signed.json.requester.tokenId, /^to-/);
  const { r, s, encoded } = signed.json.signature;
  assert.equal(encoded, `${r}${s.slice(2)}`);
  assert.ok(verifiesEd25519(created.json.publicKey, Buffer.from("hello"), encoded));
  assert.deepEqual((await api.call("GET", `/keys/${created.json.id}/signatures/${signed.json.id}`)).json, signed.json);
});

test("an Ed25519 key signs the 32 bytes of a Hash as its message", async () => {
  const key = await api.createKey("EdDSA");

  const signed = await api.post(`/keys/${key.json.id}/signatures`, { kind: "Hash", hash: HASH });

  assert.equal(signed.status, 200);
  assert.ok(verifiesEd25519(key.json.publicKey, decodePrefixedHex(HASH), signed.json.signature.encoded));
});

test("a Schnorr key publishes its output key and signs hashes under it, with and without an empty merkle root", async () => {
  const key = await api.createKey("Schnorr");
  assert.equal(key.status, 200);
  assert.match(key.json.publicKey, /^0[23][0-9a-f]{64}$/);
  assert.match(key.json.countersign.internalPublicKey, /^0[23][0-9a-f]{64}$/);
  assert.notEqual(key.json.publicKey, key.json.countersign.internalPublicKey);

  const bodies = [
    { kind: "Hash", hash: HASH, network: "BitcoinTestnet3", blockchainKind: "Bitcoin" },
    { kind: "Hash", hash: HASH, taprootMerkleRoot: "" },
  ];
  for (const body of bodies) {
    const signed = await api.post(`/keys/${key.json.id}/signatures`, body);
    assert.equal(signed.status, 200);
    const encoded = decodePrefixedHex(signed.json.signature.encoded);
    assert.ok(schnorr.verify(encoded, decodePrefixedHex(HASH), decodeHex(key.json.publicKey).subarray(1)));
    assert.equal(signed.json.network, body.network);
  }
});

test("a merkle root tweaks the key to another output key", async () => {
  const key = await api.createKey("Schnorr");
  const root = `0x${"22".repeat(32)}`;

  const signed = await api.post(`/keys/${key.json.id}/signatures`, {
    kind: "Hash",
    hash: HASH,
    taprootMerkleRoot: root,
  });

  assert.equal(signed.status, 200);
  const encoded = decodePrefixedHex(signed.json.signature.encoded);
  assert.ok(!schnorr.verify(encoded, decodePrefixedHex(HASH), decodeHex(key.json.publicKey).subarray(1)));
});

test("a P-256 credential of another organisation approves for that organisation", async () => {
  const key = await api.createKey("EdDSA", api.bob);
  assert.equal(key.status, 200);

  const signed = await api.post(`/keys/${key.json.id}/signatures`, { kind: "Hash", hash: HASH }, api.bob);

  assert.equal(signed.status, 200);
});

test("the verifying client of the SDK works against the API over a socket", async () => {
  await api.server.listen({ host: "127.0.0.1", port: 0 });
  const address = api.server.server.address();
  assert.ok(address !== null && typeof address === "object");
  // The orchestrator behind this API has no nodes that could acknowledge a key; test/e2e has.
  const client = new CountersignClient({
    apiUrl: `http://127.0.0.1:${address.port}`,
    ...api.alice,
    descriptor: TRUST_API,
  });

  const key = await client.createKey({ scheme: "EdDSA", curve: "ed25519" });
  const signature = await client.sign(key.id, { kind: "Message", message: "0x00" });
  const page = await client.signatures(key.id, { limit: 1 });

  assert.equal((await client.key(key.id)).publicKey, key.publicKey);
  assert.ok((await client.keys({ limit: 100 })).items.some(({ id }) => id === key.id));
  assert.ok(verifiesEd25519(key.publicKey, new Uint8Array(1), signature.signature?.encoded ?? ""));
  assert.deepEqual(
    page.items.map(({ id }) => id),
    [signature.id],
  );
  await assert.rejects(client.key("key-aaaaa-aaaaa-aaaaaaaaaaaaaaaa"), { code: "key_unknown", http: 404 });
});

test("calls reach the network with the time that is left of the request's ten or sixty seconds", async () => {
  api.orchestrator.deadlines.length = 0;
  const key = await api.createKey();
  await api.post(`/keys/${key.json.id}/signatures`, { kind: "Hash", hash: HASH });

  const [creation = 0, signature = 0] = api.orchestrator.deadlines;

  assert.ok(creation > 10_000 && creation <= 60_000);
  assert.ok(signature > 1_000 && signature <= 10_000);
});

test("the deployment's public facts are answered to anybody", async () => {
  const { status, json } = await api.call("GET", "/countersign/deployment", { token: undefined });

  assert.equal(status, 200);
  assert.equal(json.deploymentId, "dep-test");
  assert.equal(json.orgId, api.alice.orgId);
  assert.equal(json.threshold, 2);
  assert.equal(json.descriptorHash, Buffer.from(sha256(api.deployment.file)).toString("hex"));
  assert.deepEqual(
    json.nodes.map(({ index, id }: { index: number; id: string }) => [index, id]),
    [
      [1, "node-1"],
      [2, "node-2"],
      [3, "node-3"],
    ],
  );
});

test("health is answered to anybody, and readiness tells whether database and network are there", async () => {
  const health = await api.call("GET", "/health", { token: undefined });
  const ready = await api.call("GET", "/health/ready", { token: undefined });

  assert.deepEqual([health.status, health.json], [200, { status: "ok" }]);
  assert.equal(ready.status, 200);
  assert.deepEqual(ready.json, {
    status: "ready",
    database: "up",
    orchestrator: "up",
    nodesPresent: 3,
    nodes: 3,
    threshold: 2,
  });
});
