// Every quorum, one by one: the test asks exactly those signers over gRPC, as an orchestrator does, and verifies with code that is not the network's.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import type { PartyIndex, PublicKeyPackage } from "@countersign/threshold";
import { askSigners, combine, newSession, publicKeyOf } from "./direct-session.ts";
import { outputKey, verifiesEd25519, verifiesTaproot } from "./foreign-verifiers.ts";
import { RealNetwork } from "./real-network.ts";

const NO_ROOT = new Uint8Array(0);
const DEPLOYMENTS = [
  { threshold: 2, nodes: 3, quorums: 3 },
  { threshold: 3, nodes: 5, quorums: 10 },
] as const;

for (const { threshold, nodes, quorums: count } of DEPLOYMENTS) {
  describe(`${threshold} of ${nodes}`, { timeout: 120_000 }, () => {
    const parties = Array.from({ length: nodes }, (_, place) => place + 1);
    const quorums = subsets(parties, threshold);
    let network: RealNetwork;
    let edDsa: PublicKeyPackage;
    let schnorr: PublicKeyPackage;

    before(async () => {
      network = await RealNetwork.start({ nodes, threshold });
      edDsa = await newKey(network, { scheme: "EdDSA", curve: "ed25519" });
      schnorr = await newKey(network, { scheme: "Schnorr", curve: "secp256k1" });
    });
    after(() => network.close());

    test(`every quorum makes an Ed25519 signature over a message that OpenSSL accepts (${count})`, async () => {
      assert.equal(quorums.length, count);
      for (const quorum of quorums) {
        const message = Buffer.from(`Signed by ${quorum.join(" and ")}`);

        const signature = await signBy(network, { quorum, key: edDsa, body: messageBody(message), message });

        assert.ok(verifiesEd25519(internalKey(edDsa), message, signature), `quorum ${quorum}`);
        assert.ok(!verifiesEd25519(internalKey(edDsa), Buffer.from("Something else"), signature));
      }
    });

    test(`every quorum makes an Ed25519 signature over a hash that OpenSSL accepts (${count})`, async () => {
      for (const quorum of quorums) {
        const message = hashOf(`Hashed for ${quorum}`);

        const signature = await signBy(network, { quorum, key: edDsa, body: hashBody(message), message });

        assert.ok(verifiesEd25519(internalKey(edDsa), message, signature), `quorum ${quorum}`);
      }
    });

    test(`every quorum makes a BIP-340 signature under the output key without a script tree (${count})`, async () => {
      for (const quorum of quorums) {
        const message = hashOf(`Spent by ${quorum}`);

        const signature = await signBy(network, { quorum, key: schnorr, body: hashBody(message), message });

        assert.ok(verifiesTaproot(internalKey(schnorr), NO_ROOT, message, signature), `quorum ${quorum}`);
      }
    });

    test(`every quorum makes a BIP-340 signature under the output key of a script tree (${count})`, async () => {
      for (const quorum of quorums) {
        const message = hashOf(`Spent with scripts by ${quorum}`);
        const root = hashOf(`Script tree of ${quorum}`);

        const signature = await signBy(network, { quorum, key: schnorr, body: hashBody(message, root), message, root });

        assert.ok(verifiesTaproot(internalKey(schnorr), root, message, signature), `quorum ${quorum}`);
        assert.ok(!verifiesTaproot(internalKey(schnorr), NO_ROOT, message, signature), "another output key");
      }
    });

    test("the API publishes the very keys that the quorums sign under", async () => {
      const published = await Promise.all([edDsa, schnorr].map(({ keyId }) => network.client.key(keyId)));

      assert.deepEqual(
        published.map(({ publicKey }) => publicKey),
        [hex(internalKey(edDsa)), hex(outputKey(internalKey(schnorr), NO_ROOT))],
      );
    });

    test("through the API, kinds Message and Hash are signed with the published keys", async () => {
      const message = Buffer.from("Pay 10 to the baker");
      const hash = hashOf("Pay 10 to the miller");
      const root = hashOf("Script tree");
      const { client } = network;

      const said = await client.sign(edDsa.keyId, messageBody(message));
      const hashed = await client.sign(edDsa.keyId, hashBody(hash));
      const spent = await client.sign(schnorr.keyId, hashBody(hash));
      const scripted = await client.sign(schnorr.keyId, hashBody(hash, root));

      assert.ok(verifiesEd25519(internalKey(edDsa), message, bytesOf(said)));
      assert.ok(verifiesEd25519(internalKey(edDsa), hash, bytesOf(hashed)));
      assert.ok(verifiesTaproot(internalKey(schnorr), NO_ROOT, hash, bytesOf(spent)));
      assert.ok(verifiesTaproot(internalKey(schnorr), root, hash, bytesOf(scripted)));
    });

    test("a request repeated with its externalId gets the first one's signature, and another body a conflict", async () => {
      const { client } = network;
      const body = { ...hashBody(hashOf("Invoice 7")), externalId: "invoice-7" };

      const first = await client.sign(schnorr.keyId, body);
      const again = await Promise.all([client.sign(schnorr.keyId, body), client.sign(schnorr.keyId, body)]);
      const other = client.sign(schnorr.keyId, { ...body, hash: `0x${hex(hashOf("Invoice 8"))}` });

      assert.deepEqual(
        again.map(({ answer }) => answer),
        [first.answer, first.answer],
      );
      await assert.rejects(other, { code: "external_id_conflict", http: 409 });
    });
  });
}

async function newKey(network: RealNetwork, body: { scheme: string; curve: string }): Promise<PublicKeyPackage> {
  return publicKeyOf(network, (await network.client.createKey(body)).id);
}

async function signBy(
  network: RealNetwork,
  request: {
    readonly quorum: readonly PartyIndex[];
    readonly key: PublicKeyPackage;
    readonly body: object;
    readonly message: Uint8Array;
    readonly root?: Uint8Array;
  },
): Promise<Uint8Array> {
  const { quorum, key, body, message, root } = request;
  const evidence = await network.approve("POST", `/keys/${key.keyId}/signatures`, body);
  const session = newSession(network, quorum);
  const answers = await askSigners(network, session, evidence);
  const item = root === undefined ? { message } : { message, taprootMerkleRoot: root };
  return combine(network, { session, evidence, key, item, answers });
}

function subsets(of: readonly PartyIndex[], size: number): PartyIndex[][] {
  if (size === 0) return [[]];
  return of.flatMap((first, place) => subsets(of.slice(place + 1), size - 1).map((rest) => [first, ...rest]));
}

function internalKey({ commitments: [key] }: PublicKeyPackage): Uint8Array {
  assert.ok(key !== undefined, "a key has commitments");
  return key;
}

function messageBody(message: Uint8Array) {
  return { kind: "Message", message: `0x${hex(message)}` };
}

function hashBody(hash: Uint8Array, root?: Uint8Array) {
  return {
    kind: "Hash",
    hash: `0x${hex(hash)}`,
    ...(root === undefined ? {} : { taprootMerkleRoot: `0x${hex(root)}` }),
  };
}

function bytesOf({ signature }: { readonly signature?: { readonly r: string; readonly s: string } }): Uint8Array {
  assert.ok(signature !== undefined, "a signed request has its signature");
  return Buffer.from(signature.r.slice(2) + signature.s.slice(2), "hex");
}

function hashOf(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
