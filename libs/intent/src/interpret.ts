import { intentError } from "./errors.ts";
import { KEY_SCHEMES, type KeyPurpose, type KeyScheme, type Sign, type SignatureBody } from "./intent.ts";

/** One message to sign. */
export interface SignItem {
  /** EdDSA: the message. Schnorr: the 32-byte BIP-340 message. */
  readonly message: Uint8Array;
  /** Schnorr only: BIP-341 script tree root that tweaks the key; empty, or 32 bytes. */
  readonly taprootMerkleRoot?: Uint8Array;
}

/** The immutable facts of a key's own record that interpretation may depend on. */
export interface SigningKey {
  readonly keyId: string;
  /** Ciphersuite of the record. */
  readonly suite: string;
  /** Purpose of the record. */
  readonly purpose: string;
}

/** The only purpose whose keys sign what users approve. */
const SIGNING_PURPOSE: KeyPurpose = "wallet";

/**
 * The one ordered list of messages that an approval signs: a function of the intent and of immutable facts of the key, so
 * every attempt and every signer gets the same list. Raises `key_unfit`, `key_purpose_unfit`.
 */
export function interpret(intent: Sign, key: SigningKey): readonly SignItem[] {
  if (key.keyId !== intent.keyId)
    throw intentError("key_unfit", `The approval names key ${intent.keyId}, not ${key.keyId}.`);
  if (key.purpose !== SIGNING_PURPOSE)
    throw intentError(
      "key_purpose_unfit",
      `Key ${key.keyId} has purpose ${key.purpose}, which signs no user's request.`,
    );
  const { scheme } = keyScheme(key.suite);
  return [scheme === "EdDSA" ? edDsaItem(intent.body) : schnorrItem(intent.body)];
}

/** Scheme and curve of a ciphersuite; raises `key_unfit` for one that no user's key has. */
export function keyScheme(suite: string): KeyScheme {
  const found = KEY_SCHEMES.find((one) => one.suite === suite);
  if (found === undefined) throw intentError("key_unfit", `No key of a user has the ciphersuite ${suite}.`);
  return found;
}

function edDsaItem(body: SignatureBody): SignItem {
  if (body.kind === "Message") return { message: body.message };
  if (body.taprootMerkleRoot !== undefined)
    throw intentError("key_unfit", "taprootMerkleRoot has no meaning for an EdDSA key.");
  // Pure Ed25519: the 32 bytes are the message, not a prehash.
  return { message: body.hash };
}

function schnorrItem(body: SignatureBody): SignItem {
  if (body.kind === "Message")
    throw intentError("key_unfit", "A Schnorr key signs 32-byte digests only: use kind Hash instead of Message.");
  return { message: body.hash, taprootMerkleRoot: body.taprootMerkleRoot ?? new Uint8Array(0) };
}
