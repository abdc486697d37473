import { randomBytes } from "node:crypto";
import { actionDigest, type ChallengeMember, challengeMember, type Evidence, randomId } from "@countersign/authority";
import { base64url, utf8 } from "@countersign/bytes";
import { type Intent, interpret, readIntent } from "@countersign/intent";
import { sql } from "kysely";
import type { Api } from "../api.ts";
import type { Caller } from "../authentication.ts";
import type { OrganisationTransaction } from "../database/database.ts";
import { apiError } from "../errors.ts";
import { requireKey, signingKey } from "../keys/key-rows.ts";
import { actionColumns } from "./evidence-columns.ts";

/** A minute under what signers take, so that their clocks may differ by that much. */
const CHALLENGE_MS = 4 * 60_000;
/** Challenges one principal may hold open. At 100 requests a second each is open for a few milliseconds. */
const CHALLENGES_OPEN_MAX = 1_000;
/** Bytes of bodies in them. A stolen token is enough to ask for challenges; it must not be enough to fill the database. */
const CHALLENGES_OPEN_BYTES_MAX = 16 * 1_048_576;

/** What is to be approved. */
export interface ActionRequest {
  readonly userActionPayload: string;
  readonly userActionHttpMethod: string;
  readonly userActionHttpPath: string;
}

/** The reference's ActionChallenge with what a client needs to recompute the challenge. */
export interface ActionChallenge {
  readonly challenge: string;
  readonly challengeIdentifier: string;
  readonly supportedCredentialKinds: { kind: "Key"; factor: "first"; requiresSecondFactor: false }[];
  readonly userVerification: "required";
  readonly attestation: "none";
  readonly allowCredentials: {
    key: { type: "public-key"; id: string }[];
    webauthn: { type: "public-key"; id: string }[];
  };
  readonly externalAuthenticationUrl: "";
  readonly countersign: ChallengeMember;
}

/**
 * Answers the challenge C of one request. The request is read as signers will read it, so that a caller learns of a mistake
 * before anybody approves it; nothing is decided here.
 */
export async function issueChallenge(api: Api, caller: Caller, request: ActionRequest): Promise<ActionChallenge> {
  const { orgId, principalId, appId } = caller;
  const fields = {
    orgId,
    principalId,
    appId,
    method: request.userActionHttpMethod,
    path: request.userActionHttpPath,
    payload: request.userActionPayload,
    nonce: new Uint8Array(randomBytes(32)),
    expiresAtMs: api.now() + CHALLENGE_MS,
  };
  const { deploymentId } = api.descriptor;
  const c = actionDigest({ ...fields, deploymentId });
  const intent = readIntent({ ...fields, c });
  requireStorable(intent);
  const id = randomId("ch", randomBytes(26));
  await api.database.inOrganisation(orgId, async (transaction) => {
    await requireMeaning(transaction, orgId, intent);
    await storeChallenge(transaction, { id, fields, now: api.now() });
  });
  return {
    challenge: base64url(c),
    challengeIdentifier: await api.tokens.issueChallenge({ id, orgId, principalId, appId }, fields.expiresAtMs),
    supportedCredentialKinds: [{ kind: "Key", factor: "first", requiresSecondFactor: false }],
    userVerification: "required",
    attestation: "none",
    allowCredentials: {
      key: usableCredentials(api, caller).map((id) => ({ type: "public-key", id })),
      webauthn: [],
    },
    externalAuthenticationUrl: "",
    countersign: challengeMember({ ...fields, deploymentId }),
  };
}

/** Postgres has no U+0000 in text; everything else of a request is kept as the JSON text it came in, where it is escaped. */
function requireStorable(intent: Intent): void {
  const text = intent.kind === "create-key" ? intent.name : intent.body.externalId;
  if (text?.includes("\0")) throw apiError("text_not_storable", "Names and external ids may not hold U+0000.");
}

async function requireMeaning(transaction: OrganisationTransaction, orgId: string, intent: Intent): Promise<void> {
  if (intent.kind === "create-key") return;
  interpret(intent, signingKey(await requireKey(transaction, orgId, intent.keyId)));
}

async function storeChallenge(
  transaction: OrganisationTransaction,
  { id, fields, now }: { id: string; fields: Omit<Evidence, "assertion">; now: number },
): Promise<void> {
  await requireRoom(transaction, fields, now);
  await transaction
    .insertInto("challenges")
    .values({ id, ...actionColumns(fields) })
    .execute();
}

async function requireRoom(
  transaction: OrganisationTransaction,
  { orgId, principalId, payload }: Omit<Evidence, "assertion">,
  now: number,
): Promise<void> {
  // octet_length reads a stored text's length without the text.
  const { count, bytes } = await transaction
    .selectFrom("challenges")
    .select(({ fn }) => [
      fn.countAll<string>().as("count"),
      fn.coalesce(fn.sum<string>(fn<number>("octet_length", ["payload"])), sql.lit(0)).as("bytes"),
    ])
    .where("org_id", "=", orgId)
    .where("principal_id", "=", principalId)
    .where("expires_at", ">", new Date(now))
    .executeTakeFirstOrThrow();
  if (Number(count) >= CHALLENGES_OPEN_MAX)
    throw apiError("challenges_too_many", `${CHALLENGES_OPEN_MAX} challenges are open; use them or let them expire.`);
  if (Number(bytes) + utf8(payload).length > CHALLENGES_OPEN_BYTES_MAX)
    throw apiError("challenges_too_many", "Open challenges hold too many bytes; use them or let them expire.");
}

function usableCredentials({ state }: Api, { orgId, principalId }: Caller): string[] {
  const credentials = state().organisations.get(orgId)?.credentials.values() ?? [];
  return [...credentials]
    .filter((credential) => credential.principalId === principalId && credential.active && credential.confirmed)
    .map(({ credId }) => credId);
}
