import { base64url, decodeBase64url, decodeUtf8, type JsonValue, parseJson, utf8 } from "@countersign/bytes";
import { vaultError } from "../errors.ts";

/** What a sealed row holds: named texts, whole numbers, byte strings and lists of whole numbers. */
export type RowFields = Readonly<Record<string, string | number | Uint8Array | readonly number[]>>;

/** Reads a row's fields by name and type; a field that is not what it should be raises `record_rejected`. */
export interface RowReader {
  text(name: string): string;
  integer(name: string): number;
  bytes(name: string): Uint8Array;
  integers(name: string): readonly number[];
}

/** Encodes a row as JSON, bytes as base64url. */
export function encodeRow(fields: RowFields): Uint8Array {
  const encoded = Object.entries(fields).map(([name, value]) => [
    name,
    value instanceof Uint8Array ? base64url(value) : value,
  ]);
  return utf8(JSON.stringify(Object.fromEntries(encoded)));
}

/** Decodes a row that its seal authenticated; a mismatch therefore means that another version of this software wrote it. */
export function decodeRow(bytes: Uint8Array): RowReader {
  const row: JsonValue = parseJson(decodeUtf8(bytes), "row");
  const field = (name: string): JsonValue | undefined =>
    row !== null && typeof row === "object" && !Array.isArray(row) ? row[name] : undefined;
  const expect = <T>(value: T | undefined, name: string, what: string): T => {
    if (value === undefined) throw vaultError("record_rejected", `A row's field ${name} is not ${what}.`);
    return value;
  };
  return {
    text: (name) => expect(asText(field(name)), name, "text"),
    integer: (name) => expect(asInteger(field(name)), name, "a whole number"),
    bytes: (name) => decodeBase64url(expect(asText(field(name)), name, "bytes"), name),
    integers: (name) => {
      const list = field(name);
      const integers = Array.isArray(list) ? list.map(asInteger).filter((item) => item !== undefined) : undefined;
      return expect(integers, name, "a list of whole numbers");
    },
  };
}

function asText(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function asInteger(value: JsonValue | undefined): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) ? value : undefined;
}
