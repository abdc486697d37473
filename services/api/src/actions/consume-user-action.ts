import { type Approval, authorize, type Evidence } from "@countersign/authority";
import { base64url, parseJson } from "@countersign/bytes";
import type { CountersignError } from "@countersign/errors";
import type { Api } from "../api.ts";
import type { Caller } from "../authentication.ts";
import type { UserActionRow } from "../database/tables.ts";
import { apiError } from "../errors.ts";
import { isOf } from "./approve-action.ts";
import { evidenceOf } from "./evidence-columns.ts";
import { isSameValue } from "./same-value.ts";

/** The call that a user action is presented with, as it arrived. */
export interface PresentedCall {
  /** Header x-dfns-useraction. */
  readonly userAction: string | undefined;
  readonly method: string;
  /** Request target, percent-encoding untouched. */
  readonly url: string;
  readonly bodyText: string;
}

/** What may be executed now, once. */
export interface ConsumedAction {
  readonly evidence: Evidence;
  readonly approval: Approval;
}

/**
 * Uses up a user action token. Single use is decided by the database: the row is deleted and read in one statement, before
 * anything else is looked at, so a token presented twice, or with another call, is spent. What is executed is the payload that
 * was signed, never the body that was sent. The row is not trusted: the evidence in it is judged anew.
 */
export async function consumeUserAction(api: Api, caller: Caller, call: PresentedCall): Promise<ConsumedAction> {
  if (call.userAction === undefined)
    throw apiError("user_action_missing", "user action signature is missing or invalid");
  const binding = await api.tokens.readUserAction(call.userAction);
  if (binding === undefined || !isOf(binding, caller))
    throw apiError("user_action_invalid", "user action signature is missing or invalid");
  const row = await takeRow(api, binding);
  if (row === undefined) throw apiError("user_action_used", "user action has already been used");
  const evidence = evidenceOf(row);
  const approval = authorize(evidence, api.state(), { now: api.now() });
  if (base64url(approval.c) !== binding.c) throw mismatch("approval");
  if (call.method !== evidence.method) throw mismatch("method");
  if (pathname(call.url) !== pathname(evidence.path)) throw mismatch("path");
  if (!isSameBody(call.bodyText, evidence.payload)) throw mismatch("body");
  return { evidence, approval };
}

async function takeRow(api: Api, { id, orgId }: { id: string; orgId: string }): Promise<UserActionRow | undefined> {
  return api.database.inOrganisation(orgId, (transaction) =>
    transaction
      .deleteFrom("user_actions")
      .where("org_id", "=", orgId)
      .where("id", "=", id)
      .returningAll()
      .executeTakeFirst(),
  );
}

function mismatch(part: string): CountersignError {
  return apiError("user_action_mismatch", `The ${part} is not what the user action approved.`, { details: { part } });
}

/** No operation that needs approval has a query parameter with effect, and the routes refuse every parameter. */
function pathname(path: string): string {
  const mark = path.indexOf("?");
  return mark === -1 ? path : path.slice(0, mark);
}

/** Byte-equal, or, because delegated clients write the body anew, the same value under the strict parser. */
function isSameBody(sent: string, signed: string): boolean {
  return sent === signed || (sent !== "" && isSameValue(parseJson(sent, "body"), parseJson(signed, "payload")));
}
