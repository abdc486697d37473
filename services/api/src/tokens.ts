import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import {
  ACCESS_TOKEN_AUDIENCE,
  ACCESS_TOKEN_SECONDS_MAX,
  ACCESS_TOKEN_TYPE,
  APP_METADATA_CLAIM,
  TOKEN_ALGORITHM,
  tokenHeader,
  tokenIssuer,
} from "@countersign/authority";
import { type JWTPayload, jwtVerify, SignJWT } from "jose";
import { type Static, type TSchema, Type } from "typebox";
import { Compile } from "typebox/compile";
import { apiError } from "./errors.ts";

/** Longer than any token of ours; a bound for what is parsed before a signature is checked. */
const TOKEN_LENGTH_MAX = 4_096;
/** Whoever made the token may have a clock that is ahead by this much. */
const CLOCK_SKEW_SECONDS_MAX = 60;

const Id = Type.String({ minLength: 1, maxLength: 64 });
const STRICT = { additionalProperties: false };
const Times = { iss: Id, iat: Type.Integer(), exp: Type.Integer() };

/** A kind of token: its header's `typ`, its `aud` and its claims. Nothing made as one kind verifies as another. */
interface TokenKind<T extends TSchema> {
  readonly type: string;
  readonly audience: string;
  readonly secondsMax: number;
  readonly claims: ReturnType<typeof Compile<T>>;
}

function kind<T extends TSchema>(type: string, audience: string, secondsMax: number, claims: T): TokenKind<T> {
  return { type, audience, secondsMax, claims: Compile(claims) };
}

const AccessClaims = Type.Object(
  {
    ...Times,
    aud: Type.Literal(ACCESS_TOKEN_AUDIENCE),
    sub: Id,
    jti: Id,
    [APP_METADATA_CLAIM]: Type.Object(
      { orgId: Id, userId: Id, tokenId: Id, tokenKind: Type.Literal("ServiceAccount") },
      STRICT,
    ),
  },
  STRICT,
);
const ACCESS = kind(ACCESS_TOKEN_TYPE, ACCESS_TOKEN_AUDIENCE, ACCESS_TOKEN_SECONDS_MAX, AccessClaims);

const CHALLENGE_AUDIENCE = "countersign/challenge";
const ChallengeClaims = Type.Object(
  { ...Times, aud: Type.Literal(CHALLENGE_AUDIENCE), sub: Id, jti: Id, org: Id, app: Id },
  STRICT,
);
/** As long as an approval may be valid. */
const CHALLENGE = kind("countersign-challenge+jwt", CHALLENGE_AUDIENCE, 300, ChallengeClaims);

const USER_ACTION_AUDIENCE = "countersign/user-action";
const UserActionClaims = Type.Object(
  { ...Times, aud: Type.Literal(USER_ACTION_AUDIENCE), sub: Id, jti: Id, org: Id, app: Id, c: Id },
  STRICT,
);
/** The call follows at once: an approval in wrong hands is of use no longer than this. */
const USER_ACTION_SECONDS_MAX = 60;
const USER_ACTION = kind(
  "countersign-user-action+jwt",
  USER_ACTION_AUDIENCE,
  USER_ACTION_SECONDS_MAX,
  UserActionClaims,
);

/** Whoever holds a token, and what it stands for. */
export interface TokenBinding {
  readonly id: string;
  readonly orgId: string;
  readonly principalId: string;
  readonly appId: string;
}

/** A bearer token's holder. */
export interface AccessToken {
  readonly orgId: string;
  readonly principalId: string;
  readonly tokenId: string;
}

/**
 * Makes and reads the API's tokens: EdDSA JWTs of one known key, each kind under its own `typ` and `aud`. A token is believed
 * only if its header holds exactly `alg`, `typ` and `kid` as we write them: `jwk`, `jku`, `x5u`, `crit` have no say.
 */
export class Tokens {
  readonly #privateKey: KeyObject;
  readonly #publicKey: KeyObject;
  readonly #spki: Uint8Array;
  readonly #issuer: string;
  readonly #now: () => number;

  /** Takes the token key as PKCS#8 PEM; `now` is milliseconds since 1970. Raises `token_key_invalid`. */
  constructor(pem: string, { deploymentId, now }: { deploymentId: string; now: () => number }) {
    this.#privateKey = readKey(pem);
    this.#publicKey = createPublicKey(this.#privateKey);
    this.#spki = new Uint8Array(this.#publicKey.export({ format: "der", type: "spki" }));
    this.#issuer = tokenIssuer(deploymentId);
    this.#now = now;
  }

