import { base64url, concatBytes, lengthPrefixed, sha256, u64be } from "@countersign/bytes";

/** Everything that a user action commits to. */
export interface ActionFields {
  readonly deploymentId: string;
  readonly orgId: string;
  readonly principalId: string;
  readonly appId: string;
  /** Upper case. */
  readonly method: string;
  /** As sent, percent-encoding untouched. */
  readonly path: string;
  /** Request body exactly as sent. */
  readonly payload: string;
  /** 32 random bytes. */
  readonly nonce: Uint8Array;
  /** End of validity, milliseconds since 1970. */
  readonly expiresAtMs: number;
}

/** First part of C: an assertion for another ceremony is made over another digest. */
export const USER_ACTION_LABEL = "countersign/user-action/v1";

/** C (threat model 5.1), 32 bytes. Any two different lists of fields have different digests. */
export function actionDigest(fields: ActionFields): Uint8Array {
  const { deploymentId, orgId, principalId, appId, method, path, payload, nonce, expiresAtMs } = fields;
  return sha256(
    concatBytes(
      lengthPrefixed(USER_ACTION_LABEL, deploymentId, orgId, principalId, appId, method, path, payload, nonce),
      u64be(expiresAtMs),
    ),
  );
}

/** The `countersign` member of a challenge answer: with the request it is about to send, a client recomputes C from it. */
export interface ChallengeMember {
  readonly v: 1;
  readonly label: typeof USER_ACTION_LABEL;
  readonly deploymentId: string;
  readonly orgId: string;
  readonly principalId: string;
  readonly appId: string;
  readonly method: string;
  readonly path: string;
  /** base64url of the 32 bytes. */
  readonly nonce: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** What the API answers beside `challenge`. The payload is left out: a client must take its own. */
export function challengeMember(fields: Omit<ActionFields, "payload">): ChallengeMember {
  const { deploymentId, orgId, principalId, appId, method, path, nonce, expiresAtMs } = fields;
  return {
    v: 1,
    label: USER_ACTION_LABEL,
    deploymentId,
    orgId,
    principalId,
    appId,
    method,
    path,
    nonce: base64url(nonce),
    expiresAt: expiresAtMs,
  };
}
