import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { rpcError } from "./errors.ts";

/**
 * Most fields and list entries of one message, over all its levels: several times a group of 200 partial signatures with their
 * commitments. Two bytes on the wire become an object of a hundred bytes in memory, so a bound on bytes alone would let 4 MiB
 * hold the process for seconds.
 */
export const ELEMENTS_MAX = 20_000;
/** Deeper than any message of ours; bounds the recursion. */
const DEPTH_MAX = 32;

/** Counts what decoding would create, without creating it. Raises `rpc_too_large`; a `RangeError` or `Error` for bytes that are no message. */
export function requireFewElements(type: DescMessage, bytes: Uint8Array): void {
  const reader = new BinaryReader(bytes);
  const budget = { left: ELEMENTS_MAX };
  walk(type, reader, { end: bytes.length, depth: 0, budget });
}

interface Frame {
  readonly end: number;
  readonly depth: number;
  readonly budget: { left: number };
}

function walk(type: DescMessage, reader: BinaryReader, { end, depth, budget }: Frame): void {
  if (depth > DEPTH_MAX) throw new RangeError(`${type.typeName} is nested deeper than ${DEPTH_MAX}.`);
  const fields = fieldsOf(type);
  while (reader.pos < end) {
    const [number, wireType] = reader.tag();
    const field = fields.get(number);
    spend(budget, type, 1);
    if (wireType !== WireType.LengthDelimited || field === undefined) {
      reader.skip(wireType, number);
      continue;
    }
    const size = reader.uint32();
    const next = reader.pos + size;
    if (next > end) throw new RangeError(`A field of ${type.typeName} ends after its message.`);
    if (field.message !== undefined && field.fieldKind !== "map")
      walk(field.message, reader, { end: next, depth: depth + 1, budget });
    // A packed list has at least one byte for each entry, a map more.
    else if (isMany(field)) spend(budget, type, size);
    reader.pos = next;
  }
}

function spend(budget: { left: number }, type: DescMessage, elements: number): void {
  budget.left -= elements;
  if (budget.left < 0)
    throw rpcError("rpc_too_large", `${type.typeName} is part of a message with more than ${ELEMENTS_MAX} elements.`);
}

/** Whether the bytes of one field hold many entries. A list of texts or bytes has a field of its own for each. */
function isMany(field: DescField): boolean {
  return field.fieldKind === "map" || (field.fieldKind === "list" && field.packed);
}

const cache = new WeakMap<DescMessage, ReadonlyMap<number, DescField>>();

function fieldsOf(type: DescMessage): ReadonlyMap<number, DescField> {
  const known = cache.get(type) ?? new Map(type.fields.map((field) => [field.number, field]));
  cache.set(type, known);
  return known;
}
