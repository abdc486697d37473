import { createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { CredentialKey, defaultCredId } from "@countersign/authority";
import { utf8 } from "@countersign/bytes";
import { sdkError } from "./errors.ts";

/** What approves: a raw key here, a passkey elsewhere. Called only once the challenge proved to be the request's own digest. */
export interface ActionSigner {
  /** Credential id, as registered. */
  readonly credId: string;
  /** Signs a challenge (base64url text). */
  sign(challenge: string): Promise<KeyAssertion>;
}

/** A `key.get` assertion. */
export interface KeyAssertion {
  /** The signed bytes. */
  readonly clientData: Uint8Array;
  /** Ed25519: 64 bytes. P-256: ASN.1 DER. */
  readonly signature: Uint8Array;
}

/** Signs with an Ed25519 or P-256 private key held in this process. Prints no key material. */
export class KeySigner implements ActionSigner {
  readonly #key: KeyObject;
  readonly credId: string;
  /** Public half, SPKI DER. */
  readonly publicKey: Uint8Array;

  /**
   * Takes a private key as PEM (PKCS#8 or SEC1). `credId` defaults to base64url SHA-256 of the public key's SPKI DER, which is
   * the id of a deployment's first credential. Raises `signer_key_invalid`.
   */
  constructor(options: { privateKey: string; credId?: string | undefined }) {
    this.#key = parsePrivateKey(options.privateKey);
    this.publicKey = new Uint8Array(createPublicKey(this.#key).export({ format: "der", type: "spki" }));
    this.credId = options.credId ?? defaultCredId(this.publicKey);
    requireSupported(this.publicKey);
  }

  /** Exactly the bytes of the reference (section 4.3): two members, in this order, no space. */
  async sign(challenge: string): Promise<KeyAssertion> {
    const clientData = utf8(JSON.stringify({ type: "key.get", challenge }));
    const digest = this.#key.asymmetricKeyType === "ed25519" ? null : "sha256";
    return { clientData, signature: new Uint8Array(sign(digest, clientData, this.#key)) };
  }
}

function parsePrivateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // The cause is dropped on purpose: a parser's complaint may quote what it read.
    throw sdkError("signer_key_invalid", "The private key is not readable PEM.");
  }
}

function requireSupported(spki: Uint8Array): void {
  try {
    new CredentialKey(spki);
  } catch (cause) {
    throw sdkError("signer_key_invalid", "The private key is neither Ed25519 nor P-256.", { cause });
  }
}
