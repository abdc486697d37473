/** A pair of scheme and curve that this network generates keys for, and the ciphersuite that does it. */
export type KeyScheme =
  | { readonly scheme: "EdDSA"; readonly curve: "ed25519"; readonly suite: "FROST-ED25519-SHA512-v1" }
  | { readonly scheme: "Schnorr"; readonly curve: "secp256k1"; readonly suite: "FROST-secp256k1-SHA256-TR-v1" };

/** What a key may be used for; purposes never mix. */
export type KeyPurpose = "wallet";

/** What an approved request means. Computed from the signed bytes alone, so every signer computes the same. */
export type Intent = CreateKey | Sign;

/** `POST /keys`. */
export type CreateKey = KeyScheme & {
  readonly kind: "create-key";
  /** Derived id of the new key. */
  readonly keyId: string;
  readonly purpose: KeyPurpose;
  /** At most 100 characters; for people, no signer keeps it. */
  readonly name?: string;
};

/** `POST /keys/{keyId}/signatures`. */
export interface Sign {
  readonly kind: "sign";
  /** The key that signs, by the path. */
  readonly keyId: string;
  /** Derived id of the signature object. */
  readonly signatureId: string;
  readonly body: SignatureBody;
}

/** What to sign, by the reference's kinds. */
export type SignatureBody = HashBody | MessageBody;

/** A digest that the client computed. */
export interface HashBody {
  readonly kind: "Hash";
  /** 32 bytes. */
  readonly hash: Uint8Array;
  /** Schnorr keys only: empty, or 32 bytes. Absent means empty. */
  readonly taprootMerkleRoot?: Uint8Array;
  readonly externalId?: string;
  /** Names for the caller's own use: a digest is signed as it is whatever chain it is for. */
  readonly network?: string;
  readonly blockchainKind?: string;
}

/** A message as it is. */
export interface MessageBody {
  readonly kind: "Message";
  /** At most `MESSAGE_BYTES_MAX`. */
  readonly message: Uint8Array;
  readonly externalId?: string;
}

/** Every pair that can be created. */
export const KEY_SCHEMES: readonly KeyScheme[] = [
  { scheme: "EdDSA", curve: "ed25519", suite: "FROST-ED25519-SHA512-v1" },
  { scheme: "Schnorr", curve: "secp256k1", suite: "FROST-secp256k1-SHA256-TR-v1" },
];
