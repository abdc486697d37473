import { ed25519 } from "@noble/curves/ed25519.js";

/**
 * Whether 32 bytes are the canonical encoding of a point of the prime-order subgroup other than the identity. A key of
 * small order verifies signatures that nobody made; a component of small order makes verifiers disagree. About a
 * millisecond: for keys that are read once, not for each request.
 */
export function isPrimeOrderPoint(bytes: Uint8Array): boolean {
  if (bytes.length !== 32) return false;
  let point: InstanceType<typeof ed25519.Point>;
  try {
    // Strict decoding (RFC 8032): y below p, and no second spelling of x = 0.
    point = ed25519.Point.fromBytes(bytes, false);
  } catch {
    // The only thing that throws here is a bad encoding, which is this function's answer.
    return false;
  }
  return !point.is0() && point.isTorsionFree();
}
