import { createPublicKey, verify } from "node:crypto";
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js";
import { sha256 } from "@noble/hashes/sha2.js";

/** DER of an Ed25519 SubjectPublicKeyInfo before the key's 32 bytes (RFC 8410). */
const ED25519_SPKI = Buffer.from("302a300506032b6570032100", "hex");

/** Verifies Ed25519 with OpenSSL, which takes no part in making signatures here. */
export function verifiesEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const key = createPublicKey({ key: Buffer.concat([ED25519_SPKI, publicKey]), format: "der", type: "spki" });
  return verify(null, message, key, signature);
}

/** Verifies BIP-340 under the output key that `internalKey` (33 bytes SEC1) has with this Merkle root (none: empty bytes). */
export function verifiesTaproot(
  internalKey: Uint8Array,
  merkleRoot: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  return schnorr.verify(signature, message, outputKey(internalKey, merkleRoot).slice(1));
}

/** The output key of BIP-341, compressed SEC1, computed by noble's curve and hash from the standard's own words. */
export function outputKey(internalKey: Uint8Array, merkleRoot: Uint8Array): Uint8Array {
  const x = internalKey.slice(1);
  const tag = sha256(new TextEncoder().encode("TapTweak"));
  const tweak = BigInt(`0x${Buffer.from(sha256(Buffer.concat([tag, tag, x, merkleRoot]))).toString("hex")}`);
  const even = secp256k1.Point.fromBytes(Buffer.concat([Uint8Array.of(2), x]));
  return even.add(secp256k1.Point.BASE.multiply(tweak)).toBytes(true);
}
