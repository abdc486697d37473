import assert from "node:assert/strict";
import { test } from "node:test";
import { hex, prefixedHex } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import fc from "fast-check";
import { deriveId } from "./derive-id.ts";
import type { Sign, SignatureBody } from "./intent.ts";
import { interpret, keyScheme } from "./interpret.ts";
import { readIntent } from "./read-intent.ts";

const KEY_ID = deriveId("key", new Uint8Array(32).fill(1), 0);
const ED25519 = { keyId: KEY_ID, suite: "FROST-ED25519-SHA512-v1", purpose: "wallet" };
const TAPROOT = { keyId: KEY_ID, suite: "FROST-secp256k1-SHA256-TR-v1", purpose: "wallet" };
const HASH = new Uint8Array(32).fill(0x11);

const sign = (body: SignatureBody): Sign => ({ kind: "sign", keyId: KEY_ID, signatureId: "sig-x", body });
const refused = (run: () => unknown, code: string) =>
  assert.throws(run, (error) => error instanceof CountersignError && error.code === code);

test("an EdDSA Hash signs the 32 bytes as they are", () => {
  assert.deepEqual(interpret(sign({ kind: "Hash", hash: HASH }), ED25519), [{ message: HASH }]);
});

test("an EdDSA Message signs the raw bytes", () => {
  const message = Uint8Array.of(1, 2, 3);
  assert.deepEqual(interpret(sign({ kind: "Message", message }), ED25519), [{ message }]);
});

test("a Schnorr Hash signs the digest with the given root, and without one with the empty root", () => {
  const root = new Uint8Array(32).fill(0x22);
  const empty = new Uint8Array(0);
  assert.deepEqual(interpret(sign({ kind: "Hash", hash: HASH, taprootMerkleRoot: root }), TAPROOT), [
    { message: HASH, taprootMerkleRoot: root },
  ]);
  assert.deepEqual(interpret(sign({ kind: "Hash", hash: HASH, taprootMerkleRoot: empty }), TAPROOT), [
    { message: HASH, taprootMerkleRoot: empty },
  ]);
  assert.deepEqual(interpret(sign({ kind: "Hash", hash: HASH }), TAPROOT), [
    { message: HASH, taprootMerkleRoot: empty },
  ]);
});

test("a Taproot root for an EdDSA key is refused, the empty one too", () => {
  for (const taprootMerkleRoot of [new Uint8Array(0), HASH])
    refused(() => interpret(sign({ kind: "Hash", hash: HASH, taprootMerkleRoot }), ED25519), "key_unfit");
});

test("a Message for a Schnorr key is refused", () => {
  refused(() => interpret(sign({ kind: "Message", message: HASH }), TAPROOT), "key_unfit");
});

test("a key of another purpose signs nothing (P19)", () => {
  for (const purpose of ["canary", "import-staging", "", "Wallet", "__proto__"])
    refused(() => interpret(sign({ kind: "Hash", hash: HASH }), { ...ED25519, purpose }), "key_purpose_unfit");
});

test("a key other than the approved one signs nothing", () => {
  const keyId = deriveId("key", new Uint8Array(32).fill(2), 0);
  refused(() => interpret(sign({ kind: "Hash", hash: HASH }), { ...ED25519, keyId }), "key_unfit");
});

test("a key of a ciphersuite that no user's key has signs nothing", () => {
  for (const suite of ["FROST-secp256k1-SHA256-v1", "", "toString"])
    refused(() => interpret(sign({ kind: "Hash", hash: HASH }), { ...ED25519, suite }), "key_unfit");
  assert.equal(keyScheme("FROST-ED25519-SHA512-v1").curve, "ed25519");
});

test("one approval maps to one list of messages, whoever reads it and however often (claim C2)", () => {
  const c = new Uint8Array(32).fill(9);
  const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const message = fc.uint8Array({ maxLength: 100 }).map((bytes) => ({ kind: "Message", message: prefixedHex(bytes) }));
  const digest = fc
    .tuple(hash, fc.option(fc.constantFrom("", `0x${"33".repeat(32)}`), { nil: undefined }))
    .map(([bytes, root]) => {
      return { kind: "Hash", hash: prefixedHex(bytes), ...(root === undefined ? {} : { taprootMerkleRoot: root }) };
    });
  fc.assert(
    fc.property(fc.oneof(message, digest), fc.constantFrom(ED25519, TAPROOT), (body, key) => {
      const request = { method: "POST", path: `/keys/${KEY_ID}/signatures`, payload: JSON.stringify(body), c };
      const items = () => {
        const intent = readIntent(request);
        assert.equal(intent.kind, "sign");
        try {
          const found = intent.kind === "sign" ? interpret(intent, { ...key }) : [];
          return found.map((item) => `${hex(item.message)}/${hex(item.taprootMerkleRoot ?? new Uint8Array(0))}`);
        } catch (error) {
          assert.ok(error instanceof CountersignError && error.code === "key_unfit");
          return "refused";
        }
      };

      assert.deepEqual(items(), items());
    }),
  );
});
