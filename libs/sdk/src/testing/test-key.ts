import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { base64url, hex, u16be, u32be, utf8 } from "@countersign/bytes";
import type { KeyScheme } from "@countersign/intent";
import { acknowledgementStatement, prepareCurves, publicKeyPackage, publishedKey, T } from "@countersign/threshold";
import { ed25519 } from "@noble/curves/ed25519.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";

/** Public nkeys of three NATS users. */
const NATS_KEYS = [
  "UDYV4UECLKK7GO62ZIRGSANSN4K2DR6HBO3IRB6GTB5BKG2OUJGI4YWL",
  "UCIGOON3D7LSNXJWOLNYENPQLOORW4EZYENEL7YNTJCD2QKQYHYMZJLU",
  "UBORWWTRWAS3FGGOWO4JIFCZEF2U62ZPY4TWNZHYQXPGPUTBEPL7B5OV",
];

export const ED25519: KeyScheme = { scheme: "EdDSA", curve: "ed25519", suite: "FROST-ED25519-SHA512-v1" };
export const TAPROOT: KeyScheme = { scheme: "Schnorr", curve: "secp256k1", suite: "FROST-secp256k1-SHA256-TR-v1" };

await prepareCurves((size) => new Uint8Array(randomBytes(size)));

/** What a test makes of a key that its nodes acknowledge; defaults are those of an honest generation. */
export interface Acknowledged {
  readonly deploymentId?: string;
  readonly threshold?: number;
  /** The id that is acknowledged, where the answer names another. */
  readonly acknowledgedId?: string;
}

/** Three nodes that pin each other, two of which sign: their descriptor file, and the keys they acknowledge. */
export class TestNodes {
  readonly #identities: readonly KeyObject[] = NATS_KEYS.map(() => generateKeyPairSync("ed25519").privateKey);
  readonly descriptorFile: Uint8Array = utf8(
    JSON.stringify({
      version: 1,
      deploymentId: "dep-test",
      threshold: 2,
      nodes: this.#identities.map((key, place) => ({
        index: place + 1,
        id: `node-${place + 1}`,
        region: `region-${place + 1}`,
        identityKey: hex(rawKey(key)),
        natsKey: NATS_KEYS[place],
      })),
      operators: NATS_KEYS.map((_, place) => ({ nodeId: `node-${place + 1}`, publicKey: hex(freshKey()) })),
      organisation: { name: "Test", credentialKey: base64url(spki(generateKeyPairSync("ed25519").privateKey)) },
    }),
  );

  /** The API's honest answer about a new key, whose statement is the nodes' own code. */
  key(keyId: string, kind: KeyScheme = ED25519, options: Acknowledged = {}) {
    const { deploymentId = "dep-test", threshold = 2, acknowledgedId = keyId } = options;
    const facts = { suite: kind.suite, keyId: acknowledgedId, epoch: 0, threshold, partyCount: NATS_KEYS.length };
    const [chainCodeHash, tau] = [new Uint8Array(randomBytes(32)), new Uint8Array(randomBytes(32))];
    const commitments = Array.from({ length: threshold }, () => randomPoint(kind));
    const made = publicKeyPackage({ ...facts, commitments, chainCodeHash, tau });
    const statement = acknowledgementStatement(deploymentId, made);
    const [internal = new Uint8Array(0)] = made.commitments;
    return {
      id: keyId,
      scheme: kind.scheme,
      curve: kind.curve,
      publicKey: hex(publishedKey(made)),
      status: "Active",
      custodial: true,
      dateCreated: "2026-01-01T00:00:00.000Z",
      countersign: {
        certificate: {
          suite: kind.suite,
          epoch: 0,
          threshold,
          publicKey: hex(internal),
          tau: hex(tau),
          chainCodeHash: hex(chainCodeHash),
          verificationShares: made.verificationShares.map(hex),
          acknowledgements: this.#identities.map((key, place) => ({
            nodeId: `node-${place + 1}`,
            index: place + 1,
            signature: sign(null, statement, key).toString("hex"),
          })),
        },
        ...(kind.scheme === "Schnorr" ? { internalPublicKey: hex(internal) } : {}),
      },
    };
  }

  /** Signs as these nodes do over a certificate that a test bent: what nodes that all cheat could make. */
  acknowledge(keyId: string, answer: TestKey): void {
    const { certificate } = answer.countersign;
    const bytes = (text: string) => new Uint8Array(Buffer.from(text, "hex"));
    const facts = [bytes(certificate.tau), "dep-test", keyId, certificate.suite, u32be(certificate.epoch)];
    const points = [certificate.publicKey, ...certificate.verificationShares].map(bytes);
    const parts = [...facts, u16be(certificate.threshold), ...points, bytes(certificate.chainCodeHash)];
    const statement = T("dkg-out", ...parts);
    for (const [place, key] of this.#identities.entries()) {
      const one = certificate.acknowledgements[place];
      if (one !== undefined) one.signature = sign(null, statement, key).toString("hex");
    }
  }
}

export type TestKey = ReturnType<TestNodes["key"]>;

function randomPoint({ curve }: KeyScheme): Uint8Array {
  return curve === "ed25519"
    ? ed25519.getPublicKey(ed25519.utils.randomSecretKey())
    : secp256k1.getPublicKey(secp256k1.utils.randomSecretKey());
}

function freshKey(): Uint8Array {
  return rawKey(generateKeyPairSync("ed25519").privateKey);
}

function rawKey(key: KeyObject): Uint8Array {
  return spki(key).subarray(-32);
}

function spki(key: KeyObject): Uint8Array {
  return new Uint8Array(createPublicKey(key).export({ format: "der", type: "spki" }));
}
