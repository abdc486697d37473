import assert from "node:assert/strict";
import { hex } from "@countersign/bytes";
import type { AuditFields } from "./audit/audit-entry.ts";
import { vaultError } from "./errors.ts";
import { keyOfPlace } from "./key-operations.ts";
import { factsPlace } from "./key-record.ts";
import { decodeRow, encodeRow } from "./record/row.ts";
import type { RecordPlace } from "./record/sealer.ts";
import {
  attemptsPlace,
  expiryHint,
  expiryRow,
  generatingPlace,
  PRUNED,
  prunedUntil,
  sessionPlace,
} from "./session-rows.ts";
import type { Operation, Transaction } from "./transaction.ts";

const HOUR_MS = 3_600_000;
/** Generations that one key may start in an hour (architecture 6). */
const GENERATIONS_PER_HOUR_MAX = 16;

interface SessionStart {
  /** 32 bytes, never accepted before. */
  readonly sessionId: Uint8Array;
  /** The action digest that approves the session, 32 bytes. */
  readonly c: Uint8Array;
  /**
   * Milliseconds since 1970. Signing: until when C can be presented, so that its attempt count outlives it. Generation: the
   * session's deadline, until when it counts as running unless its outcome is recorded.
   */
  readonly expiresAt: number;
  /** Fields of the audit entry `accepted` besides session, C, kind and attempt: evidence hash, key id, parties, heads. */
  readonly audit: AuditFields;
}

/** A session that signs: counted against its C. */
export interface SigningStart extends SessionStart {
  readonly kind: "sign";
  /** Sessions this node ever accepts for C: max(3, n-t+1). */
  readonly attemptsMax: number;
}

/** A session that generates a key: one at a time per key and a number per hour, not counted against C. */
export interface GenerationStart extends SessionStart {
  readonly kind: "generate";
  readonly keyId: string;
  /** Default 16. */
  readonly startsPerHourMax?: number;
}

/** Which attempt for C (signing), or which start within the hour (generation), the session is; from 1. */
export interface SessionBegun {
  readonly attempt: number;
}

/** How a session ended at this node. */
export interface SessionOutcome {
  /** 32 bytes. */
  readonly sessionId: Uint8Array;
  /** The session's key; a generation counts as running until its outcome names it. */
  readonly keyId: string;
  /** `signed`, `generated`, or an error's code. */
  readonly outcome: string;
  /** More fields of the audit entry `outcome`. Default none. */
  readonly audit?: AuditFields;
}

/** Process that runs a generation: one that died with its process no longer runs. */
export interface Clock {
  readonly now: () => number;
  /** Hex, fresh for every opening of the vault. */
  readonly bootId: string;
}

/**
 * Accepts a session: counts the attempt, remembers the session id and appends the audit entry `accepted`, in one transaction.
 * Raises `session_replayed`, `session_expired`, `attempts_exhausted`, `share_exists`, `generation_running`, `generation_limit`.
 */
export function begin(start: SigningStart | GenerationStart, clock: Clock): Operation<SessionBegun> {
  assert(start.sessionId.length === 32 && start.c.length === 32, "Session id and C have 32 bytes.");
  assert(Number.isSafeInteger(start.expiresAt) && start.expiresAt >= 0, "An expiry is in whole milliseconds.");
  if (start.kind === "sign")
    assert(Number.isSafeInteger(start.attemptsMax) && start.attemptsMax > 0, "A cap is positive.");
  const session = sessionPlace(start.sessionId);
  const counted = start.kind === "sign" ? [attemptsPlace(start.c)] : generationPlaces(start);
  return {
    places: [session, PRUNED, ...counted],
    // A first attempt, which nearly all are, then costs one journey to the store and not two.
    presumedAbsent: start.kind === "sign" ? [session, ...counted] : [session],
    decide(transaction) {
      const id = hex(start.sessionId);
      if (transaction.read(session) !== undefined)
        throw vaultError("session_replayed", `Session ${id} was accepted before.`);
      // What expired may be pruned, its attempts and session id forgotten; a clock set back must not revive it.
      if (start.expiresAt < clock.now() || start.expiresAt <= prunedUntil(transaction))
        throw vaultError("session_expired", `Session ${id} expired at ${start.expiresAt}.`);
      const attempt =
        start.kind === "sign" ? countAttempt(transaction, start) : countGeneration(transaction, start, clock);
      const { kind, expiresAt, c } = start;
      transaction.write(session, encodeRow({ kind, expiresAt, c }));
      transaction.put(expiryRow(start), expiryHint({ c, keyId: start.kind === "generate" ? start.keyId : "" }));
      transaction.audit("accepted", { ...start.audit, session: id, c: hex(c), sessionKind: kind, attempt });
      return { attempt };
    },
  };
}

