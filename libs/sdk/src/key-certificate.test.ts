import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import { parseDescriptor } from "@countersign/authority";
import { hex, parseJson } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import type { KeyScheme } from "@countersign/intent";
import { ed25519 } from "@noble/curves/ed25519.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { readKey } from "./answers.ts";
import { CountersignClient } from "./client.ts";
import { verifyKeyCertificate } from "./key-certificate.ts";
import { KeySigner } from "./key-signer.ts";
import { answer, KEY_ID, startApi } from "./testing/api-stand-in.ts";
import { ED25519, TAPROOT, type TestKey, TestNodes } from "./testing/test-key.ts";

const nodes = new TestNodes();
const descriptor = parseDescriptor(nodes.descriptorFile);
const KINDS = [ED25519, TAPROOT];
const PEM = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }).toString();

const judge = (key: unknown, by = descriptor) => verifyKeyCertificate(readKey(parseJson(JSON.stringify(key))), by);
const refusal = (why: RegExp) => (error: unknown) => {
  assert.ok(error instanceof CountersignError, String(error));
  assert.equal(error.code, "key_certificate_refused", error.message);
  assert.match(error.message, why);
  return true;
};
/** An honest answer with one thing bent is refused for that reason, under either scheme. */
function refuses(why: RegExp, bend: (key: TestKey, kind: KeyScheme) => unknown): void {
  for (const kind of KINDS) {
    const key = nodes.key(KEY_ID, kind);
    judge(key);
    bend(key, kind);
    assert.throws(() => judge(key), refusal(why), kind.scheme);
  }
}
const NOT_ACKNOWLEDGED = /node node-1 did not acknowledge it/;

test("what all pinned nodes acknowledged is accepted, under either scheme and also with odd y", () => {
  for (const kind of KINDS) for (let count = 0; count < 8; count++) judge(nodes.key(KEY_ID, kind));
});

test("a public key of the API's own is refused (A14)", () => {
  refuses(/another public key/, (key, kind) => Object.assign(key, { publicKey: nodes.key(KEY_ID, kind).publicKey }));
});

test("for Schnorr the internal key is no published key, and an output key of another parity is refused", () => {
  const key = nodes.key(KEY_ID, TAPROOT);
  const { publicKey } = key.countersign.certificate;
  assert.throws(() => judge({ ...key, publicKey }), refusal(/another public key/));
  const flipped = (key.publicKey.startsWith("02") ? "03" : "02") + key.publicKey.slice(2);
  assert.throws(() => judge({ ...key, publicKey: flipped }), refusal(/another public key/));
  Object.assign(key.countersign, { internalPublicKey: key.publicKey });
  assert.throws(() => judge(key), refusal(/another internal public key/));
});

test("a certificate whose public key, share, tau, epoch or chain code hash was changed is refused", () => {
  for (const name of ["publicKey", "tau", "chainCodeHash"] as const)
    refuses(NOT_ACKNOWLEDGED, (key, kind) => {
      Object.assign(key.countersign.certificate, { [name]: nodes.key(KEY_ID, kind).countersign.certificate[name] });
    });
  refuses(NOT_ACKNOWLEDGED, (key) => Object.assign(key.countersign.certificate, { epoch: 1 }));
  refuses(NOT_ACKNOWLEDGED, ({ countersign: { certificate } }) => {
    certificate.verificationShares[1] = certificate.verificationShares[0] ?? "";
  });
});

test("a certificate of another key, another deployment or other nodes is refused", () => {
  for (const kind of KINDS) {
    const otherKey = nodes.key(KEY_ID, kind, { acknowledgedId: "key-other" });
    assert.throws(() => judge(otherKey), refusal(NOT_ACKNOWLEDGED));
    const otherDeployment = nodes.key(KEY_ID, kind, { deploymentId: "dep-other" });
    assert.throws(() => judge(otherDeployment), refusal(NOT_ACKNOWLEDGED));
    assert.throws(() => judge(new TestNodes().key(KEY_ID, kind)), refusal(NOT_ACKNOWLEDGED));
  }
});

