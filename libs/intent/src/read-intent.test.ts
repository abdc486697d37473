import assert from "node:assert/strict";
import { test } from "node:test";
import { CountersignError } from "@countersign/errors";
import fc from "fast-check";
import { deriveId } from "./derive-id.ts";
import { readIntent } from "./read-intent.ts";

const C = new Uint8Array(32).fill(7);
const KEY_ID = deriveId("key", new Uint8Array(32).fill(1), 0);
const OTHER_KEY_ID = deriveId("key", new Uint8Array(32).fill(2), 0);
const SIGNATURES = `/keys/${KEY_ID}/signatures`;
const HASH = `0x${"11".repeat(32)}`;
const HASH_PAYLOAD = JSON.stringify({ kind: "Hash", hash: HASH });

const read = (payload: unknown, { method = "POST", path = SIGNATURES } = {}) =>
  readIntent({ method, path, payload: typeof payload === "string" ? payload : JSON.stringify(payload), c: C });
const create = (payload: unknown) => read(payload, { path: "/keys" });
const refused = (run: () => unknown, code: string, message = "") =>
  assert.throws(run, (error) => error instanceof CountersignError && error.code === code, message);

test("POST /keys means a new key whose id follows from C, for each supported pair", () => {
  assert.deepEqual(create({ scheme: "EdDSA", curve: "ed25519", name: "treasury" }), {
    kind: "create-key",
    keyId: deriveId("key", C, 0),
    scheme: "EdDSA",
    curve: "ed25519",
    suite: "FROST-ED25519-SHA512-v1",
    purpose: "wallet",
    name: "treasury",
  });
  assert.deepEqual(create({ curve: "secp256k1", scheme: "Schnorr" }), {
    kind: "create-key",
    keyId: deriveId("key", C, 0),
    scheme: "Schnorr",
    curve: "secp256k1",
    suite: "FROST-secp256k1-SHA256-TR-v1",
    purpose: "wallet",
  });
});

test("pairs of scheme and curve that are not generated are refused with those that are", () => {
  const pairs = [
    ["ECDSA", "secp256k1"],
    ["ECDSA", "stark"],
    ["DH", "secp256k1"],
    ["EdDSA", "secp256k1"],
    ["Schnorr", "ed25519"],
    ["eddsa", "ed25519"],
    ["__proto__", "ed25519"],
  ];
  for (const [scheme, curve] of pairs) {
    assert.throws(
      () => create({ scheme, curve }),
      (error) =>
        error instanceof CountersignError &&
        error.code === "scheme_not_supported" &&
        /EdDSA\/ed25519 and Schnorr\/secp256k1/.test(error.message),
    );
  }
});

test("options that would change who holds or derives a key are refused by name, whatever their value", () => {
  for (const option of ["masterKey", "deriveFrom", "storeId", "delegateTo", "delayDelegation"]) {
    for (const value of [true, false, null, "us-1", {}])
      refused(() => create({ scheme: "EdDSA", curve: "ed25519", [option]: value }), "option_not_supported", option);
  }
});

test("a key's body with missing, unknown or misshapen fields is refused", () => {
  const good = { scheme: "EdDSA", curve: "ed25519" };
  for (const body of [
    { scheme: "EdDSA" },
    { curve: "ed25519" },
    { ...good, purpose: "canary" },
    { ...good, orgId: "or-2" },
  ])
    refused(() => create(body), "payload_invalid");
  for (const name of [7, null, "x".repeat(101), ["a"], {}]) refused(() => create({ ...good, name }), "payload_invalid");
  refused(() => create({ ...good, scheme: 1 }), "payload_invalid");
  refused(() => create([good]), "payload_invalid");
  refused(() => create("null"), "payload_invalid");
  refused(() => create('{"scheme":"EdDSA","curve":"ed25519","__proto__":{}}'), "payload_invalid");
});

test("POST /keys/{keyId}/signatures means signing with the key of the path", () => {
  assert.deepEqual(
    read({ kind: "Hash", hash: HASH, externalId: "order-7", network: "BitcoinTestnet3", blockchainKind: "Bitcoin" }),
    {
      kind: "sign",
      keyId: KEY_ID,
      signatureId: deriveId("signature", C, 0),
      body: {
        kind: "Hash",
        hash: new Uint8Array(32).fill(0x11),
        externalId: "order-7",
        network: "BitcoinTestnet3",
        blockchainKind: "Bitcoin",
      },
    },
  );
  assert.deepEqual(read({ kind: "Message", message: "0x00ff" }), {
    kind: "sign",
    keyId: KEY_ID,
    signatureId: deriveId("signature", C, 0),
    body: { kind: "Message", message: Uint8Array.of(0, 255) },
  });
});

