import { hash, timingSafeEqual } from "node:crypto";

/** Joins byte strings. Not for anything hashed or signed: those take `lengthPrefixed`. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const part of parts) size += part.length;
  const joined = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** Compares in time that depends on the lengths alone. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** SHA-256 of one byte string, 32 bytes. */
export function sha256(data: Uint8Array): Uint8Array {
  return new Uint8Array(hash("sha256", data, "buffer"));
}

/** Big-endian, 2 bytes; 0..65,535, anything else throws a RangeError. */
export function u16be(value: number): Uint8Array {
  requireUnsigned(value, 0xffff);
  return Uint8Array.of(value >>> 8, value);
}

/** Big-endian, 4 bytes; 0..2^32-1, anything else throws a RangeError. */
export function u32be(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeU32be(bytes, 0, value);
  return bytes;
}

/** Big-endian, 8 bytes; 0..2^53-1 as a number, or a bigint below 2^64, anything else throws a RangeError. */
export function u64be(value: number | bigint): Uint8Array {
  if (typeof value === "number") requireUnsigned(value, Number.MAX_SAFE_INTEGER);
  else if (value < 0n || value >= 1n << 64n) throw new RangeError(`${value} does not fit 64 unsigned bits.`);
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

/** Writes `u32be(value)` into `target` at `offset`. */
export function writeU32be(target: Uint8Array, offset: number, value: number): void {
  requireUnsigned(value, 0xffffffff);
  target[offset] = value >>> 24;
  target[offset + 1] = value >>> 16;
  target[offset + 2] = value >>> 8;
  target[offset + 3] = value;
}

/** A store into bytes wraps silently: 65,536 would encode like 0, and two values would hash alike. */
function requireUnsigned(value: number, max: number): void {
  if (!Number.isInteger(value) || value < 0 || value > max)
    throw new RangeError(`${value} is not an integer from 0 to ${max}.`);
}

/** Overwrites secrets that are done with. Copies that the runtime or a native call made are out of reach. */
export function wipe(...secrets: readonly Uint8Array[]): void {
  for (const secret of secrets) secret.fill(0);
}
