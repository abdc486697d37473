import { lengthPrefixed, sha256, u64be } from "@countersign/bytes";
import { authorityError } from "./errors.ts";

/**
 * Proof of what a credential approved: every field that C commits to, and the assertion over C. Nothing in it is believed
 * before `authorize` judged it.
 */
export interface Evidence {
  /** Organisation whose state judges the request. */
  readonly orgId: string;
  /** User, service account or token that acts. */
  readonly principalId: string;
  /** Application the request was made through. */
  readonly appId: string;
  /** Upper case. */
  readonly method: string;
  /** As signed, percent-encoding untouched. */
  readonly path: string;
  /** Request body exactly as signed; at most `PAYLOAD_BYTES_MAX` bytes of UTF-8. */
  readonly payload: string;
  /** The challenge's 32 random bytes. */
  readonly nonce: Uint8Array;
  /** End of validity, milliseconds since 1970. */
  readonly expiresAtMs: number;
  readonly assertion: Assertion;
}

/** A credential's signature over C. */
export interface Assertion {
  /** Credential kind as the caller names it; the record decides. */
  readonly kind: string;
  /** Credential id as the client knows it. */
  readonly credId: string;
  /** clientData JSON, the bytes as received: they are what is hashed and signed. At most `CLIENT_DATA_BYTES_MAX`. */
  readonly clientData: Uint8Array;
  /** 64 bytes for Ed25519, ASN.1 DER for P-256. At most `SIGNATURE_BYTES_MAX`. */
  readonly signature: Uint8Array;
}

/** The reference sends whole transactions as payload; none is longer. */
export const PAYLOAD_BYTES_MAX = 262_144;
/** Longer than any path of the API with its query. */
export const PATH_LENGTH_MAX = 2_048;
/** Ids have at most 64 characters (reference, section 1.7). */
export const ID_LENGTH_MAX = 64;
/** A WebAuthn credential id has at most 1,023 bytes. */
export const CRED_ID_LENGTH_MAX = 1_364;
/** Browsers send a few hundred bytes. */
export const CLIENT_DATA_BYTES_MAX = 4_096;
/** An RSA-4096 signature, the longest of any credential kind of the reference. */
export const SIGNATURE_BYTES_MAX = 512;

/** Identifies one evidence in session digests and audit entries: SHA-256 over all of its fields, 32 bytes. */
export function evidenceHash(evidence: Evidence): Uint8Array {
  const { orgId, principalId, appId, method, path, payload, nonce, expiresAtMs, assertion } = evidence;
  const { kind, credId, clientData, signature } = assertion;
  return sha256(
    lengthPrefixed(
      "countersign/evidence/v1",
      orgId,
      principalId,
      appId,
      method,
      path,
      payload,
      nonce,
      u64be(expiresAtMs),
      kind,
      credId,
      clientData,
      signature,
    ),
  );
}

const ID = /^[a-z0-9][a-z0-9-]*$/;
const METHOD = /^[A-Z]{1,10}$/;
const PATH = /^\/[\x21-\x7e]*$/;
const CRED_ID = /^[A-Za-z0-9_-]+$/;
const KIND = /^[A-Za-z0-9]{1,32}$/;
const NONCE_BYTES = 32;

/** Refuses evidence whose fields have not their form and size, with `evidence_malformed`; contents are judged elsewhere. */
export function requireEvidenceShape(evidence: Evidence): void {
  const { orgId, principalId, appId, method, path, payload, nonce, expiresAtMs, assertion } = evidence;
  requireText("orgId", orgId, ID, ID_LENGTH_MAX);
  requireText("principalId", principalId, ID, ID_LENGTH_MAX);
  requireText("appId", appId, ID, ID_LENGTH_MAX);
  requireText("method", method, METHOD, 10);
  requireText("path", path, PATH, PATH_LENGTH_MAX);
  requireForm("payload", Buffer.byteLength(payload) <= PAYLOAD_BYTES_MAX);
  requireForm("nonce", nonce.length === NONCE_BYTES);
  requireForm("expiresAtMs", Number.isSafeInteger(expiresAtMs) && expiresAtMs >= 0);
  requireText("assertion.kind", assertion.kind, KIND, 32);
  requireText("assertion.credId", assertion.credId, CRED_ID, CRED_ID_LENGTH_MAX);
  requireForm("assertion.clientData", assertion.clientData.length <= CLIENT_DATA_BYTES_MAX);
  requireForm("assertion.signature", assertion.signature.length <= SIGNATURE_BYTES_MAX);
}

function requireText(field: string, text: string, pattern: RegExp, lengthMax: number): void {
  requireForm(field, text.length <= lengthMax && pattern.test(text));
}

function requireForm(field: string, good: boolean): void {
  if (!good) throw authorityError("evidence_malformed", `evidence.${field} is missing, too long or not of its form.`);
}
