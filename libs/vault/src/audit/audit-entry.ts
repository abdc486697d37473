import assert from "node:assert/strict";
import {
  decodeHex,
  decodeUtf8,
  equalBytes,
  hex,
  type JsonValue,
  lengthPrefixed,
  parseJson,
  sha256,
  utf8,
} from "@countersign/bytes";

/** Ids, hashes in hex and counts. Never key material, never a request body. */
export type AuditFields = Readonly<Record<string, string | number>>;

/** One link of a node's audit chain. */
export interface AuditEntry {
  /** From 0, without gaps. */
  readonly index: number;
  /** Milliseconds since 1970 on the node's clock. */
  readonly time: number;
  readonly kind: string;
  readonly fields: AuditFields;
  /** Hash of the entry before, 32 bytes; `auditGenesis` for the first. */
  readonly prevHash: Uint8Array;
}

/** Where a chain ends: heads are compared between nodes and at exports. */
export interface AuditHead {
  /** Index of the last entry. */
  readonly index: number;
  /** Its hash, 32 bytes. */
  readonly hash: Uint8Array;
}

const NAME = /^[a-z][A-Za-z0-9-]{0,31}$/;
/** Ids, hashes and a short reason each; an entry stays a fraction of a page. */
const FIELDS_MAX = 24;
const TEXT_LENGTH_MAX = 512;
/** Four bytes of UTF-8 per character and room for names. */
const ENTRY_BYTES_MAX = 64 * 1024;

/**
 * An entry's one encoding: JSON without spaces, members and fields in alphabetical order, hashes in lower-case hex. Asserts
 * the bounds: kind and field names are words of up to 32 characters, at most 24 fields, texts of up to 512 characters.
 */
export function encodeAuditEntry(entry: AuditEntry): Uint8Array {
  const { index, time, kind, fields, prevHash } = entry;
  assert(NAME.test(kind), "An audit entry's kind is one word.");
  const names = Object.keys(fields).sort();
  assert(names.length <= FIELDS_MAX, `An audit entry has at most ${FIELDS_MAX} fields.`);
  const sorted = names.map((name) => [name, checkedField(name, fields[name])]);
  const ordered = { fields: Object.fromEntries(sorted), index, kind, prevHash: hex(prevHash), time };
  return utf8(JSON.stringify(ordered));
}

/** Decodes what `encodeAuditEntry` wrote; undefined for any other bytes. */
export function decodeAuditEntry(bytes: Uint8Array): AuditEntry | undefined {
  if (bytes.length > ENTRY_BYTES_MAX) return undefined;
  try {
    const entry = readEntry(parseJson(decodeUtf8(bytes)));
    return entry !== undefined && equalBytes(encodeAuditEntry(entry), bytes) ? entry : undefined;
  } catch {
    // Whatever is wrong with the bytes, the verdict is the same: not an entry.
    return undefined;
  }
}

/** What the next entry names as `prevHash`. */
export function auditHash(encodedEntry: Uint8Array): Uint8Array {
  return sha256(lengthPrefixed("countersign/audit/v1", encodedEntry));
}

/** `prevHash` of a node's first entry: chains of two nodes share no entry. */
export function auditGenesis(deploymentId: string, nodeId: string): Uint8Array {
  return sha256(lengthPrefixed("countersign/audit-genesis/v1", deploymentId, nodeId));
}

function checkedField(name: string, value: string | number | undefined): string | number {
  assert(NAME.test(name), "An audit field's name is one word.");
  if (typeof value === "number") assert(Number.isSafeInteger(value), `Audit field ${name} is a whole number.`);
  else
    assert(
      value !== undefined && value.length <= TEXT_LENGTH_MAX && value.isWellFormed(),
      `Audit field ${name} is short text.`,
    );
  return value;
}

function readEntry(json: JsonValue): AuditEntry | undefined {
  if (!isObject(json)) return undefined;
  const { index, time, kind, fields, prevHash } = json;
  if (!isCount(index) || !isCount(time) || typeof kind !== "string" || typeof prevHash !== "string") return undefined;
  if (!isObject(fields)) return undefined;
  const read: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value !== "string" && typeof value !== "number") return undefined;
    read[name] = value;
  }
  return { index, time, kind, fields: read, prevHash: decodeHex(prevHash) };
}

function isObject(json: JsonValue | undefined): json is { [key: string]: JsonValue } {
  return json !== null && typeof json === "object" && !Array.isArray(json);
}

function isCount(json: JsonValue | undefined): json is number {
  return typeof json === "number" && Number.isSafeInteger(json) && json >= 0;
}
