import assert from "node:assert/strict";
import crypto, { createPublicKey, verify } from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import { before, describe, test } from "node:test";
import { base64url } from "@countersign/bytes";
import { ed25519 as nobleEd } from "@noble/curves/ed25519.js";
import { schnorr } from "@noble/curves/secp256k1.js";
import fc from "fast-check";
import { verifyEd25519 } from "../curves/ed25519.ts";
import { prepareCurves } from "../curves/prepare-curves.ts";
import { systemRng } from "../testing/system-rng.ts";
import { fromHex, readVectors, readVectorText } from "../testing/vectors.ts";
import { verifyBip340, verifySignature } from "./gate.ts";

before(() => prepareCurves(systemRng));

describe("Ed25519", () => {
  const gate = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) =>
    verifySignature({
      suite: "FROST-ED25519-SHA512-v1",
      publicKey,
      message,
      r: signature.subarray(0, 32),
      s: signature.subarray(32),
    });

  test("of the twelve speccheck cases only the one that every verifier accepts passes", () => {
    const cases = readVectors<Record<"message" | "pub_key" | "signature", string>[]>(
      "ed25519/speccheck-cases.json",
    ).map(({ message, pub_key, signature }) => [fromHex(pub_key), fromHex(message), fromHex(signature)] as const);
    const row = (accepts: (key: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean) =>
      cases.map(([key, message, signature]) => (accepts(key, message, signature) ? "V" : "X")).join("");

    assert.equal(
      row((key, message, signature) => verifyEd25519(signature, message, key)),
      "XXXVXXXXXXXX",
    );
    // OpenSSL became as strict between the releases behind Node 20 and 24.
    assert.ok(["XXXVXXXXXXXX", "VVVVXXXXXXXV"].includes(row(opensslAccepts)));
    assert.equal(
      row((key, message, signature) => nobleEd.verify(signature, message, key)),
      "VVVVVVXXXVVV",
    );
    assert.equal(
      row((key, message, signature) => nobleEd.verify(signature, message, key, { zip215: false })),
      "XXVVVVXXXXXX",
    );
    assert.equal(row(gate), "XXXVXXXXXXXX");
  });

  test("the RFC 8032 signatures pass and none of them for another message", () => {
    const vectors = readVectors<Record<"publicKey" | "message" | "signature", string>[]>(
      "ed25519/rfc8032-7.1-ed25519.json",
    );

    for (const { publicKey, message, signature } of vectors) {
      assert.ok(gate(fromHex(publicKey), fromHex(message), fromHex(signature)));
      assert.ok(!gate(fromHex(publicKey), fromHex(`${message}00`), fromHex(signature)));
    }
  });

  test("the first 256 signatures of sign.input pass", () => {
    const lines = readVectorText("ed25519/sign.input.lines-0001-0256.txt").trim().split("\n");

    assert.equal(lines.length, 256);
    for (const line of lines) {
      const [, publicKey = "", message = "", signed = ""] = line.split(":");
      assert.ok(gate(fromHex(publicKey), fromHex(message), fromHex(signed.slice(0, 128))));
    }
  });

  test("Wycheproof's verdict on each signature is the gate's", () => {
    const { testGroups } = readVectors<{
      testGroups: {
        publicKey: { pk: string };
        tests: { tcId: number; msg: string; sig: string; result: "valid" | "invalid" }[];
      }[];
    }>("ed25519/wycheproof-ed25519_test.json");

    for (const { publicKey, tests } of testGroups)
      for (const { tcId, msg, sig, result } of tests)
        assert.equal(gate(fromHex(publicKey.pk), fromHex(msg), fromHex(sig)), result === "valid", `tcId ${tcId}`);
  });

  test("OpenSSL is asked too: what libsodium accepts is refused when OpenSSL refuses it", (context) => {
    const [vector] = readVectors<Record<"publicKey" | "message" | "signature", string>[]>(
      "ed25519/rfc8032-7.1-ed25519.json",
    );
    assert.ok(vector);
    const [publicKey, message, signature] = [vector.publicKey, vector.message, vector.signature].map(fromHex);
    assert.ok(publicKey && message && signature);
    assert.ok(gate(publicKey, message, signature));

    // No published case splits the two verifiers of this release any more, hence the stand-in for a stricter OpenSSL.
    const openssl = context.mock.method(crypto, "verify", () => false);
    syncBuiltinESMExports();
    try {
      assert.ok(!gate(publicKey, message, signature));
    } finally {
      openssl.mock.restore();
      syncBuiltinESMExports();
    }
  });

  test("a signature that is cut elsewhere than at its middle is refused", () => {
    const [vector] = readVectors<Record<"publicKey" | "message" | "signature", string>[]>(
      "ed25519/rfc8032-7.1-ed25519.json",
    );
    assert.ok(vector);
    const [publicKey, message, signature] = [vector.publicKey, vector.message, vector.signature].map(fromHex);
    assert.ok(publicKey && message && signature);

    const claim = { suite: "FROST-ED25519-SHA512-v1", publicKey, message } as const;
    assert.ok(verifySignature({ ...claim, r: signature.subarray(0, 32), s: signature.subarray(32) }));
    assert.ok(!verifySignature({ ...claim, r: signature.subarray(0, 31), s: signature.subarray(31) }));
    assert.ok(!verifySignature({ ...claim, r: signature, s: new Uint8Array(0) }));
    assert.ok(
      !verifySignature({
        ...claim,
        publicKey: publicKey.subarray(1),
        r: signature.subarray(0, 32),
        s: signature.subarray(32),
      }),
    );
  });
});

