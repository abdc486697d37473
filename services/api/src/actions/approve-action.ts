import { randomBytes } from "node:crypto";
import { authorize, type Evidence, randomId } from "@countersign/authority";
import { base64url, decodeBase64url } from "@countersign/bytes";
import type { CountersignError } from "@countersign/errors";
import type { Api } from "../api.ts";
import type { Caller } from "../authentication.ts";
import { apiError } from "../errors.ts";
import type { TokenBinding } from "../tokens.ts";
import { actionFields, evidenceColumns } from "./evidence-columns.ts";

/** What completes a challenge. */
export interface ActionApproval {
  readonly challengeIdentifier: string;
  readonly firstFactor: {
    readonly kind: string;
    readonly credentialAssertion: {
      readonly credId: string;
      /** base64url. */
      readonly clientData: string;
      /** base64url. */
      readonly signature: string;
    };
  };
}

/**
 * Takes an assertion for an open challenge and answers a single-use token for the approved request. Everything a signer checks
 * of the evidence is checked here first. A wrong assertion leaves the challenge open; of two right ones one wins.
 */
export async function approveAction(
  api: Api,
  caller: Caller,
  { challengeIdentifier, firstFactor }: ActionApproval,
): Promise<{ userAction: string }> {
  const binding = await api.tokens.readChallenge(challengeIdentifier);
  if (binding === undefined || !isOf(binding, caller))
    throw apiError("challenge_token_invalid", "The challengeIdentifier is not a challenge token of this caller.");
  const evidence: Evidence = {
    ...(await openChallenge(api, binding)),
    assertion: {
      kind: firstFactor.kind,
      credId: firstFactor.credentialAssertion.credId,
      clientData: decodeBase64url(firstFactor.credentialAssertion.clientData, "clientData"),
      signature: decodeBase64url(firstFactor.credentialAssertion.signature, "signature"),
    },
  };
  const { c } = authorize(evidence, api.state(), { now: api.now() });
  const { orgId, principalId, appId } = caller;
  const id = randomId("ch", randomBytes(26));
  await api.database.inOrganisation(orgId, async (transaction) => {
    // Deleting decides: of two calls with one challenge, also at two replicas, the second finds nothing to delete.
    const { numDeletedRows } = await transaction
      .deleteFrom("challenges")
      .where("org_id", "=", orgId)
      .where("id", "=", binding.id)
      .executeTakeFirst();
    if (numDeletedRows !== 1n) throw challengeUnknown();
    await transaction
      .insertInto("user_actions")
      .values({ id, ...evidenceColumns(evidence) })
      .execute();
  });
  const approval = { c: base64url(c), expiresAtMs: evidence.expiresAtMs };
  return { userAction: await api.tokens.issueUserAction({ id, orgId, principalId, appId }, approval) };
}

/** Whether a token was issued to this caller, through the same application. */
export function isOf(binding: TokenBinding, { orgId, principalId, appId }: Caller): boolean {
  return binding.orgId === orgId && binding.principalId === principalId && binding.appId === appId;
}

async function openChallenge(api: Api, { id, orgId }: TokenBinding): Promise<Omit<Evidence, "assertion">> {
  const row = await api.database.inOrganisation(orgId, (transaction) =>
    transaction
      .selectFrom("challenges")
      .selectAll()
      .where("org_id", "=", orgId)
      .where("id", "=", id)
      .where("expires_at", ">", new Date(api.now()))
      .executeTakeFirst(),
  );
  if (row === undefined) throw challengeUnknown();
  return actionFields(row);
}

/** In the words of the reference. */
function challengeUnknown(): CountersignError {
  return apiError("challenge_unknown", "Challenge token is not valid.");
}
