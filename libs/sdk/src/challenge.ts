import { actionDigest, USER_ACTION_LABEL, VALIDITY_MS_MAX } from "@countersign/authority";
import { base64url, decodeBase64url, equalBytes, JsonMembers, type JsonValue, utf8 } from "@countersign/bytes";
import type { CountersignError } from "@countersign/errors";
import { sdkError } from "./errors.ts";

/** The request that is about to be sent. */
export interface OutgoingRequest {
  readonly method: string;
  readonly path: string;
  /** Body, byte for byte. */
  readonly payload: string;
}

/** What the caller knows beforehand; what is not pinned is taken from the API's word. */
export interface Pins {
  readonly deploymentId?: string | undefined;
  readonly orgId?: string | undefined;
  readonly principalId?: string | undefined;
  readonly appId?: string | undefined;
}

/** A challenge that proved to be the digest of the outgoing request. */
export interface VerifiedChallenge {
  readonly challenge: string;
  /** The API's handle of it. */
  readonly challengeIdentifier: string;
  /** C, 32 bytes. */
  readonly c: Uint8Array;
}

/** Handles are signed tokens with the request's payload inside. */
const IDENTIFIER_LENGTH_MAX = 1_048_576;
const ID = { lengthMin: 1, lengthMax: 64 };
const PINNED = ["deploymentId", "orgId", "principalId", "appId"] as const;

/**
 * Recomputes C from the request being sent and refuses every other challenge with `challenge_refused` (threat model 5.1):
 * otherwise a hostile API shows one request and collects the approval of another. `now` is milliseconds since 1970.
 */
export function verifyChallenge(
  answer: JsonValue,
  request: OutgoingRequest,
  pins: Pins,
  now: number,
): VerifiedChallenge {
  const members = new JsonMembers(answer, "challenge answer", refused);
  const challenge = members.text("challenge", { lengthMax: 256 });
  const challengeIdentifier = members.text("challengeIdentifier", { lengthMin: 1, lengthMax: IDENTIFIER_LENGTH_MAX });
  const { expiresAtMs, ...fields } = readMember(members.object("countersign"), request);
  for (const name of PINNED) {
    const pinned = pins[name];
    if (pinned !== undefined && pinned !== fields[name])
      throw refused(`The challenge is for ${name} ${fields[name]}, not ${pinned}.`);
  }
  // Signers judge by the end of validity: an approval dated far ahead could be kept and used just before that.
  if (expiresAtMs > now + VALIDITY_MS_MAX) throw refused("The challenge would stay valid for too long.");
  const c = actionDigest({ ...fields, ...request, expiresAtMs });
  if (!equalBytes(utf8(challenge), utf8(base64url(c))))
    throw refused("The challenge is not the digest of the request being sent.");
  return { challenge, challengeIdentifier, c };
}

function readMember(member: JsonMembers, request: OutgoingRequest) {
  member.integer("v", 1, 1);
  member.choice("label", [USER_ACTION_LABEL]);
  const deploymentId = member.text("deploymentId", ID);
  const orgId = member.text("orgId", ID);
  const principalId = member.text("principalId", ID);
  const appId = member.text("appId", ID);
  if (member.value("method") !== request.method || member.value("path") !== request.path)
    throw refused("The challenge is for another method or path than is being sent.");
  const nonce = decodeBase64url(member.text("nonce", { lengthMin: 43, lengthMax: 43 }), "countersign.nonce");
  const expiresAtMs = member.integer("expiresAt", 0, Number.MAX_SAFE_INTEGER);
  // A member of a later version may change what the nonce stands for, so it is not ignored.
  member.finish();
  return { deploymentId, orgId, principalId, appId, nonce, expiresAtMs };
}

function refused(sentence: string): CountersignError {
  return sdkError("challenge_refused", sentence);
}
