import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { base64url, hex, utf8 } from "@countersign/bytes";
import { type ActionFields, actionDigest } from "../action-digest.ts";
import { type Descriptor, parseDescriptor } from "../descriptor.ts";
import type { Evidence } from "../evidence.ts";
import { apply, type GenesisIds, genesisIds } from "../state.ts";

/** The time of the tests' clock, milliseconds since 1970. */
export const NOW = 1_767_225_600_000;

/** Descriptor JSON as a plain object that tests may bend. */
export type DescriptorJson = ReturnType<typeof descriptorJson>;

/** Three nodes, two needed, and an organisation of the given credential. */
export function descriptorJson(spki: Uint8Array) {
  const regions = ["eu-west", "us-east", "ap-south"];
  return {
    version: 1,
    deploymentId: "dep-test",
    threshold: 2,
    nodes: regions.map((region, place) => ({
      index: place + 1,
      id: `node-${place + 1}`,
      region,
      identityKey: hex(rawPublicKey(seededKey(place + 11))),
      natsKey: natsUserText(rawPublicKey(seededKey(place + 51))),
    })),
    operators: regions.map((_, place) => ({
      nodeId: `node-${place + 1}`,
      publicKey: hex(rawPublicKey(seededKey(place + 101))),
    })),
    organisation: { name: "Example", credentialKey: base64url(spki) },
  };
}

/** The bytes of a descriptor file. */
export function fileOf(json: unknown): Uint8Array {
  return utf8(JSON.stringify(json));
}

/** A private key whose seed is one byte repeated. */
export function seededKey(byte: number): KeyObject {
  const seed = Buffer.alloc(32, byte);
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
}

/** A fresh P-256 private key. */
export function freshP256Key(): KeyObject {
  return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
}

/** SPKI DER of a private key's public half. */
export function spkiOf(privateKey: KeyObject): Uint8Array {
  return new Uint8Array(createPublicKey(privateKey).export({ format: "der", type: "spki" }));
}

/** The 32 bytes of an Ed25519 key's public half. */
export function rawPublicKey(privateKey: KeyObject): Uint8Array {
  return spkiOf(privateKey).subarray(-32);
}

/** Public nkey of a NATS user: base32 of type byte, key and CRC-16/XMODEM, here over a string of bits. */
export function natsUserText(publicKey: Uint8Array): string {
  const bytes = [20 << 3, ...publicKey];
  let crc = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      const carry = ((crc >> 15) ^ (byte >> bit)) & 1;
      crc = ((crc << 1) & 0xffff) ^ (carry === 1 ? 0x1021 : 0);
    }
  }
  const bits = [...bytes, crc & 0xff, crc >> 8].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return (bits.match(/.{5}/g) ?? [])
    .map((five) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[Number.parseInt(five, 2)])
    .join("");
}

/** What a test network consists of: its descriptor, state and ids, and a way to approve. */
export function fixture(privateKey: KeyObject = seededKey(1)) {
  const descriptor = parseDescriptor(fileOf(descriptorJson(spkiOf(privateKey))));
  const ids = genesisIds(descriptor);
  return {
    descriptor,
    ids,
    state: apply(descriptor),
    approve: (changes: Partial<Approved> = {}) => approve(descriptor, ids, privateKey, changes),
  };
}

/** What `approve` signs, every part of which a test may replace. */
export interface Approved extends ActionFields {
  /** Members of clientData beside or instead of type and challenge. */
  readonly clientData: Readonly<Record<string, unknown>>;
  /** The signed bytes, instead of printed members. */
  readonly clientDataBytes: Uint8Array;
  readonly kind: string;
  readonly credId: string;
}

/** The request that fixtures approve unless told otherwise. */
export const PAYLOAD = `{"kind":"Hash","hash":"0x${"11".repeat(32)}"}`;
export const PATH = "/keys/key-aaaaa-bbbbb-cccccccccccccccc/signatures";

function approve(descriptor: Descriptor, ids: GenesisIds, privateKey: KeyObject, changes: Partial<Approved>): Evidence {
  const { clientData, clientDataBytes, kind = "Key", credId = ids.credId, ...fields } = changes;
  const approved = {
    deploymentId: descriptor.deploymentId,
    orgId: ids.orgId,
    principalId: ids.principalId,
    appId: ids.appId,
    method: "POST",
    path: PATH,
    payload: PAYLOAD,
    nonce: new Uint8Array(32).fill(5),
    expiresAtMs: NOW + 60_000,
    ...fields,
  };
  const challenge = base64url(actionDigest(approved));
  const bytes = clientDataBytes ?? utf8(JSON.stringify({ type: "key.get", challenge, ...clientData }));
  const digest = privateKey.asymmetricKeyType === "ed25519" ? null : "sha256";
  const { deploymentId: _, ...rest } = approved;
  return {
    ...rest,
    assertion: { kind, credId, clientData: bytes, signature: new Uint8Array(sign(digest, bytes, privateKey)) },
  };
}