test("another threshold than the deployment's is refused, also when every node acknowledged it", () => {
  refuses(/its threshold is 3/, (key) => Object.assign(key.countersign.certificate, { threshold: 3 }));
  for (const kind of KINDS)
    assert.throws(() => judge(nodes.key(KEY_ID, kind, { threshold: 3 })), refusal(/its threshold is 3/));
});

test("a missing, doubled, swapped or misnamed acknowledgement is refused", () => {
  refuses(/not a certificate of 3 nodes/, (key) => key.countersign.certificate.acknowledgements.pop());
  refuses(/not a certificate of 3 nodes/, (key) => key.countersign.certificate.verificationShares.pop());
  refuses(/node node-2 did not/, ({ countersign: { certificate } }) => {
    const [first] = certificate.acknowledgements;
    if (first !== undefined) certificate.acknowledgements[1] = first;
  });
  refuses(/node node-2 did not/, ({ countersign: { certificate } }) => {
    const [first, second] = certificate.acknowledgements;
    Object.assign(second ?? {}, { signature: first?.signature });
  });
  refuses(NOT_ACKNOWLEDGED, (key) => key.countersign.certificate.acknowledgements.reverse());
  refuses(NOT_ACKNOWLEDGED, (key) =>
    Object.assign(key.countersign.certificate.acknowledgements[0] ?? {}, { index: 2 }),
  );
  refuses(NOT_ACKNOWLEDGED, (key) =>
    Object.assign(key.countersign.certificate.acknowledgements[0] ?? {}, { nodeId: "node-9" }),
  );
});

test("shares that are not on one polynomial of degree t-1 are refused, even if every node acknowledged them", () => {
  refuses(/not on one polynomial of degree 1/, (key, kind) => {
    const other = nodes.key(KEY_ID, kind).countersign.certificate;
    key.countersign.certificate.verificationShares[2] = other.verificationShares[2] ?? "";
    nodes.acknowledge(KEY_ID, key);
  });
  // All values the same: degree 0, so that one share is the key.
  refuses(/not on one polynomial of degree 1/, (key) => {
    const { certificate } = key.countersign;
    certificate.verificationShares = certificate.verificationShares.map(() => certificate.publicKey);
    nodes.acknowledge(KEY_ID, key);
  });
});