/** Appends the audit entry `outcome`, and ends a generation. */
export function end({ sessionId, keyId, outcome, audit = {} }: SessionOutcome): Operation<void> {
  const place = generatingPlace(keyId);
  return {
    places: [place],
    decide(transaction) {
      const row = transaction.read(place);
      const generating = row === undefined ? undefined : decodeRow(row);
      if (generating?.text("sessionId") === hex(sessionId))
        transaction.write(
          place,
          encodeRow({ sessionId: "", bootId: "", until: 0, starts: generating.integers("starts") }),
        );
      transaction.audit("outcome", { ...audit, session: hex(sessionId), keyId, outcome });
    },
  };
}

/** Appends the audit entry `refused`: a call that ended before any session. */
export function refuse(fields: AuditFields): Operation<void> {
  return { places: [], decide: (transaction) => transaction.audit("refused", fields) };
}

function generationPlaces({ keyId, c }: GenerationStart): readonly RecordPlace[] {
  return [generatingPlace(keyId), factsPlace(keyId), keyOfPlace(c)];
}

function countAttempt(transaction: Transaction, { c, attemptsMax, expiresAt }: SigningStart): number {
  const place = attemptsPlace(c);
  const row = transaction.read(place);
  const before = row === undefined ? undefined : decodeRow(row);
  const count = before?.integer("count") ?? 0;
  if (count >= attemptsMax)
    throw vaultError(
      "attempts_exhausted",
      `${count} sessions were accepted for this approval; ${attemptsMax} may be.`,
      {
        details: { attempts: count },
      },
    );
  // Kept as long as the latest of its sessions: a later claim of an earlier expiry must not forget the count sooner.
  const keptUntil = Math.max(expiresAt, before?.integer("expiresAt") ?? 0);
  transaction.write(place, encodeRow({ count: count + 1, expiresAt: keptUntil }));
  return count + 1;
}

function countGeneration(transaction: Transaction, start: GenerationStart, { now, bootId }: Clock): number {
  const { keyId, sessionId, expiresAt, startsPerHourMax = GENERATIONS_PER_HOUR_MAX } = start;
  const details = { keyId };
  if (transaction.read(factsPlace(keyId)) !== undefined || transaction.read(keyOfPlace(start.c)) !== undefined)
    throw vaultError("share_exists", `This node holds a record for ${keyId} or for its C.`, { details });
  const place = generatingPlace(keyId);
  const row = transaction.read(place);
  const generating = row === undefined ? undefined : decodeRow(row);
  const running = generating?.text("bootId") === bootId && generating.integer("until") >= now();
  if (running) throw vaultError("generation_running", `A generation of ${keyId} is running.`, { details });
  const recent = (generating?.integers("starts") ?? []).filter((time) => time > now() - HOUR_MS);
  if (recent.length >= startsPerHourMax)
    throw vaultError("generation_limit", `${keyId} was started ${recent.length} times within an hour.`, { details });
  const starts = [...recent, now()];
  transaction.write(place, encodeRow({ sessionId: hex(sessionId), bootId, until: expiresAt, starts }));
  return starts.length;
}
