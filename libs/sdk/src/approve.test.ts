import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { test } from "node:test";
import { apply, authorize, genesisIds, parseDescriptor } from "@countersign/authority";
import { base64url, hex, utf8 } from "@countersign/bytes";
import { approve } from "./approve.ts";
import { KeySigner } from "./key-signer.ts";

/** Public nkeys made with @nats-io/nkeys 2.0.3. */
const NATS_KEYS = [
  "UCEZDLXVRYUQYOXI62AMOM53EWGRAOPLNIUOHDLP4W47QENYQACN6TPK",
  "UA7SO4IP7SQ4JMBFDNQERCDIDQPDGSD422ERE6O6GUXYZG3HRIPZIZRD",
];

const freshEd25519 = () => generateKeyPairSync("ed25519").privateKey;
const signerOf = (privateKey: KeyObject) =>
  new KeySigner({ privateKey: privateKey.export({ format: "pem", type: "pkcs8" }).toString() });

function network(signer: KeySigner) {
  const key = () => hex(signerOf(freshEd25519()).publicKey.subarray(-32));
  const nodes = NATS_KEYS.map((natsKey, place) => {
    return { index: place + 1, id: `node-${place + 1}`, region: "eu", identityKey: key(), natsKey };
  });
  const operators = nodes.map(({ id }) => ({ nodeId: id, publicKey: key() }));
  const organisation = { name: "Example", credentialKey: base64url(signer.publicKey) };
  const json = { version: 1, deploymentId: "dep-test", threshold: 2, nodes, operators, organisation };
  const descriptor = parseDescriptor(utf8(JSON.stringify(json)));
  return { state: apply(descriptor), ids: genesisIds(descriptor) };
}

test("what approve makes is evidence that a signer accepts, for both kinds of key", async () => {
  for (const privateKey of [freshEd25519(), generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey]) {
    const signer = signerOf(privateKey);
    const { state, ids } = network(signer);
    const { orgId, principalId, appId } = ids;
    const payload = '{"scheme":"EdDSA","curve":"ed25519"}';
    const fields = { deploymentId: "dep-test", orgId, principalId, appId, method: "POST", path: "/keys", payload };

    const evidence = await approve(fields, signer);

    assert.equal(authorize(evidence, state, { now: Date.now() }).intent.kind, "create-key");
    assert.notDeepEqual((await approve(fields, signer)).nonce, evidence.nonce);
  }
});

test("nonce and end of validity are the given ones", async () => {
  const nonce = new Uint8Array(32).fill(9);
  const fields = {
    deploymentId: "d",
    orgId: "o",
    principalId: "p",
    appId: "a",
    method: "POST",
    path: "/",
    payload: "",
  };

  const evidence = await approve({ ...fields, nonce, expiresAtMs: 17 }, signerOf(freshEd25519()));

  assert.deepEqual([evidence.nonce, evidence.expiresAtMs], [nonce, 17]);
});
