import { base64url, type JsonValue } from "@countersign/bytes";
import { type Intent, intentOf, parsePayload } from "@countersign/intent";
import { actionDigest } from "./action-digest.ts";
import { type ClientData, readClientData } from "./client-data.ts";
import { authorityError } from "./errors.ts";
import { type Evidence, requireEvidenceShape } from "./evidence.ts";
import type { Application, AuthorityState, Credential, Organisation } from "./state.ts";

/** The judge's own clock; nothing of it comes from the caller. */
export interface JudgeClock {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** When this node durably took the same request in while it was fresh; validity is then judged by that time. Default: now. */
  readonly seenAt?: number | undefined;
}

/** An approved request, as the judge itself understood it. */
export interface Approval {
  /** C, 32 bytes. */
  readonly c: Uint8Array;
  readonly intent: Intent;
  readonly orgId: string;
  readonly principalId: string;
  readonly appId: string;
  readonly credId: string;
}

/** Nobody needs longer to look at a request; a collected approval is of use to a thief no longer than this. */
export const VALIDITY_MS_MAX = 5 * 60_000;

/** The permission of the reference that each intent needs. */
const PERMISSIONS: Readonly<Record<Intent["kind"], string>> = {
  "create-key": "Keys:Create",
  sign: "Keys:Signatures:Create",
};

/**
 * Judges evidence by a state (threat model 5.3, steps 1 to 7, in that order): pure, and the same for the API and every signer.
 * Runs before any protocol state exists. Each check raises its own code; see the package's table, and those of intent and
 * bytes for the payload. The key's own facts (owner, purpose, fit) are for who holds its record, and for `interpret`.
 */
export function authorize(evidence: Evidence, state: AuthorityState, clock: JudgeClock): Approval {
  const { orgId, principalId, appId, method, path, assertion } = evidence;

  // 1. Sizes, shapes, strict parsing.
  requireEvidenceShape(evidence);
  const body: JsonValue = parsePayload(evidence.payload);
  const clientData = readClientData(assertion.clientData);

  // 2. What was signed is this request.
  const c = actionDigest({ ...evidence, deploymentId: state.deploymentId });
  requireUserAction(clientData, c);
  const organisation = organisationOf(state, orgId);
  requireOrigin(clientData, applicationOf(organisation, appId));

  // 4. By a credential of this principal that is active, under the record's key and algorithm.
  const credential = credentialOf(organisation, principalId, evidence);
  if (!credential.key.verify(assertion.clientData, assertion.signature))
    throw authorityError("assertion_invalid", "The assertion does not verify under the credential's key.");

  // 5. Lately, and by a credential that somebody vouched for.
  requireFresh(evidence.expiresAtMs, clock);
  if (!credential.confirmed)
    throw authorityError("credential_unconfirmed", `Credential ${credential.credentialUuid} is not confirmed yet.`);

  // 6. What it means, derived here.
  const intent = intentOf({ method, path, body, c });

  // 7. The principal may.
  requirePermission(organisation, principalId, intent);
  return { c, intent, orgId, principalId, appId, credId: credential.credId };
}

function requireUserAction(clientData: ClientData, c: Uint8Array): void {
  if (clientData.type !== "key.get")
    throw authorityError("ceremony_unexpected", "A Key credential approves requests with type key.get only.");
  if (clientData.challenge !== base64url(c))
    throw authorityError("challenge_mismatch", "The signed challenge is not the digest of this request.");
}

function organisationOf(state: AuthorityState, orgId: string): Organisation {
  const organisation = state.organisations.get(orgId);
  if (organisation === undefined) throw authorityError("organisation_unknown", `Organisation ${orgId} is not known.`);
  return organisation;
}

function applicationOf(organisation: Organisation, appId: string): Application {
  const application = organisation.applications.get(appId);
  if (application === undefined || !application.active)
    throw authorityError("application_unknown", `${appId} is no active application of ${organisation.orgId}.`);
  return application;
}

/**
 * A raw key's client may name an origin; when the application pins some, it must be one of them to the letter. Whoever holds a raw
 * key writes what he likes there, so without a pin the member is let through (docs/design/token-lifetimes.md).
 */
function requireOrigin({ origin, crossOrigin }: ClientData, { origins }: Application): void {
  if (crossOrigin) throw authorityError("origin_unexpected", "The assertion was made in a frame of another origin.");
  if (origin !== undefined && origins.length > 0 && !origins.includes(origin))
    throw authorityError("origin_unexpected", "The assertion's origin is not pinned for the application.");
}

function credentialOf(organisation: Organisation, principalId: string, { assertion }: Evidence): Credential {
  const { orgId } = organisation;
  if (organisation.principals.get(principalId)?.active !== true)
    throw authorityError("principal_unknown", `${principalId} is no active principal of ${orgId}.`);
  const credential = organisation.credentials.get(assertion.credId);
  if (credential === undefined) throw authorityError("credential_unknown", `The credential is none of ${orgId}.`);
  if (credential.principalId !== principalId)
    throw authorityError("credential_foreign", `The credential does not belong to ${principalId}.`);
  if (!credential.active)
    throw authorityError("credential_inactive", `Credential ${credential.credentialUuid} was deactivated.`);
  // The kind decides which bytes are verified, so the caller's word for it must be the record's.
  if (credential.kind !== assertion.kind)
    throw authorityError("credential_kind_mismatch", `The credential is of kind ${credential.kind}.`);
  return credential;
}

function requireFresh(expiresAtMs: number, { now, seenAt }: JudgeClock): void {
  // A later time of taking in than now would lengthen an approval's life.
  const judgedAt = Math.min(now, seenAt ?? now);
  if (judgedAt >= expiresAtMs)
    throw authorityError("approval_expired", `The approval ended at ${expiresAtMs}, ${judgedAt - expiresAtMs} ms ago.`);
  if (expiresAtMs > judgedAt + VALIDITY_MS_MAX)
    throw authorityError("approval_expiry_too_far", `The approval ends more than ${VALIDITY_MS_MAX} ms ahead.`);
}

function requirePermission(organisation: Organisation, principalId: string, intent: Intent): void {
  const needed = PERMISSIONS[intent.kind];
  const permissions = organisation.principals.get(principalId)?.permissions ?? new Set();
  if (permissions !== "all" && !permissions.has(needed))
    throw authorityError("permission_missing", `${principalId} lacks ${needed}.`, { details: { permission: needed } });
}