test("a Taproot root is empty, 32 bytes or absent", () => {
  const rootOf = (taprootMerkleRoot: unknown) => {
    const intent = read({ kind: "Hash", hash: HASH, taprootMerkleRoot });
    return intent.kind === "sign" && intent.body.kind === "Hash" ? intent.body.taprootMerkleRoot : undefined;
  };
  assert.deepEqual(rootOf(""), new Uint8Array(0));
  assert.deepEqual(rootOf(`0x${"ab".repeat(32)}`), new Uint8Array(32).fill(0xab));
  for (const root of [null, 0, `0x${"ab".repeat(31)}`, `0x${"ab".repeat(33)}`])
    refused(() => rootOf(root), "payload_invalid");
  for (const root of ["ab".repeat(32), "0", "00"]) assert.throws(() => rootOf(root), CountersignError);
  // The reference spells the empty root as an empty string; one meaning has one spelling.
  refused(() => rootOf("0x"), "payload_invalid");
});

test("a hash is 0x and 64 lower-case hex digits, nothing else (U1)", () => {
  const wrong: [unknown, string][] = [
    [`0x${"11".repeat(31)}`, "payload_invalid"],
    [`0x${"11".repeat(33)}`, "payload_invalid"],
    ["11".repeat(32), "encoding_invalid"],
    [`0x${"AB".repeat(32)}`, "encoding_invalid"],
    [`0X${"ab".repeat(32)}`, "encoding_invalid"],
    [`0x${"1".repeat(63)}`, "encoding_invalid"],
    [`0x${"zz".repeat(32)}`, "encoding_invalid"],
    [`0x${"11".repeat(31)}1 `, "encoding_invalid"],
    ["", "payload_invalid"],
    [null, "payload_invalid"],
    [17, "payload_invalid"],
    [[HASH], "payload_invalid"],
  ];
  for (const [hash, code] of wrong) refused(() => read({ kind: "Hash", hash }), code, String(hash));
  refused(() => read({ kind: "Hash" }), "payload_invalid");
});

test("a message is accepted up to its bound and refused beyond it", () => {
  read({ kind: "Message", message: "0x" });
  read({ kind: "Message", message: `0x${"00".repeat(65_536)}` });
  refused(() => read({ kind: "Message", message: `0x${"00".repeat(65_537)}` }), "payload_invalid");
});

test("a chain's interpretation of a message is refused instead of signing the raw bytes", () => {
  refused(() => read({ kind: "Message", message: "0x00", blockchainKind: "Evm" }), "option_not_supported");
  refused(() => read({ kind: "Message", message: "0x00", network: "EthereumSepolia" }), "option_not_supported");
});

test("kinds of the reference that are not interpreted are refused with those that are", () => {
  for (const kind of ["Eip191", "Eip712", "Transaction", "Psbt", "SignDocDirect", "Cip8"]) {
    assert.throws(
      () => read({ kind, message: "0x00" }),
      (error) =>
        error instanceof CountersignError &&
        error.code === "signature_kind_not_supported" &&
        /supported are Hash and Message/.test(error.message),
    );
  }
  for (const kind of ["hash", "HASH", "", "__proto__", "toString"])
    refused(() => read({ kind, hash: HASH }), "payload_invalid");
  refused(() => read({ hash: HASH }), "payload_invalid");
});

test("fields that the kind does not have, and misshapen common fields, are refused", () => {
  refused(() => read({ kind: "Hash", hash: HASH, message: "0x00" }), "payload_invalid");
  refused(() => read({ kind: "Message", message: "0x00", hash: HASH }), "payload_invalid");
  refused(() => read({ kind: "Message", message: "0x00", taprootMerkleRoot: "" }), "payload_invalid");
  refused(() => read({ kind: "Hash", hash: HASH, walletId: "wa-1" }), "payload_invalid");
  for (const externalId of ["", "x".repeat(65), 7, null])
    refused(() => read({ kind: "Hash", hash: HASH, externalId }), "payload_invalid");
  for (const network of ["", "a b", null, "x".repeat(65)])
    refused(() => read({ kind: "Hash", hash: HASH, network }), "payload_invalid");
  for (const blockchainKind of ["", "evm", 7])
    refused(() => read({ kind: "Hash", hash: HASH, blockchainKind }), "payload_invalid");
});

test("codec traps in a payload are refused (U1)", () => {
  const hash = `"hash":"${HASH}"`;
  const traps = [
    `{"kind":"Hash",${hash},${hash}}`,
    `{"kind":"Hash",${hash},"\\u0068ash":"0x${"22".repeat(32)}"}`,
    `{"kind":"Hash",${hash}}{}`,
    `\ufeff{"kind":"Hash",${hash}}`,
    `{"kind":"Hash",${hash},"x":1.0}`,
    `{"kind":"Hash",${hash},"x":9007199254740993}`,
    `{"kind":"Hash",${hash},"x":"\\ud800"}`,
    "",
    "{",
  ];
  for (const payload of traps) refused(() => read(payload), "encoding_invalid", payload);
});

