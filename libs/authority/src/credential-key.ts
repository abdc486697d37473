import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { base64url, equalBytes, hex, sha256 } from "@countersign/bytes";
import { p256 } from "@noble/curves/nist.js";
import { isPrimeOrderPoint } from "./ed25519-point.ts";
import { authorityError } from "./errors.ts";

/** Signature algorithms of credentials. A record's algorithm is read off its key, never off a request. */
export type CredentialAlgorithm = "Ed25519" | "P-256";

/** RFC 8410: AlgorithmIdentifier 1.3.101.112, BIT STRING of 32 bytes. */
const ED25519_SPKI_PREFIX = Uint8Array.from(Buffer.from("302a300506032b6570032100", "hex"));
/** RFC 5480: id-ecPublicKey with prime256v1, BIT STRING of an uncompressed point. */
const P256_SPKI_PREFIX = Uint8Array.from(Buffer.from("3059301306072a8648ce3d020106082a8648ce3d030107034200", "hex"));
const ED25519_KEY_BYTES = 32;
const P256_POINT_BYTES = 65;

/** A validated public key of a credential, parsed once: parsing costs as much as a good part of a verification. */
export class CredentialKey {
  readonly #key: KeyObject;
  readonly algorithm: CredentialAlgorithm;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;

  /**
   * Takes SubjectPublicKeyInfo in the one DER form of each algorithm. Raises `public_key_invalid` for anything else: other
   * algorithms, compressed or off-curve P-256 points, Ed25519 points that are not canonical, of small or of mixed order.
   */
  constructor(spki: Uint8Array) {
    this.algorithm = validate(spki);
    this.spki = spki.slice();
    this.#key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
  }

  /** Hex SHA-256 of the SPKI DER: what people compare when they confirm a credential. */
  get fingerprint(): string {
    return hex(sha256(this.spki));
  }

  /** The 32 bytes of an Ed25519 key; nothing for other algorithms. */
  get ed25519(): Uint8Array | undefined {
    return this.algorithm === "Ed25519" ? this.spki.slice(ED25519_SPKI_PREFIX.length) : undefined;
  }

  /** Whether the signature is over exactly these bytes: Ed25519 raw, or ECDSA over SHA-256 in DER. */
  verify(data: Uint8Array, signature: Uint8Array): boolean {
    switch (this.algorithm) {
      case "Ed25519":
        return signature.length === 64 && verify(null, data, this.#key, signature);
      case "P-256":
        return verify("sha256", data, { key: this.#key, dsaEncoding: "der" }, signature);
    }
  }
}

/** Credential id of a key that chose none: base64url SHA-256 of its SPKI DER. */
export function defaultCredId(spki: Uint8Array): string {
  return base64url(sha256(spki));
}

function validate(spki: Uint8Array): CredentialAlgorithm {
  const ed25519Key = after(ED25519_SPKI_PREFIX, spki, ED25519_KEY_BYTES);
  if (ed25519Key !== undefined) {
    if (!isPrimeOrderPoint(ed25519Key))
      throw authorityError("public_key_invalid", "The Ed25519 key is not a canonical point of prime order.");
    return "Ed25519";
  }
  const p256Point = after(P256_SPKI_PREFIX, spki, P256_POINT_BYTES);
  if (p256Point !== undefined) {
    if (!isP256Point(p256Point))
      throw authorityError("public_key_invalid", "The P-256 key is not an uncompressed point on the curve.");
    return "P-256";
  }
  throw authorityError(
    "public_key_invalid",
    "The public key is not the DER SubjectPublicKeyInfo of an Ed25519 or an uncompressed P-256 key.",
  );
}

function after(prefix: Uint8Array, spki: Uint8Array, size: number): Uint8Array | undefined {
  if (spki.length !== prefix.length + size || !equalBytes(spki.subarray(0, prefix.length), prefix)) return undefined;
  return spki.subarray(prefix.length);
}

function isP256Point(bytes: Uint8Array): boolean {
  if (bytes[0] !== 0x04) return false;
  try {
    // Checks the curve equation; the cofactor is 1, so every point but infinity, which has no such encoding, is good.
    p256.Point.fromBytes(bytes);
    return true;
  } catch {
    // The only thing that throws here is a bad point, which is this function's answer.
    return false;
  }
}
