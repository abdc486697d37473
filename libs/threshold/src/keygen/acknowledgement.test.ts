import assert from "node:assert/strict";
import { before, test } from "node:test";
import { hex } from "@countersign/bytes";
import { prepareCurves } from "../curves/prepare-curves.ts";
import type { PublicKeyPackage } from "../key-share.ts";
import { systemRng } from "../testing/system-rng.ts";
import {
  acknowledgementStatement,
  renunciationStatement,
  verifyCertificate,
  verifyRenunciation,
} from "./acknowledgement.ts";
import { identityOf, keygenNetwork, outcomeOf, runKeygen } from "./testing/keygen-network.ts";

before(() => prepareCurves(systemRng));

async function certified() {
  const network = keygenNetwork({ threshold: 2, partyCount: 3 });
  const { key } = outcomeOf(await runKeygen(network), 1);
  assert.ok(key);
  const { deploymentId } = network.terms;
  return { network, deploymentId, certificate: key.certificate, key: key.share.public };
}

test("a certificate holds for its key and deployment only", async () => {
  const { network, deploymentId, certificate, key } = await certified();
  const { verifyIdentity } = network.book;
  const other = (await certified()).key;

  verifyCertificate(deploymentId, key, certificate, verifyIdentity);

  const refused = { code: "certificate_invalid" };
  assert.throws(() => verifyCertificate("another", key, certificate, verifyIdentity), refused);
  assert.throws(() => verifyCertificate(deploymentId, other, certificate, verifyIdentity), refused);
});

test("a certificate with one acknowledgement missing, doubled, exchanged or forged is refused", async () => {
  const { network, deploymentId, certificate, key } = await certified();
  const [first, second, third] = certificate;
  assert.ok(first && second && third);
  const forged = { party: 3, signature: identityOf(network, 2).sign(acknowledgementStatement(deploymentId, key)) };

  for (const list of [
    [],
    [first, second],
    [first, second, second],
    [first, second, third, third],
    [second, first, third],
    [first, second, { ...second, party: 3 }],
    [first, second, forged],
  ])
    assert.throws(() => verifyCertificate(deploymentId, key, list, network.book.verifyIdentity), {
      code: "certificate_invalid",
    });
});

test("the acknowledgement statement changes with everything public about the key", async () => {
  const { key } = await certified();
  const other = (await certified()).key;
  const [, ...shares] = key.verificationShares;
  const changed: readonly PublicKeyPackage[] = [
    key,
    { ...key, tau: other.tau },
    { ...key, keyId: "key-other" },
    { ...key, suite: "FROST-secp256k1-SHA256-v1" },
    { ...key, epoch: 1 },
    { ...key, threshold: 3 },
    { ...key, commitments: other.commitments },
    { ...key, verificationShares: [...shares, ...shares.slice(0, 1)] },
    { ...key, chainCodeHash: other.chainCodeHash },
  ];

  const statements = [
    ...changed.map((candidate) => acknowledgementStatement("deployment", candidate)),
    acknowledgementStatement("another", key),
  ].map(hex);

  assert.equal(new Set(statements).size, statements.length);
});

test("a renunciation is its party's, for one key and one session", () => {
  const { identities, book, terms } = keygenNetwork({ threshold: 2, partyCount: 3 });
  const { deploymentId, keyId, sessionId } = terms;
  const signature = identities.get(2)?.sign(renunciationStatement(deploymentId, keyId, sessionId));
  assert.ok(signature);
  const renunciation = { party: 2, sessionId, signature };
  const holds = (id: string, claim = renunciation) => verifyRenunciation(deploymentId, id, claim, book.verifyIdentity);

  assert.ok(holds(keyId));
  assert.ok(!holds("key-other"));
  assert.ok(!holds(keyId, { ...renunciation, party: 1 }));
  assert.ok(!holds(keyId, { ...renunciation, sessionId: systemRng(32) }));
});
