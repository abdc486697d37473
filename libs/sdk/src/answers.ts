import { JsonMembers, type JsonValue } from "@countersign/bytes";
import { answerInvalid } from "./call.ts";

/** A key, as the API answers it. */
export interface Key {
  readonly id: string;
  readonly scheme: string;
  readonly curve: string;
  /** Lower-case hex without prefix. Ed25519: 32 bytes; Schnorr: 33-byte SEC1 of the BIP-341 output key. */
  readonly publicKey: string;
  readonly status: string;
  /** ISO 8601. */
  readonly dateCreated: string;
  readonly name?: string;
  /** The whole answer, with what this client does not read. */
  readonly answer: JsonValue;
}

/** A signature object, as the API answers it. */
export interface Signature {
  readonly id: string;
  readonly keyId: string;
  readonly status: string;
  /** Present once signed. */
  readonly signature?: SignatureValue;
  readonly externalId?: string;
  /** The whole answer, with what this client does not read. */
  readonly answer: JsonValue;
}

/** `0x` and 64 hex digits each. */
export interface SignatureValue {
  /** Ed25519: encoded R. Schnorr: x(R). */
  readonly r: string;
  /** Ed25519: z, little-endian. Schnorr: s, big-endian. */
  readonly s: string;
  /** EdDSA: r and s joined. */
  readonly encoded?: string;
}

/** Part of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Absent on the last page. */
  readonly nextPageToken?: string;
}

const TEXT = { lengthMax: 4_096 };
const SCALAR = { lengthMax: 66, pattern: /^0x[0-9a-f]{64}$/ };
/** The API's own bound is far lower. */
const PAGE_ITEMS_MAX = 10_000;

/** Reads a key; members it does not know are kept in `answer`. Raises `api_answer_invalid`, like the readers below. */
export function readKey(answer: JsonValue): Key {
  const members = new JsonMembers(answer, "key", answerInvalid);
  const name = members.optionalText("name", TEXT);
  return {
    id: members.text("id", TEXT),
    scheme: members.text("scheme", TEXT),
    curve: members.text("curve", TEXT),
    publicKey: members.text("publicKey", { ...TEXT, pattern: /^[0-9a-f]+$/ }),
    status: members.text("status", TEXT),
    dateCreated: members.text("dateCreated", TEXT),
    ...(name === undefined ? {} : { name }),
    answer,
  };
}

/** Reads a signature object. */
export function readSignature(answer: JsonValue): Signature {
  const members = new JsonMembers(answer, "signature", answerInvalid);
  const externalId = members.optionalText("externalId", TEXT);
  return {
    id: members.text("id", TEXT),
    keyId: members.text("keyId", TEXT),
    status: members.text("status", TEXT),
    ...(members.has("signature") ? { signature: readValue(members.object("signature")) } : {}),
    ...(externalId === undefined ? {} : { externalId }),
    answer,
  };
}

/** Reads a page of whatever `read` reads. */
export function readPage<T>(answer: JsonValue, read: (item: JsonValue) => T): Page<T> {
  const members = new JsonMembers(answer, "page", answerInvalid);
  const items = members.list("items", 0, PAGE_ITEMS_MAX).map(read);
  const nextPageToken = members.optionalText("nextPageToken", TEXT);
  return { items, ...(nextPageToken === undefined ? {} : { nextPageToken }) };
}

function readValue(members: JsonMembers): SignatureValue {
  const encoded = members.optionalText("encoded", { lengthMax: 4_096, pattern: /^0x[0-9a-f]*$/ });
  return {
    r: members.text("r", SCALAR),
    s: members.text("s", SCALAR),
    ...(encoded === undefined ? {} : { encoded }),
  };
}
