import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { base64url, concatBytes, decodeBase64url, decodeHex, hex, utf8 } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import { p256 } from "@noble/curves/nist.js";
import fc from "fast-check";
import { CredentialKey, defaultCredId } from "./credential-key.ts";
import { freshP256Key, seededKey, spkiOf } from "./testing/fixture.ts";
import { refused } from "./testing/refused.ts";

interface Wycheproof {
  readonly testGroups: readonly {
    readonly publicKeyDer: string;
    readonly tests: readonly { tcId: number; comment: string; msg: string; sig: string; result: string }[];
  }[];
}

const vectors = (name: string) => JSON.parse(readFileSync(new URL(`vectors/${name}`, import.meta.url), "utf8"));

/** ECDSA-Sig-Value of r and s as they stand, without looking at their range. */
function derOf(raw: Uint8Array): Uint8Array {
  const integer = (bytes: Uint8Array) => {
    const value = BigInt(`0x${hex(bytes)}`).toString(16);
    const even = value.length % 2 === 0 ? value : `0${value}`;
    const positive = Number.parseInt(even.slice(0, 2), 16) >= 128 ? `00${even}` : even;
    return concatBytes(Uint8Array.of(2, positive.length / 2), decodeHex(positive));
  };
  const both = concatBytes(integer(raw.subarray(0, 32)), integer(raw.subarray(32)));
  return concatBytes(Uint8Array.of(0x30, both.length), both);
}

test("Ed25519 verification agrees with wycheproof", () => {
  const { testGroups }: Wycheproof = vectors("ed25519_test.json");
  let count = 0;
  for (const { publicKeyDer, tests } of testGroups) {
    const key = new CredentialKey(decodeHex(publicKeyDer));
    for (const { tcId, comment, msg, sig, result } of tests) {
      assert.equal(key.verify(decodeHex(msg), decodeHex(sig)), result === "valid", `${tcId}: ${comment}`);
      count++;
    }
  }
  assert.equal(count, 151);
});

test("P-256 verification agrees with wycheproof", () => {
  const { testGroups }: Wycheproof = vectors("ecdsa_secp256r1_sha256_p1363_test.json");
  let count = 0;
  for (const { publicKeyDer, tests } of testGroups) {
    const key = new CredentialKey(decodeHex(publicKeyDer));
    for (const { tcId, comment, msg, sig, result } of tests) {
      const raw = decodeHex(sig);
      // Signatures of another length have no DER form; they are tried as they are.
      const der = raw.length === 64 ? derOf(raw) : raw;
      assert.equal(key.verify(decodeHex(msg), der), result === "valid", `${tcId}: ${comment}`);
      count++;
    }
  }
  assert.equal(count, 262);
});

test("none of the edge cases of ed25519-speccheck is accepted", () => {
  const cases: { message: string; pub_key: string; signature: string }[] = vectors("speccheck-cases.json");

  const accepted = cases.map(({ message, pub_key, signature }) => {
    try {
      const key = new CredentialKey(decodeHex(`302a300506032b6570032100${pub_key}`));
      return key.verify(decodeHex(message), decodeHex(signature));
    } catch (error) {
      assert.ok(error instanceof CountersignError && error.code === "public_key_invalid");
      return false;
    }
  });

  // A strict verifier accepts case 3, whose key is of mixed order; here the key itself is refused.
  assert.deepEqual(accepted, Array(12).fill(false));
});

test("the reference's worked assertion verifies (section 8.1)", () => {
  const pem = "MCowBQYDK2VwAyEAiojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=";
  const key = new CredentialKey(new Uint8Array(Buffer.from(pem, "base64")));
  const clientData = decodeBase64url("eyJ0eXBlIjoia2V5LmdldCIsImNoYWxsZW5nZSI6IlkyZ3RNREF3TURBdE1EQXdNREF0ZEdWemRBIn0");
  const signature = "0CELSFX-BVEaqkqx7kwLQXDPNxNOGGtNTqqhdMU5qwHi-mT0J3W0gM8OhWrbOH3ocmgcKI7cBrprEu8oPaVrBg";

  assert.equal(Buffer.from(clientData).toString(), '{"type":"key.get","challenge":"Y2gtMDAwMDAtMDAwMDAtdGVzdA"}');
  assert.ok(key.verify(clientData, decodeBase64url(signature)));
  assert.ok(!key.verify(clientData.subarray(1), decodeBase64url(signature)));
});

