const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/** nkey type byte of a user's public key: it makes the text begin with U. */
const USER_PREFIX = 20 << 3;

/**
 * The 32-byte Ed25519 key inside a NATS user's public nkey: base32 of type byte, key and CRC-16 (little-endian), 56 characters
 * without padding. Nothing for any other text.
 */
export function natsUserKey(text: string): Uint8Array | undefined {
  if (!/^U[A-Z2-7]{55}$/.test(text)) return undefined;
  const bytes = decodeBase32(text);
  const checksum = (bytes[33] ?? 0) | ((bytes[34] ?? 0) << 8);
  if (bytes[0] !== USER_PREFIX || crc16(bytes.subarray(0, 33)) !== checksum) return undefined;
  return bytes.subarray(1, 33);
}

/** 56 characters are 35 bytes exactly: there are no left-over bits. */
function decodeBase32(text: string): Uint8Array {
  const bytes: number[] = [];
  let bits = 0;
  let window = 0;
  for (const character of text) {
    window = ((window << 5) | BASE32.indexOf(character)) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((window >> bits) & 0xff);
    }
  }
  return Uint8Array.from(bytes);
}

/** CRC-16/XMODEM. */
function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  }
  return crc;
}