describe("BIP-340", () => {
  const rows = readVectorText("bitcoin/bip-0340-test-vectors.csv")
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(","));

  test("the verdict of each published vector is ours", () => {
    assert.ok(rows.length >= 19);
    for (const [index, , publicKey = "", , message = "", signature = "", verdict] of rows)
      assert.equal(
        verifyBip340(fromHex(publicKey), fromHex(message), fromHex(signature)),
        verdict === "TRUE",
        `vector ${index}`,
      );
  });

  test("noble's verdict is ours for honest and for damaged signatures", () => {
    const cases = fc.record({
      secret: fc
        .uint8Array({ minLength: 32, maxLength: 32 })
        .filter((bytes) => bytes.some((byte) => byte !== 0) && bytes[0] !== 0xff),
      message: fc.uint8Array({ maxLength: 64 }),
      damagedByte: fc.option(fc.integer({ min: 0, max: 95 })),
    });
    fc.assert(
      fc.property(cases, ({ secret, message, damagedByte }) => {
        const claim = Uint8Array.of(...schnorr.getPublicKey(secret), ...schnorr.sign(message, secret));
        if (damagedByte !== null) claim[damagedByte] = (claim[damagedByte] ?? 0) ^ 1;
        const [publicKey, signature] = [claim.subarray(0, 32), claim.subarray(32)];
        assert.equal(verifyBip340(publicKey, message, signature), schnorr.verify(signature, message, publicKey));
        assert.equal(verifyBip340(publicKey, message, signature), damagedByte === null);
      }),
      { numRuns: 60 },
    );
  });

  test("a zero s or a wrong length is refused without an error", () => {
    const [, , publicKey = "", , message = "", signature = ""] = rows[0] ?? [];
    const key = fromHex(publicKey);

    assert.ok(
      !verifyBip340(key, fromHex(message), Uint8Array.of(...fromHex(signature).subarray(0, 32), ...new Uint8Array(32))),
    );
    assert.ok(!verifyBip340(key, fromHex(message), fromHex(signature).subarray(1)));
    assert.ok(!verifyBip340(key.subarray(1), fromHex(message), fromHex(signature)));
    assert.ok(!verifyBip340(key, fromHex(message), new Uint8Array(0)));
  });

  test("a signature that is cut elsewhere than at its middle is refused", () => {
    const [, , publicKey = "", , message = "", signature = ""] = rows[0] ?? [];
    const claim = {
      suite: "FROST-secp256k1-SHA256-TR-v1",
      publicKey: fromHex(publicKey),
      message: fromHex(message),
    } as const;
    const bytes = fromHex(signature);

    assert.ok(verifySignature({ ...claim, r: bytes.subarray(0, 32), s: bytes.subarray(32) }));
    assert.ok(!verifySignature({ ...claim, r: bytes.subarray(0, 31), s: bytes.subarray(31) }));
  });
});

function opensslAccepts(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: base64url(publicKey) }, format: "jwk" });
  return verify(null, message, key, signature);
}
