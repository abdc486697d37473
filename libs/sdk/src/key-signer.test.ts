import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, type KeyObject, verify } from "node:crypto";
import { test } from "node:test";
import { inspect } from "node:util";
import { base64url, sha256 } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import { KeySigner } from "./key-signer.ts";

/** The key of the reference's worked vectors: a seed of 32 bytes of 1. */
const ED25519_PEM = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB
-----END PRIVATE KEY-----
`;
const pemOf = (privateKey: KeyObject) => privateKey.export({ format: "pem", type: "pkcs8" }).toString();

test("the reference's worked assertion comes out to the byte (section 8.1)", async () => {
  const { clientData, signature } = await new KeySigner({ privateKey: ED25519_PEM }).sign("Y2gtMDAwMDAtMDAwMDAtdGVzdA");

  assert.equal(
    base64url(clientData),
    "eyJ0eXBlIjoia2V5LmdldCIsImNoYWxsZW5nZSI6IlkyZ3RNREF3TURBdE1EQXdNREF0ZEdWemRBIn0",
  );
  assert.equal(
    base64url(signature),
    "0CELSFX-BVEaqkqx7kwLQXDPNxNOGGtNTqqhdMU5qwHi-mT0J3W0gM8OhWrbOH3ocmgcKI7cBrprEu8oPaVrBg",
  );
});

test("a P-256 key signs in DER over SHA-256, from PKCS#8 and from SEC1", async () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  for (const pem of [pemOf(privateKey), privateKey.export({ format: "pem", type: "sec1" }).toString()]) {
    const { clientData, signature } = await new KeySigner({ privateKey: pem }).sign("AA");

    assert.equal(Buffer.from(clientData).toString(), '{"type":"key.get","challenge":"AA"}');
    assert.ok(verify("sha256", clientData, { key: createPublicKey(privateKey), dsaEncoding: "der" }, signature));
  }
});

test("the credential id is the given one, else SHA-256 of the public key", () => {
  const signer = new KeySigner({ privateKey: ED25519_PEM });

  assert.equal(signer.credId, base64url(sha256(signer.publicKey)));
  assert.equal(new KeySigner({ privateKey: ED25519_PEM, credId: "chosen" }).credId, "chosen");
});

test("keys that no signer of the network verifies are refused", () => {
  const others = [
    generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey,
    generateKeyPairSync("ec", { namedCurve: "secp256k1" }).privateKey,
    generateKeyPairSync("x25519").privateKey,
  ];
  for (const privateKey of [...others.map(pemOf), "", "not a key", ED25519_PEM.replace("MC4", "MC5")]) {
    assert.throws(
      () => new KeySigner({ privateKey }),
      (error) => error instanceof CountersignError && error.code === "signer_key_invalid",
    );
  }
});

test("neither a signer nor an error about its key prints key material", () => {
  const broken = ED25519_PEM.replace("MC4CAQ", "MC5CAQ");
  const printed = [inspect(new KeySigner({ privateKey: ED25519_PEM }), { depth: 9, showHidden: true })];
  printed.push(JSON.stringify(new KeySigner({ privateKey: ED25519_PEM })));
  try {
    new KeySigner({ privateKey: broken });
  } catch (error) {
    printed.push(inspect(error, { depth: 9, showHidden: true }));
  }

  assert.equal(printed.length, 3);
  for (const text of printed) assert.doesNotMatch(text, /AQEBAQEB|0101010101|PRIVATE KEY/);
});