test("degenerate Ed25519 keys are refused, among them the identity, under which anything verifies (A8)", () => {
  const points = [
    "01".padEnd(64, "0"),
    "0".repeat(64),
    `ec${"ff".repeat(30)}7f`,
    `ed${"ff".repeat(30)}7f`,
    "02".padEnd(64, "0"),
  ];
  for (const point of points)
    refused(() => new CredentialKey(decodeHex(`302a300506032b6570032100${point}`)), "public_key_invalid");
});

test("P-256 keys off the curve, beyond the field, at infinity or compressed are refused (A8)", () => {
  const prefix = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
  const good = hex(spkiOf(freshP256Key())).slice(prefix.length);
  const flipped = good.slice(0, -1) + (good.endsWith("0") ? "1" : "0");
  const { p } = p256.Point.CURVE();
  const zeroY = `04${"00".repeat(31)}05${"00".repeat(32)}`;
  const beyond = `04${p.toString(16).padStart(64, "0")}${good.slice(66)}`;

  new CredentialKey(decodeHex(prefix + good));
  for (const point of [
    flipped,
    zeroY,
    beyond,
    `04${"ff".repeat(64)}`,
    `04${"00".repeat(64)}`,
    `06${good.slice(2)}`,
    `00${good.slice(2)}`,
  ])
    refused(() => new CredentialKey(decodeHex(prefix + point)), "public_key_invalid", point);
  const compressed = "3039301306072a8648ce3d020106082a8648ce3d030107032200";
  const x = good.slice(2, 66);
  refused(() => new CredentialKey(decodeHex(`${compressed}02${x}`)), "public_key_invalid");
  refused(
    () => new CredentialKey(decodeHex("3019301306072a8648ce3d020106082a8648ce3d03010703020000")),
    "public_key_invalid",
  );
});

test("the points p and n - s aside, a P-256 x at or above the field's prime is not reduced", () => {
  // x + p does not fit 32 bytes except for the smallest x; take x = 5, whose point exists.
  const { p } = p256.Point.CURVE();
  const point = p256.Point.fromBytes(decodeHex(`02${"5".padStart(64, "0")}`));
  const y = point.toAffine().y.toString(16).padStart(64, "0");
  const prefix = "3059301306072a8648ce3d020106082a8648ce3d030107034200";

  new CredentialKey(decodeHex(`${prefix}04${"5".padStart(64, "0")}${y}`));
  refused(() => new CredentialKey(decodeHex(`${prefix}04${(p + 5n).toString(16)}${y}`)), "public_key_invalid");
});

test("keys of other algorithms are refused (A7)", () => {
  const others = [
    generateKeyPairSync("rsa", { modulusLength: 2048 }),
    generateKeyPairSync("ec", { namedCurve: "secp256k1" }),
    generateKeyPairSync("ec", { namedCurve: "P-384" }),
    generateKeyPairSync("x25519"),
    generateKeyPairSync("ed448"),
  ];
  for (const { privateKey } of others) refused(() => new CredentialKey(spkiOf(privateKey)), "public_key_invalid");
});