  /** Holder of a bearer token, or undefined when it is none of ours that is valid now. */
  async readAccess(token: string): Promise<AccessToken | undefined> {
    const claims = await this.#read(ACCESS, token);
    const metadata = claims?.[APP_METADATA_CLAIM];
    if (claims === undefined || metadata === undefined) return undefined;
    if (metadata.userId !== claims.sub || metadata.tokenId !== claims.jti) return undefined;
    return { orgId: metadata.orgId, principalId: claims.sub, tokenId: claims.jti };
  }

  /** The `challengeIdentifier` of a challenge that ends at `expiresAtMs`. */
  issueChallenge({ id, orgId, principalId, appId }: TokenBinding, expiresAtMs: number): Promise<string> {
    const exp = Math.ceil(expiresAtMs / 1_000);
    return this.#issue(CHALLENGE, { sub: principalId, jti: id, org: orgId, app: appId, exp });
  }

  /**
   * What a challengeIdentifier stands for, or undefined when it is no such token of ours. An expired one is answered too: the
   * row it names is gone, which the caller learns in the words of the reference.
   */
  async readChallenge(token: string): Promise<TokenBinding | undefined> {
    const claims = await this.#read(CHALLENGE, token, { expired: true });
    return claims && { id: claims.jti, orgId: claims.org, principalId: claims.sub, appId: claims.app };
  }

  /** A single-use token for the approval of C (base64url), good for a minute but no longer than the approval itself. */
  issueUserAction({ id, orgId, principalId, appId }: TokenBinding, approval: { c: string; expiresAtMs: number }) {
    const now = Math.floor(this.#now() / 1_000);
    const exp = Math.min(now + USER_ACTION_SECONDS_MAX, Math.floor(approval.expiresAtMs / 1_000));
    return this.#issue(USER_ACTION, { sub: principalId, jti: id, org: orgId, app: appId, c: approval.c, exp });
  }

  /** What a user action token stands for, or undefined when it is none of ours that is valid now. */
  async readUserAction(token: string): Promise<(TokenBinding & { readonly c: string }) | undefined> {
    const claims = await this.#read(USER_ACTION, token);
    return claims && { id: claims.jti, orgId: claims.org, principalId: claims.sub, appId: claims.app, c: claims.c };
  }

  #issue({ type, audience }: TokenKind<TSchema>, claims: JWTPayload): Promise<string> {
    const iat = Math.floor(this.#now() / 1_000);
    return new SignJWT({ iss: this.#issuer, aud: audience, iat, ...claims })
      .setProtectedHeader(tokenHeader(type, this.#spki))
      .sign(this.#privateKey);
  }

  async #read<T extends TSchema>(
    { type, audience, secondsMax, claims }: TokenKind<T>,
    token: string,
    { expired = false } = {},
  ): Promise<Static<T> | undefined> {
    if (token.length > TOKEN_LENGTH_MAX) return undefined;
    try {
      const now = Math.floor(this.#now() / 1_000);
      const { payload, protectedHeader } = await jwtVerify(token, this.#publicKey, {
        algorithms: [TOKEN_ALGORITHM],
        issuer: this.#issuer,
        audience,
        currentDate: expired ? new Date(0) : new Date(now * 1_000),
      });
      if (!sameMembers(protectedHeader, tokenHeader(type, this.#spki)) || !claims.Check(payload)) return undefined;
      const { iat = 0, exp = 0 }: JWTPayload = payload;
      return iat <= now + CLOCK_SKEW_SECONDS_MAX && exp - iat <= secondsMax ? payload : undefined;
    } catch {
      // Whatever is wrong with a token, its bearer learns only that it is not one: details would help to forge one.
      return undefined;
    }
  }
}

function sameMembers(found: object, expected: object): boolean {
  const entries = Object.entries(expected);
  const members = new Map<string, unknown>(Object.entries(found));
  return members.size === entries.length && entries.every(([name, value]) => members.get(name) === value);
}

function readKey(pem: string): KeyObject {
  try {
    const key = createPrivateKey({ key: pem, format: "pem", type: "pkcs8" });
    if (key.asymmetricKeyType === "ed25519") return key;
  } catch {
    // The parser's complaint may quote what it read, which is a private key.
  }
  throw apiError("token_key_invalid", "The token key is not an Ed25519 private key in PKCS#8 PEM.");
}
