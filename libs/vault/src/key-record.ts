import assert from "node:assert/strict";
import { lengthPrefixed, type Secret, sha256 } from "@countersign/bytes";
import { vaultError } from "./errors.ts";
import { decodeRow, encodeRow, type RowFields } from "./record/row.ts";
import type { RecordPlace } from "./record/sealer.ts";

/** What a key may be used for; purposes never mix. */
export type KeyPurpose = "wallet" | "canary" | "import";

/** A key as its generation session produced it, for `stageKey`. */
export interface KeyRecord {
  /** Derived key id: 1..64 characters of `a-z`, `0-9` and `-`. */
  readonly keyId: string;
  /** C of the key's creation, 32 bytes: one C makes one key. */
  readonly c: Uint8Array;
  /** Organisation or principal that owns the key, up to 128 characters. */
  readonly owner: string;
  readonly purpose: KeyPurpose;
  /** Ciphersuite's name, up to 128 characters. */
  readonly suite: string;
  /** Refresh generation, from 0. */
  readonly epoch: number;
  /** Generation session, 32 bytes. */
  readonly sessionId: Uint8Array;
  /** Everything public about the key in the caller's encoding, up to 65,536 bytes; stored as it is. */
  readonly publicPart: Uint8Array;
  /** The node's share in the caller's encoding, up to 65,536 bytes. Sealed at once; stays the caller's to wipe. */
  readonly secret: Secret;
}

/** Staged: this node acknowledged its share. Active: it holds the acknowledgements of all nodes. */
export type KeyState =
  | { readonly kind: "staged" }
  /** `certificate` in the caller's encoding. */
  | { readonly kind: "active"; readonly certificate: Uint8Array };

/** Everything about a key that is no secret. */
export interface KeyFacts extends Omit<KeyRecord, "secret"> {
  /** This node's own acknowledgement, in the caller's encoding. */
  readonly acknowledgement: Uint8Array;
  readonly state: KeyState;
}

/** Store keys of key facts; the key id follows. */
export const KEY_PREFIX = "key/";
const KEY_ID = /^[a-z0-9-]{1,64}$/;
const TEXT_LENGTH_MAX = 128;
/** Public parts, certificates and shares are a few hundred bytes; links of other protocols stay out of key records. */
const PART_BYTES_MAX = 65_536;

/** Where a key's facts stand. */
export function factsPlace(keyId: string): RecordPlace {
  assert(KEY_ID.test(keyId), "A key id is 1..64 lower-case letters, digits and hyphens.");
  return { kind: "key", row: KEY_PREFIX + keyId, keyId };
}

/**
 * Where a key's share stands: bound to all facts of its birth, the public part included, so that a share never opens beside
 * the facts of another session.
 */
export function sharePlace(key: Omit<KeyRecord, "secret">): RecordPlace {
  const { keyId, c, owner, purpose, epoch, suite, sessionId, publicPart } = key;
  const birth = sha256(lengthPrefixed("countersign/vault/birth/v1", suite, sessionId, publicPart));
  return { kind: "share", row: `share/${keyId}`, keyId, c, owner, purpose, epoch, birth };
}

/** Asserts the bounds of a record's fields; what breaks them is a bug of the caller. */
export function checkKey(key: Omit<KeyRecord, "secret">): void {
  assert(KEY_ID.test(key.keyId), "A key id is 1..64 lower-case letters, digits and hyphens.");
  assert(key.c.length === 32 && key.sessionId.length === 32, "C and session id have 32 bytes.");
  assert(key.owner.length <= TEXT_LENGTH_MAX && key.suite.length <= TEXT_LENGTH_MAX, "Owner and suite are short text.");
  assert(Number.isInteger(key.epoch) && key.epoch >= 0 && key.epoch < 2 ** 32, "An epoch is 0..2^32-1.");
  checkPart(key.publicPart);
}

/** Asserts the bound of an opaque part. */
export function checkPart(part: Uint8Array): void {
  assert(part.length <= PART_BYTES_MAX, `A part of a key record has at most ${PART_BYTES_MAX} bytes.`);
}

/** Encodes facts for their row. */
export function encodeFacts(facts: KeyFacts): Uint8Array {
  const { state, keyId, c, owner, purpose, suite, epoch, sessionId, publicPart, acknowledgement } = facts;
  const fields: RowFields = { keyId, c, owner, purpose, suite, epoch, sessionId, publicPart, acknowledgement };
  return encodeRow({
    ...fields,
    state: state.kind,
    ...(state.kind === "active" ? { certificate: state.certificate } : {}),
  });
}

/** Decodes facts that their seal authenticated. Raises `record_rejected`. */
export function decodeFacts(bytes: Uint8Array): KeyFacts {
  const row = decodeRow(bytes);
  return {
    keyId: row.text("keyId"),
    c: row.bytes("c"),
    owner: row.text("owner"),
    purpose: purposeOf(row.text("purpose")),
    suite: row.text("suite"),
    epoch: row.integer("epoch"),
    sessionId: row.bytes("sessionId"),
    publicPart: row.bytes("publicPart"),
    acknowledgement: row.bytes("acknowledgement"),
    state:
      row.text("state") === "active" ? { kind: "active", certificate: row.bytes("certificate") } : { kind: "staged" },
  };
}

const PURPOSES: readonly KeyPurpose[] = ["wallet", "canary", "import"];

function purposeOf(text: string): KeyPurpose {
  const purpose = PURPOSES.find((name) => name === text);
  if (purpose === undefined) throw vaultError("record_rejected", "A key record's purpose is unknown.");
  return purpose;
}