test("a path is matched literally: nothing that another reader may normalise reaches a key (U2)", () => {
  const confusing = [
    `/keys/${KEY_ID}/../${OTHER_KEY_ID}/signatures`,
    `/keys/./${KEY_ID}/signatures`,
    `/keys/%2e%2e/keys/${KEY_ID}/signatures`,
    `/keys%2F${KEY_ID}/signatures`,
    `/keys/${KEY_ID}%2fsignatures`,
    `/keys/${KEY_ID.replace("key", "%6bey")}/signatures`,
    `//keys/${KEY_ID}/signatures`,
    `/keys//${KEY_ID}/signatures`,
    `/keys/${KEY_ID}/signatures/`,
    `/keys/${KEY_ID}/signatures//`,
    `/keys/${KEY_ID};x/signatures`,
    `/keys/${KEY_ID}/signatures;x=1`,
    `/keys/${KEY_ID}/signatures#x`,
    `/keys/${KEY_ID}/signatures%20`,
    ` ${SIGNATURES}`,
    `${SIGNATURES}\n`,
    `${SIGNATURES}\u0000`,
    SIGNATURES.toUpperCase(),
    SIGNATURES.replace("keys", "Keys"),
    `/keys/${KEY_ID.toUpperCase()}/signatures`,
    `/v1${SIGNATURES}`,
    `http://localhost${SIGNATURES}`,
    SIGNATURES.slice(1),
    `\\keys\\${KEY_ID}\\signatures`,
    `/keys/${KEY_ID}/signatures\\`,
    `/keys/${KEY_ID}\u002fsignatures/x`,
    `/keys/${KEY_ID}${KEY_ID}/signatures`,
    "/keys/key-1/signatures",
    "/keys/import/signatures",
    `/keys/${KEY_ID}`,
    `/keys/${KEY_ID}/export`,
    "/keys/",
    "/keyS",
    "/wallets",
    "",
    "/",
    `${SIGNATURES}?${"x".repeat(2_048)}`,
    `${SIGNATURES}?a=#b`,
    `${SIGNATURES}?a=\u00e9`,
    `${SIGNATURES}?a b`,
  ];
  for (const path of confusing) refused(() => read(HASH_PAYLOAD, { path }), "operation_unknown", path);
});

test("a method is matched literally", () => {
  for (const method of ["GET", "PUT", "DELETE", "PATCH", "post", "Post", "POST ", ""]) {
    refused(() => read(HASH_PAYLOAD, { method }), "operation_unknown", method);
    refused(() => read({ scheme: "EdDSA", curve: "ed25519" }, { method, path: "/keys" }), "operation_unknown", method);
  }
});

test("a query is accepted in the signed path and has no effect", () => {
  const plain = read(HASH_PAYLOAD);
  for (const query of ["?", "?force=true", `?keyId=${OTHER_KEY_ID}`, "?a=%2e%2e/&b=1", "?a=?"])
    assert.deepEqual(read(HASH_PAYLOAD, { path: SIGNATURES + query }), plain);
});

test("spacing and order of a payload do not change what it means", () => {
  assert.deepEqual(read(`{ "hash" : "${HASH}",\n "kind":"Hash" }`), read(HASH_PAYLOAD));
});

test("any request is read or refused with a typed error; reading twice gives the same", () => {
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom("Hash", "Message", HASH, "0x", "", "EdDSA", "ed25519"));
  const key = fc.constantFrom(
    "kind",
    "hash",
    "message",
    "taprootMerkleRoot",
    "externalId",
    "scheme",
    "curve",
    "name",
    "network",
    "x",
  );
  const payload = fc.oneof(
    fc.dictionary(key, value).map((body) => JSON.stringify(body)),
    fc.string(),
    fc.json(),
  );
  const path = fc.oneof(fc.constantFrom(SIGNATURES, "/keys", `${SIGNATURES}?a`), fc.webPath(), fc.string());
  fc.assert(
    fc.property(fc.constantFrom("POST", "GET", "x"), path, payload, (method, path, payload) => {
      const request = { method, path, payload, c: C };
      let intent: unknown;
      try {
        intent = readIntent(request);
      } catch (error) {
        assert.ok(error instanceof CountersignError, String(error));
        return;
      }
      assert.deepEqual(readIntent(request), intent);
    }),
    { numRuns: 3_000 },
  );
});

test("a payload of more than 1,000 values is refused before anything reads them", () => {
  const padded = (values: number) => JSON.stringify({ kind: "Hash", hash: HASH, network: Array(values - 4).fill(0) });

  refused(() => read(padded(1_000)), "payload_invalid");
  refused(() => read(padded(1_001)), "encoding_invalid");
});
