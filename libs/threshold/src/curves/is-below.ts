/**
 * Whether a little-endian number is below a bound of the same length. Time depends on the length alone, so that the check of a
 * secret scalar tells nothing about it.
 */
export function isBelow(value: Uint8Array, bound: Uint8Array): boolean {
  let borrow = 0;
  for (let index = 0; index < bound.length; index++) {
    const difference = (value[index] ?? 0) - (bound[index] ?? 0) - borrow;
    borrow = (difference >> 8) & 1;
  }
  return borrow === 1;
}

/** Whether every byte is zero, in time that depends on the length alone. */
export function isAllZero(value: Uint8Array): boolean {
  let seen = 0;
  for (const byte of value) seen |= byte;
  return seen === 0;
}

/** The number's bytes, least significant first. For public constants. */
export function littleEndian(value: bigint, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let index = 0; index < size; index++) bytes[index] = Number((value >> BigInt(8 * index)) & 0xffn);
  return bytes;
}
