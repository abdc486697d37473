import { concatBytes, LP, lengthPrefixed, sha256, u32be } from "@countersign/bytes";

/** Prefix of each kind of object whose id is derived. One prefix may serve two kinds: the kind is hashed. */
const PREFIXES = {
  organisation: "or",
  user: "us",
  "service-account": "us",
  token: "to",
  application: "ap",
  approval: "ap",
  credential: "cr",
  permission: "pm",
  assignment: "as",
  policy: "plc",
  key: "key",
  wallet: "wa",
  signature: "sig",
  transfer: "xfr",
  transaction: "tx",
} as const;

/** The word for an object, as it is hashed into the object's id. */
export type IdKind = keyof typeof PREFIXES;

const LABEL = "countersign/id/v1";
const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";
/** 130 bits: beyond any collision search, and the reference's id shape. */
const ID_CHARACTERS = 26;

/**
 * Id of the `index`-th object (from 0) of a kind that the request approved by C (32 bytes) creates (architecture 6). Whoever
 * knows C recomputes it, so nobody can swap two objects.
 */
export function deriveId(kind: Exclude<IdKind, "credential">, c: Uint8Array, index: number): string {
  return format(kind, LP(c), index);
}

/** Id of a credential (`credentialUuid`): from its owner and public key, because a key alone would tell one tenant what another holds. */
export function deriveCredentialId(owner: { orgId: string; userId: string; spki: Uint8Array }): string {
  return format("credential", lengthPrefixed(owner.orgId, owner.userId, owner.spki), 0);
}

/** Whether a text has the form of a derived id of this kind: prefix, then 5-5-16 characters of lower-case base32. */
export function isDerivedId(kind: IdKind, text: string): boolean {
  return (
    text.startsWith(`${PREFIXES[kind]}-`) &&
    /^[a-z2-7]{5}-[a-z2-7]{5}-[a-z2-7]{16}$/.test(text.slice(PREFIXES[kind].length + 1))
  );
}

function format(kind: IdKind, origin: Uint8Array, index: number): string {
  const text = base32(sha256(concatBytes(lengthPrefixed(LABEL, kind), origin, u32be(index)))).slice(0, ID_CHARACTERS);
  return `${PREFIXES[kind]}-${text.slice(0, 5)}-${text.slice(5, 10)}-${text.slice(10)}`;
}

/** RFC 4648 base32 in lower case, whole groups of 5 bits only. */
function base32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let window = 0;
  for (const byte of bytes) {
    window = ((window << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += BASE32[(window >> bits) & 31];
    }
  }
  return text;
}
