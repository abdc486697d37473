import { wireError } from "./errors.ts";

/** A message field that must be there. */
export function present<T>(value: T | undefined, field: string): T {
  if (value === undefined) throw wireError("message_malformed", `${field} is missing.`, { details: { field } });
  return value;
}

/** Bytes of one exact length. */
export function fixedBytes(bytes: Uint8Array, size: number, field: string): Uint8Array {
  if (bytes.length !== size)
    throw wireError("message_malformed", `${field} has ${bytes.length} bytes, not ${size}.`, { details: { field } });
  return bytes;
}

/** An unsigned 64-bit field as a number; refuses beyond 2^53-1. */
export function safeInteger(value: bigint, field: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER))
    throw wireError("message_malformed", `${field} is beyond 2^53-1.`, { details: { field } });
  return Number(value);
}

/** Party indexes, non-empty, strictly ascending, none zero. */
export function ascending(indexes: readonly number[], field: string): readonly number[] {
  const ordered = indexes.every((index, place) => index > (place === 0 ? 0 : (indexes[place - 1] ?? 0)));
  if (indexes.length === 0 || !ordered)
    throw wireError("message_malformed", `${field} are not strictly ascending party indexes.`, { details: { field } });
  return indexes;
}
