import { parseJson, prefixedHex } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import { interpret, type Sign } from "@countersign/intent";
import type { SignResponse } from "@countersign/proto/orchestrator";
import type { Updateable } from "kysely";
import type { ConsumedAction } from "../actions/consume-user-action.ts";
import { isSameValue } from "../actions/same-value.ts";
import type { Api } from "../api.ts";
import type { Caller } from "../authentication.ts";
import type { OrganisationTransaction } from "../database/database.ts";
import type { SignatureRow } from "../database/tables.ts";
import { apiError } from "../errors.ts";
import { requireKey, signingKey } from "../keys/key-rows.ts";
import { requireSignature, type StoredSignature, signatureAnswer } from "./signature-rows.ts";
import type { Signature, SignatureValue } from "./signature-schema.ts";

/** Architecture 8. */
export const SIGN_MS_MAX = 10_000;
/** After its deadline a running signature's own call has this long to store its end before the row is taken for cut off. */
const SETTLE_MARGIN_MS = 5_000;
/** What a caller reads of a failure. */
const REASON_LENGTH_MAX = 500;

/** A request that is allowed to run. */
interface Request {
  readonly caller: Caller;
  readonly action: ConsumedAction;
  readonly intent: Sign;
  /** Signatures that the approval asks for. */
  readonly itemCount: number;
  readonly deadlineMs: number;
}

/** Obtains signatures and keeps their objects: each ends Signed or Failed, and one externalId never makes two. */
export class Signing {
  readonly #api: Api;
  /** Ends of those that run here, by id: whoever asks for the same one waits for it. */
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(api: Api) {
    this.#api = api;
  }

  /**
   * Signs what was approved, or answers the signature that the same externalId obtained before. Raises
   * `external_id_conflict`, `signature_in_progress`, and what the network raises; the object then ends Failed.
   */
  async sign(caller: Caller, action: ConsumedAction, deadlineMs: number): Promise<Signature> {
    const { intent } = action.approval;
    if (intent.kind !== "sign") throw apiError("user_action_mismatch", "The user action approves no signature.");
    const claimed = await this.#api.database.inOrganisation(caller.orgId, async (transaction) => {
      const key = await requireKey(transaction, caller.orgId, intent.keyId);
      const itemCount = interpret(intent, signingKey(key)).length;
      const request: Request = { caller, action, intent, itemCount, deadlineMs };
      return { request, existing: await this.#claim(transaction, request) };
    });
    if (claimed.existing !== undefined) return this.#answerExisting(claimed.existing, claimed.request);
    const run = this.#run(claimed.request).finally(() => this.#running.delete(intent.signatureId));
    this.#running.set(intent.signatureId, run);
    return signatureAnswer(await run);
  }

  /** Ends as Failed what no call runs any more: whatever is past its deadline, or, after a start, everything. */
  async settle(orgId: string, { everything }: { everything: boolean }): Promise<void> {
    const { database, now } = this.#api;
    await database.inOrganisation(orgId, (transaction) => {
      const running = transaction
        .updateTable("signatures")
        .set({ status: "Failed", reason: "The service was cut off while signing; approve the request again." })
        .where("org_id", "=", orgId)
        .where("status", "=", "Executing");
      const overdue = new Date(now() - SETTLE_MARGIN_MS);
      return (everything ? running : running.where("deadline_at", "<", overdue)).execute();
    });
  }

  /** Writes the object, or finds the one that has its externalId. The database decides which of two parallel calls is first. */
  async #claim(
    transaction: OrganisationTransaction,
    { caller, action, intent, deadlineMs }: Request,
  ): Promise<StoredSignature | undefined> {
    const { orgId, principalId, tokenId } = caller;
    const { externalId } = intent.body;
    const now = this.#api.now();
    const inserted = await transaction
      .insertInto("signatures")
      .values({
        org_id: orgId,
        id: intent.signatureId,
        key_id: intent.keyId,
        principal_id: principalId,
        token_id: tokenId,
        payload: action.evidence.payload,
        external_id: externalId ?? null,
        status: "Executing",
        requested_at: new Date(now),
        deadline_at: new Date(now + deadlineMs),
      })
      .onConflict((conflict) => conflict.doNothing())
      .returning("id")
      .executeTakeFirst();
    if (inserted !== undefined) return undefined;
    return transaction
      .selectFrom("signatures")
      .selectAll()
      .where("org_id", "=", orgId)
      .where((row) =>
        externalId === undefined
          ? row("id", "=", intent.signatureId)
          : row.and([row("principal_id", "=", principalId), row("external_id", "=", externalId)]),
      )
      .executeTakeFirstOrThrow();
  }

  async #answerExisting(existing: StoredSignature, { action, intent }: Request): Promise<Signature> {
    const { id, external_id: externalId, key_id: keyId, org_id: orgId, payload } = existing;
    if (keyId !== intent.keyId || !isSameValue(parseJson(payload), parseJson(action.evidence.payload)))
      throw apiError("external_id_conflict", "Conflicting signature with same externalId", {
        details: { id, externalId: externalId ?? "" },
      });
    // How it ends is the first caller's to hear; here only that it ended.
    await this.#running.get(id)?.catch(() => {});
    const ended = await this.#api.database.inOrganisation(orgId, (transaction) =>
      requireSignature(transaction, { orgId, keyId, signatureId: id }),
    );
    if (ended.status === "Executing")
      throw apiError("signature_in_progress", "The signature with this externalId is being made.", { details: { id } });
    return signatureAnswer(ended);
  }

  async #run({ caller, action, intent, itemCount, deadlineMs }: Request): Promise<StoredSignature> {
    const { orchestrators, stopping: signal, now } = this.#api;
    let values: SignatureValue[];
    try {
      const answer = await orchestrators.sign(action.evidence, { deadlineMs, signal });
      values = readValues(answer, itemCount);
    } catch (error) {
      await this.#end(caller, intent, { status: "Failed", reason: reasonOf(error) });
      throw error;
    }
    const signatures = JSON.stringify(values);
    return this.#end(caller, intent, { status: "Signed", signatures, signed_at: new Date(now()) });
  }

  async #end({ orgId }: Caller, { signatureId, keyId }: Sign, end: Updateable<SignatureRow>): Promise<StoredSignature> {
    return this.#api.database.inOrganisation(orgId, async (transaction) => {
      await transaction
        .updateTable("signatures")
        .set(end)
        .where("org_id", "=", orgId)
        .where("id", "=", signatureId)
        .where("status", "=", "Executing")
        .execute();
      return requireSignature(transaction, { orgId, keyId, signatureId });
    });
  }
}

function readValues({ signatures }: SignResponse, itemCount: number): SignatureValue[] {
  if (signatures.length !== itemCount || signatures.some(({ r, s }) => r.length !== 32 || s.length !== 32))
    throw apiError("network_failed", "The network answered something else than the approved signatures.");
  return signatures.map(({ r, s }) => {
    const [rHex, sHex] = [prefixedHex(r), prefixedHex(s)];
    return { r: rHex, s: sHex, encoded: `${rHex}${sHex.slice(2)}` };
  });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof CountersignError) || error.kind === "bug") return "api_internal: The API failed.";
  return `${error.code}: ${error.message}`.slice(0, REASON_LENGTH_MAX);
}
