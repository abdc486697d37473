import { setTimeout as delay } from "node:timers/promises";
import { authorize, type Evidence } from "@countersign/authority";
import { CountersignError } from "@countersign/errors";
import type { CreateKey } from "@countersign/intent";
import type { ConsumedAction } from "../actions/consume-user-action.ts";
import { evidenceColumns, evidenceOf } from "../actions/evidence-columns.ts";
import type { Api } from "../api.ts";
import { apiError } from "../errors.ts";
import { readCreatedKey } from "./created-key.ts";
import { keyAnswer, requireKey } from "./key-rows.ts";
import type { Key } from "./key-schema.ts";

/** Architecture 8: all n nodes over several rounds. */
export const CREATE_KEY_MS_MAX = 60_000;
/** Calls to the network for one request; a session that lost a node is continued by the next. */
const CALLS_MAX = 4;
/** First pause between them; doubled each time. */
const PAUSE_MS = 250;
/** Creations continued at one time: there are few, and each needs every node. */
const CONTINUED_MAX = 16;
/** Refusals by which a node says that it holds a share of the key or makes one: what was begun can still become a key. */
const BEGUN: ReadonlySet<string> = new Set([
  "generation_running",
  "share_exists",
  "share_active",
  "share_session_differs",
]);

/** Runs key creations to their end, also those that a crash or an outage cut off: the same approval makes the same key. */
export class KeyCreations {
  readonly #api: Api;
  readonly #running = new Set<string>();

  constructor(api: Api) {
    this.#api = api;
  }

  /**
   * Creates the approved key within `deadlineMs`. When the network fails half-way the creation is kept and continued while the
   * approval is valid; the error's details name the key id to look for.
   */
  async create({ evidence, approval }: ConsumedAction, deadlineMs: number): Promise<Key> {
    const { intent, orgId } = approval;
    if (intent.kind !== "create-key") throw apiError("user_action_mismatch", "The user action approves no new key.");
    // Before the network is asked: from here on a crash is followed by a continuation, not by a key that nobody knows.
    await this.#api.database.inOrganisation(orgId, (transaction) =>
      transaction
        .insertInto("key_creations")
        .values({ key_id: intent.keyId, ...evidenceColumns(evidence) })
        .onConflict((conflict) => conflict.doNothing())
        .execute(),
    );
    return this.#run(evidence, intent, deadlineMs, (error) => isFinal(error) || isNothingStarted(error));
  }

  /** Takes up the creations of one organisation that nobody runs. Failures are logged; the next call tries again. */
  async continueAll(orgId: string): Promise<void> {
    const rows = await this.#api.database.inOrganisation(orgId, (transaction) =>
      transaction.selectFrom("key_creations").selectAll().where("org_id", "=", orgId).limit(CONTINUED_MAX).execute(),
    );
    const waiting = rows.filter(({ key_id }) => !this.#running.has(key_id));
    await Promise.all(waiting.map((row) => this.#continue(evidenceOf(row), row.key_id)));
  }

  async #continue(evidence: Evidence, keyId: string): Promise<void> {
    try {
      const { intent } = authorize(evidence, this.#api.state(), { now: this.#api.now() });
      if (intent.kind === "create-key") await this.#run(evidence, intent, CREATE_KEY_MS_MAX, isFinal);
    } catch (error) {
      this.#api.log.warn({ err: error, keyId }, "a key creation could not be continued");
      if (isFinal(error)) await this.#forget(evidence.orgId, keyId);
    }
  }

  /** `isOver` tells the failures after which no node can hold anything that this approval still makes a key of. */
  async #run(
    evidence: Evidence,
    intent: CreateKey,
    deadlineMs: number,
    isOver: (error: unknown) => boolean,
  ): Promise<Key> {
    this.#running.add(intent.keyId);
    try {
      return await this.#finish(evidence, intent, deadlineMs);
    } catch (error) {
      if (!isOver(error)) throw named(error, intent.keyId);
      await this.#forget(evidence.orgId, intent.keyId);
      throw error;
    } finally {
      this.#running.delete(intent.keyId);
    }
  }

  async #finish(evidence: Evidence, intent: CreateKey, deadlineMs: number): Promise<Key> {
    const { descriptor, now, database } = this.#api;
    const created = readCreatedKey(await this.#ask(evidence, deadlineMs), intent, descriptor);
    return database.inOrganisation(evidence.orgId, async (transaction) => {
      const { keyId, scheme, curve, suite, purpose, name } = intent;
      await transaction
        .insertInto("keys")
        .values({
          org_id: evidence.orgId,
          id: keyId,
          scheme,
          curve,
          suite,
          purpose,
          public_key: created.publicKey,
          internal_public_key: created.internalPublicKey ?? null,
          name: name ?? null,
          status: "Active",
          certificate: JSON.stringify(created.certificate),
          created_at: new Date(now()),
        })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      await transaction
        .deleteFrom("key_creations")
        .where("org_id", "=", evidence.orgId)
        .where("key_id", "=", keyId)
        .execute();
      return keyAnswer(await requireKey(transaction, evidence.orgId, keyId));
    });
  }

  async #ask(evidence: Evidence, deadlineMs: number) {
    const { orchestrators, stopping: signal } = this.#api;
    const endsAt = performance.now() + deadlineMs;
    let earlier: unknown;
    for (let call = 1; ; call++) {
      try {
        return await orchestrators.createKey(evidence, { deadlineMs: Math.max(1, endsAt - performance.now()), signal });
      } catch (latest) {
        // An earlier call may have begun a session with the node that is now away: its failure tells more than "nothing was started".
        const error = earlier !== undefined && isNothingStarted(latest) ? earlier : latest;
        earlier = error;
        const pauseMs = PAUSE_MS * 2 ** (call - 1);
        const isHopeless = isFinal(error) || isNothingStarted(error) || signal.aborted || call >= CALLS_MAX;
        // Safe to repeat: one approval makes one key, and the network continues what an earlier call began.
        if (isHopeless || performance.now() + pauseMs >= endsAt) throw error;
        await delay(pauseMs, undefined, { signal }).catch(() => {
          throw error; // The pause ends early only because the service stops; what failed before says more than that.
        });
      }
    }
  }

  async #forget(orgId: string, keyId: string): Promise<void> {
    await this.#api.database.inOrganisation(orgId, (transaction) =>
      transaction.deleteFrom("key_creations").where("org_id", "=", orgId).where("key_id", "=", keyId).execute(),
    );
  }
}

/**
 * Whether nothing can come of trying this approval again, whatever earlier calls began: the network judged it and said no. What only
 * says that nodes are away or busy is not final, nor what says that a node holds a share already.
 */
function isFinal(error: unknown): boolean {
  if (!(error instanceof CountersignError) || BEGUN.has(error.code)) return false;
  return error.kind === "refusal" || error.kind === "abort";
}

/** Whether a call ended before it began anything. Of the calls before it this says nothing. */
function isNothingStarted(error: unknown): boolean {
  return error instanceof CountersignError && error.code === "nodes_missing";
}

/** The caller needs the id to find a key that is finished later. */
function named(error: unknown, keyId: string): unknown {
  if (!(error instanceof CountersignError)) return error;
  const { code, kind, http, grpc, message, details } = error;
  return new CountersignError(code, { kind, http, grpc, meaning: "" }, message, {
    details: { ...details, keyId },
    cause: error,
  });
}