test("bytes that are no point of the key's group are refused, even if every node acknowledged them", () => {
  const bad: Record<string, readonly string[]> = {
    ed25519: [
      hex(ed25519.Point.ZERO.toBytes()),
      "ff".repeat(32),
      // A point of mixed order: of the prime-order group but for a part of order 8.
      hex(ed25519.Point.BASE.add(smallOrderPoint()).toBytes()),
    ],
    secp256k1: [`02${"00".repeat(32)}`, `05${hex(secp256k1.Point.BASE.toBytes(true)).slice(2)}`],
  };
  for (const kind of KINDS)
    for (const publicKey of bad[kind.curve] ?? []) {
      const key = nodes.key(KEY_ID, kind);
      Object.assign(key.countersign.certificate, { publicKey });
      nodes.acknowledge(KEY_ID, key);
      assert.throws(() => judge(key), refusal(/no point of the key's group/), publicKey);
    }
});

test("a certificate that is missing, of another suite or not of its form is refused", () => {
  refuses(/countersign is missing/, (key) => Reflect.deleteProperty(key, "countersign"));
  refuses(/certificate is missing/, (key) => Reflect.deleteProperty(key.countersign, "certificate"));
  refuses(/ciphersuite/, (key) => Object.assign(key.countersign.certificate, { suite: "FROST-secp256k1-SHA256-v1" }));
  refuses(/tau/, (key) => Object.assign(key.countersign.certificate, { tau: "AB".repeat(32) }));
  refuses(/tau/, (key) => Object.assign(key.countersign.certificate, { tau: "ab".repeat(31) }));
  refuses(/epoch/, (key) => Object.assign(key.countersign.certificate, { epoch: -1 }));
  refuses(/signature/, (key) =>
    Object.assign(key.countersign.certificate.acknowledgements[0] ?? {}, { signature: "" }),
  );
  refuses(/EdDSA|Schnorr/, (key, { curve }) => Object.assign(key, { scheme: "ECDSA", curve }));
});

test("a client creates, gets and lists proven keys only", async () => {
  const honest = nodes.key(KEY_ID);
  const swapped = { ...honest, publicKey: nodes.key(KEY_ID).publicKey };
  const answering = (key: TestKey) => ({
    "POST /keys": (response: ServerResponse) => answer(response, 200, key),
    [`GET /keys/${KEY_ID}`]: (response: ServerResponse) => answer(response, 200, key),
    "GET /keys": (response: ServerResponse) => answer(response, 200, { items: [nodes.key(KEY_ID, TAPROOT), key] }),
  });
  const client = (apiUrl: string) =>
    new CountersignClient({
      apiUrl,
      token: "t",
      signer: new KeySigner({ privateKey: PEM }),
      descriptor: nodes.descriptorFile,
    });
  const body = { scheme: "EdDSA", curve: "ed25519" };
  await using honestApi = await startApi({ answers: answering(honest) });
  await using hostileApi = await startApi({ answers: answering(swapped) });

  assert.equal((await client(honestApi.url).key(KEY_ID)).publicKey, honest.publicKey);
  assert.equal((await client(honestApi.url).keys()).items.length, 2);
  // The id of this stand-in's key is not the approved one, which is found after the certificate.
  await assert.rejects(client(honestApi.url).createKey(body), { code: "api_answer_invalid" });
  for (const call of [
    () => client(hostileApi.url).createKey(body),
    () => client(hostileApi.url).key(KEY_ID),
    () => client(hostileApi.url).keys(),
  ])
    await assert.rejects(call(), refusal(/another public key/));
});

test("a client without a descriptor is made only by who says that the API is trusted", () => {
  const options = { apiUrl: "http://127.0.0.1:1", token: "t", signer: new KeySigner({ privateKey: PEM }) };
  for (const descriptor of [undefined, null, "", "trust", {}])
    assert.throws(
      () => new CountersignClient(Object.assign({ descriptor: "trust-api" as const }, options, { descriptor })),
      {
        code: "deployment_unpinned",
      },
    );
  new CountersignClient({ ...options, descriptor: "trust-api" });
  assert.throws(() => new CountersignClient({ ...options, descriptor: new Uint8Array(2) }), {
    code: "encoding_invalid",
  });
});

test("a client takes no other deployment id than that of its descriptor", () => {
  const options = { apiUrl: "http://127.0.0.1:1", token: "t", signer: new KeySigner({ privateKey: PEM }) };

  for (const deploymentId of ["dep-other", ""])
    assert.throws(() => new CountersignClient({ ...options, descriptor: nodes.descriptorFile, deploymentId }), {
      code: "deployment_id_differs",
    });
  new CountersignClient({ ...options, descriptor: nodes.descriptorFile, deploymentId: "dep-test" });
  new CountersignClient({ ...options, descriptor: "trust-api", deploymentId: "dep-other" });
});

/** Any point of order 8: a point of the curve, multiplied by the prime order. */
function smallOrderPoint() {
  for (let y = 2; ; y++) {
    try {
      const point = ed25519.Point.fromBytes(Uint8Array.of(y, ...new Uint8Array(31)));
      const small = point.subtract(point.clearCofactor().multiply(ed25519.Point.Fn.inv(8n)));
      if (!small.is0()) return small;
    } catch {
      // Not every y is on the curve.
    }
  }
}
