import { base64url, sha256 } from "@countersign/bytes";

/** `typ` of an access token's header: no other token of ours is taken for one. */
export const ACCESS_TOKEN_TYPE = "countersign-access+jwt";
/** `aud` of an access token. */
export const ACCESS_TOKEN_AUDIENCE = "countersign/api";
/** The one algorithm of all tokens: Ed25519 (RFC 8037). */
export const TOKEN_ALGORITHM = "EdDSA";
/** Service accounts and personal access tokens of the reference live up to 730 days. */
export const ACCESS_TOKEN_SECONDS_MAX = 730 * 86_400;
/** The claim in which clients of the reference look for their organisation. */
export const APP_METADATA_CLAIM = "https://custom/app_metadata";

/** Whose token it is. */
export interface AccessTokenHolder {
  readonly deploymentId: string;
  readonly orgId: string;
  /** User or service account that acts. */
  readonly principalId: string;
  /** Id of the token itself, `to-…`. */
  readonly tokenId: string;
}

/** Claims of an access token. It lets its holder read; nothing is signed or changed by a token alone. */
export interface AccessTokenClaims {
  readonly iss: string;
  readonly aud: typeof ACCESS_TOKEN_AUDIENCE;
  readonly sub: string;
  readonly jti: string;
  /** Seconds since 1970. */
  readonly iat: number;
  /** Seconds since 1970. */
  readonly exp: number;
  readonly [APP_METADATA_CLAIM]: {
    readonly orgId: string;
    readonly userId: string;
    readonly tokenId: string;
    readonly tokenKind: "ServiceAccount";
  };
}

/** Header that every token with this type and key has, and nothing beside it. `tokenKeySpki` is the token key's SPKI DER. */
export function tokenHeader(type: string, tokenKeySpki: Uint8Array) {
  return { alg: TOKEN_ALGORITHM, typ: type, kid: tokenKeyId(tokenKeySpki) } as const;
}

/** `kid` of the key that signs tokens: base64url SHA-256 of its SPKI DER. */
export function tokenKeyId(spki: Uint8Array): string {
  return base64url(sha256(spki));
}

/** `iss` of a deployment's tokens. */
export function tokenIssuer(deploymentId: string): string {
  return `countersign/${deploymentId}`;
}

/** Claims of a service account's token; valid `lifetimeSeconds` (1..`ACCESS_TOKEN_SECONDS_MAX`) from `issuedAt`, seconds since 1970. */
export function accessTokenClaims(
  holder: AccessTokenHolder,
  { issuedAt, lifetimeSeconds }: { readonly issuedAt: number; readonly lifetimeSeconds: number },
): AccessTokenClaims {
  if (!Number.isInteger(lifetimeSeconds) || lifetimeSeconds < 1 || lifetimeSeconds > ACCESS_TOKEN_SECONDS_MAX)
    throw new RangeError(`An access token lives 1 to ${ACCESS_TOKEN_SECONDS_MAX} seconds, not ${lifetimeSeconds}.`);
  const { deploymentId, orgId, principalId, tokenId } = holder;
  return {
    iss: tokenIssuer(deploymentId),
    aud: ACCESS_TOKEN_AUDIENCE,
    sub: principalId,
    jti: tokenId,
    iat: issuedAt,
    exp: issuedAt + lifetimeSeconds,
    [APP_METADATA_CLAIM]: { orgId, userId: principalId, tokenId, tokenKind: "ServiceAccount" },
  };
}

const ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";
/** 130 bits, five from each byte (architecture 6). */
const RANDOM_ID_BYTES = 26;

/**
 * Id of something that no approval creates (tokens `to`, challenges `ch`): prefix and 130 random bits in the shape of a derived
 * id. `random` is 26 fresh random bytes.
 */
export function randomId(prefix: "ch" | "to", random: Uint8Array): string {
  if (random.length !== RANDOM_ID_BYTES) throw new RangeError(`A random id takes ${RANDOM_ID_BYTES} bytes.`);
  const text = Array.from(random, (byte) => ID_ALPHABET[byte & 31]).join("");
  return `${prefix}-${text.slice(0, 5)}-${text.slice(5, 10)}-${text.slice(10)}`;
}