test("a key has one DER form: trailing bytes, missing bytes and other spellings are refused", () => {
  for (const privateKey of [seededKey(3), freshP256Key()]) {
    const spki = spkiOf(privateKey);
    refused(() => new CredentialKey(concatBytes(spki, Uint8Array.of(0))), "public_key_invalid");
    refused(() => new CredentialKey(spki.subarray(0, -1)), "public_key_invalid");
    for (let at = 0; at < spki.length - 64; at++) {
      const other = spki.slice();
      other[at] = (other[at] ?? 0) ^ 1;
      refused(() => new CredentialKey(other), "public_key_invalid", String(at));
    }
    // A long-form length, which BER readers accept.
    const ber = concatBytes(Uint8Array.of(0x30, 0x81, spki[1] ?? 0), spki.subarray(2));
    refused(() => new CredentialKey(ber), "public_key_invalid");
  }
  refused(() => new CredentialKey(new Uint8Array(0)), "public_key_invalid");
});

test("only the key's own signature over exactly these bytes verifies", () => {
  for (const privateKey of [seededKey(3), freshP256Key()]) {
    const digest = privateKey.asymmetricKeyType === "ed25519" ? null : "sha256";
    const key = new CredentialKey(spkiOf(privateKey));
    const data = utf8("data");
    const signature = new Uint8Array(sign(digest, data, privateKey));

    assert.ok(key.verify(data, signature));
    assert.ok(!key.verify(utf8("datb"), signature));
    assert.ok(!key.verify(data, concatBytes(signature, Uint8Array.of(0))));
    assert.ok(!key.verify(data, signature.subarray(0, -1)));
    assert.ok(!key.verify(data, new Uint8Array(0)));
    assert.ok(!key.verify(data, new Uint8Array(64)));
  }
});

test("a P-256 signature in any other DER spelling does not verify", () => {
  const privateKey = freshP256Key();
  const key = new CredentialKey(spkiOf(privateKey));
  const data = utf8("data");
  const signature = new Uint8Array(sign("sha256", data, privateKey));
  const body = signature.subarray(2);
  const rLength = signature[3] ?? 0;
  const paddedR = concatBytes(Uint8Array.of(2, rLength + 1, 0), body.subarray(2));
  const spellings = [
    concatBytes(Uint8Array.of(0x30, 0x81, body.length), body),
    concatBytes(Uint8Array.of(0x30, paddedR.length), paddedR),
    concatBytes(Uint8Array.of(0x30, 0x80), body, Uint8Array.of(0, 0)),
    concatBytes(Uint8Array.of(0x31, body.length), body),
    p256.Signature.fromBytes(signature, "der").toBytes("compact"),
  ];

  assert.ok(key.verify(data, signature));
  for (const spelling of spellings) assert.ok(!key.verify(data, spelling), hex(spelling));
});

test("any bytes are a key or refused, and any bytes are a signature or not", () => {
  const spki = spkiOf(seededKey(3));
  const near = fc
    .tuple(fc.nat({ max: spki.length - 1 }), fc.nat({ max: 255 }))
    .map(([at, byte]) => spki.with(at, byte));
  const keys = [new CredentialKey(spki), new CredentialKey(spkiOf(freshP256Key()))];
  fc.assert(
    fc.property(
      fc.oneof(near, fc.uint8Array({ maxLength: 100 })),
      fc.uint8Array({ maxLength: 80 }),
      (bytes, signature) => {
        try {
          new CredentialKey(bytes);
        } catch (error) {
          assert.ok(error instanceof CountersignError && error.code === "public_key_invalid");
        }
        for (const key of keys) assert.ok(!key.verify(bytes, signature));
      },
    ),
    { numRuns: 300 },
  );
});

test("fingerprint and default credential id are SHA-256 of the SPKI DER", () => {
  const spki = spkiOf(seededKey(3));
  const digest = createHash("sha256").update(spki).digest();

  assert.equal(new CredentialKey(spki).fingerprint, digest.toString("hex"));
  assert.equal(defaultCredId(spki), base64url(digest));
});

test("changing the bytes a key was made from does not change the key", () => {
  const bytes = spkiOf(seededKey(3)).slice();
  const key = new CredentialKey(bytes);
  const before = key.fingerprint;

  bytes.fill(0);

  assert.equal(key.fingerprint, before);
});
