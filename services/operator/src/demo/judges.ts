import { createPublicKey, verify } from "node:crypto";
import { decodeHex, hex, sha256, utf8 } from "@countersign/bytes";
import type { Key, SignatureValue } from "@countersign/sdk";
import { schnorr } from "@noble/curves/secp256k1.js";

/** How a text is signed under a scheme, and a verifier of that scheme that shares no code with the network. */
export interface Judge {
  readonly scheme: string;
  readonly curve: string;
  /** What people know the verifier as. */
  readonly name: string;
  /** The API's signature body for a text. */
  body(text: string): { readonly kind: string } & Readonly<Record<string, string>>;
  accepts(key: Key, text: string, signature: SignatureValue): boolean;
}

/** DER of an Ed25519 SubjectPublicKeyInfo before the key's 32 bytes (RFC 8410). */
const ED25519_SPKI = "302a300506032b6570032100";

/** One per scheme. OpenSSL takes no part in making Ed25519 signatures here, noble none in making Schnorr signatures. */
export const judges: readonly Judge[] = [
  {
    scheme: "EdDSA",
    curve: "ed25519",
    name: "OpenSSL (node:crypto)",
    body: (text) => ({ kind: "Message", message: `0x${hex(utf8(text))}` }),
    accepts: ({ publicKey }, text, signature) => {
      const key = createPublicKey({ key: Buffer.from(ED25519_SPKI + publicKey, "hex"), format: "der", type: "spki" });
      return verify(null, utf8(text), key, bytesOf(signature));
    },
  },
  {
    scheme: "Schnorr",
    curve: "secp256k1",
    name: "@noble/curves (BIP-340)",
    body: (text) => ({ kind: "Hash", hash: `0x${hex(sha256(utf8(text)))}` }),
    // BIP-340 keys are x coordinates: the published key without its parity byte.
    accepts: ({ publicKey }, text, signature) =>
      schnorr.verify(bytesOf(signature), sha256(utf8(text)), decodeHex(publicKey.slice(2))),
  },
];

function bytesOf({ r, s }: SignatureValue): Uint8Array {
  return decodeHex(r.slice(2) + s.slice(2));
}
