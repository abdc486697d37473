import assert from "node:assert/strict";
import { test } from "node:test";
import { identityOf, identityUri, parseIdentityUri } from "./identity.ts";

const ALICE = { deploymentId: "d-1", role: "signer", name: "node-1" } as const;

test("an identity survives its URI", () => {
  assert.equal(identityUri(ALICE), "countersign://d-1/signer/node-1");
  assert.deepEqual(parseIdentityUri(identityUri(ALICE)), ALICE);
});

test("what is not exactly an identity URI is none", () => {
  const wrong = [
    "countersign://d-1/signer",
    "countersign://d-1/signer/",
    "countersign://d-1/root/node-1",
    "countersign://d-1/Signer/node-1",
    "countersign://d-1/signer/node-1/more",
    "countersign://d-1/signer/node 1",
    "countersign://d-1/signer/node-1\n",
    "xcountersign://d-1/signer/node-1",
    `countersign://d-1/signer/${"n".repeat(65)}`,
  ];

  assert.deepEqual(
    wrong.filter((uri) => parseIdentityUri(uri) !== undefined),
    [],
  );
  assert.throws(() => identityUri({ ...ALICE, name: "a/b" }), { code: "rpc_certificate_invalid" });
});

test("a certificate's names hold exactly one identity", () => {
  const uri = identityUri(ALICE);

  assert.deepEqual(identityOf(`DNS:localhost, URI:${uri}, IP Address:127.0.0.1`), ALICE);
  assert.equal(identityOf(undefined), undefined);
  assert.equal(identityOf("DNS:localhost"), undefined);
  assert.equal(identityOf(`URI:${uri}, URI:${uri}`), undefined);
  assert.equal(identityOf(`DNS:"x, URI:${uri}"`), undefined);
  assert.equal(identityOf(`URI:${uri}, DNS:"x, y"`), undefined);
});
