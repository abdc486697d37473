import { hex, utf8 } from "@countersign/bytes";
import { vaultError } from "./errors.ts";
import { decodeFacts, encodeFacts, factsPlace, type KeyFacts, sharePlace } from "./key-record.ts";
import { decodeRow, encodeRow } from "./record/row.ts";
import type { RecordPlace } from "./record/sealer.ts";
import { generatingPlace } from "./session-rows.ts";
import type { Operation, Transaction } from "./transaction.ts";

const HOUR_MS = 3_600_000;
/** Sessions that one key may give up in an hour: as many as it may start. */
const RENUNCIATIONS_PER_HOUR_MAX = 16;

/** A key and one of its generation sessions. */
export interface KeySession {
  readonly keyId: string;
  /** 32 bytes. */
  readonly sessionId: Uint8Array;
}

/**
 * How a generation session ended at this node without an active key. It stays: a node that renounced never stages in that session,
 * and one that staged never renounces it, whatever order the calls come in (Schnorr specification, section 3).
 */
type SessionEnd = "renounced" | "dropped";

/** Where a key is found by the C of its creation: one C makes one key. */
export function keyOfPlace(c: Uint8Array): RecordPlace {
  return { kind: "key-of", row: `key-of/${hex(c)}`, c };
}

/** Stores a share as staged. Raises `session_renounced` and `share_exists`. */
export function stage(facts: KeyFacts, sealedShare: Uint8Array): Operation<void> {
  const places = { facts: factsPlace(facts.keyId), keyOf: keyOfPlace(facts.c), end: endPlace(facts) };
  return {
    places: Object.values(places),
    decide(transaction) {
      if (readEnd(transaction, facts) !== undefined)
        throw vaultError("session_renounced", `Session ${hex(facts.sessionId)} ended without a share of this node.`);
      if (transaction.read(places.facts) !== undefined || transaction.read(places.keyOf) !== undefined)
        throw vaultError("share_exists", `This node holds a record for ${facts.keyId} or for its C.`, {
          details: { keyId: facts.keyId },
        });
      transaction.write(places.facts, encodeFacts(facts));
      transaction.put(sharePlace(facts).row, sealedShare);
      transaction.write(places.keyOf, utf8(facts.keyId));
      transaction.audit("key-staged", auditFields(facts));
    },
  };
}

/**
 * Makes a staged key active and returns its facts. Repeating it changes nothing. Raises `share_unknown` and
 * `share_session_differs`.
 */
export function activate(key: KeySession, certificate: Uint8Array): Operation<KeyFacts> {
  const place = factsPlace(key.keyId);
  return {
    places: [place],
    decide(transaction) {
      const facts = readFacts(transaction, key.keyId);
      requireSession(facts, key);
      if (facts.state.kind === "active") return facts;
      const active: KeyFacts = { ...facts, state: { kind: "active", certificate } };
      transaction.write(place, encodeFacts(active));
      transaction.put(generatingPlace(key.keyId).row, undefined);
      transaction.audit("key-activated", auditFields(active));
      return active;
    },
  };
}

/**
 * Erases a staged share once its certificate has become impossible, and remembers that the session is over. Repeating it
 * changes nothing. Raises `share_unknown`, `share_active` and `share_session_differs`.
 */
export function drop(key: KeySession): Operation<void> {
  const place = factsPlace(key.keyId);
  return {
    places: [place, endPlace(key)],
    decide(transaction) {
      if (readEnd(transaction, key) === "dropped") return;
      const facts = readFacts(transaction, key.keyId);
      requireSession(facts, key);
      if (facts.state.kind === "active")
        throw vaultError("share_active", `${key.keyId} is active.`, { details: { keyId: key.keyId } });
      for (const { row } of [place, sharePlace(facts), keyOfPlace(facts.c)]) transaction.put(row, undefined);
      writeEnd(transaction, key, "dropped");
      transaction.audit("key-dropped", auditFields(facts));
    },
  };
}

/**
 * Promises never to stage in a session. Repeating it changes nothing and counts as nothing. Raises `share_staged` once this node staged
 * in it, `share_active` when the key is active by another session, `renunciation_limit`.
 */
export function renounce(key: KeySession, now: number): Operation<void> {
  const place = factsPlace(key.keyId);
  return {
    places: [place, endPlace(key), renouncedPlace(key)],
    decide(transaction) {
      const end = readEnd(transaction, key);
      if (end === "renounced") return;
      const held = transaction.read(place);
      const facts = held === undefined ? undefined : decodeFacts(held);
      const staged = facts !== undefined && hex(facts.sessionId) === hex(key.sessionId);
      if (staged || end === "dropped")
        throw vaultError("share_staged", `This node staged a share of ${key.keyId} in that session.`, {
          details: { keyId: key.keyId },
        });
      // Nobody is waiting for such a promise: all n nodes acknowledged the key.
      if (facts?.state.kind === "active")
        throw vaultError("share_active", `${key.keyId} is active.`, { details: { keyId: key.keyId } });
      countRenunciation(transaction, key, now);
      writeEnd(transaction, key, "renounced");
      transaction.audit("session-renounced", { keyId: key.keyId, session: hex(key.sessionId) });
    },
  };
}

/** A promise stays for good, so whoever holds one approval may not have them without end. */
function countRenunciation(transaction: Transaction, key: KeySession, now: number): void {
  const place = renouncedPlace(key);
  const row = transaction.read(place);
  const times = row === undefined ? [] : decodeRow(row).integers("times");
  const recent = times.filter((time) => time > now - HOUR_MS);
  if (recent.length >= RENUNCIATIONS_PER_HOUR_MAX)
    throw vaultError("renunciation_limit", `${key.keyId} was renounced ${recent.length} times within an hour.`, {
      details: { keyId: key.keyId },
    });
  transaction.write(place, encodeRow({ times: [...recent, now] }));
}

function renouncedPlace({ keyId }: KeySession): RecordPlace {
  return { kind: "renounced", row: `renounced/${keyId}`, keyId };
}

function endPlace({ keyId, sessionId }: KeySession): RecordPlace {
  return { kind: "session-end", row: `session-end/${keyId}/${hex(sessionId)}`, keyId };
}

function readEnd(transaction: Transaction, key: KeySession): SessionEnd | undefined {
  const end = transaction.read(endPlace(key));
  if (end === undefined) return undefined;
  return Buffer.from(end).toString() === "renounced" ? "renounced" : "dropped";
}

function writeEnd(transaction: Transaction, key: KeySession, end: SessionEnd): void {
  transaction.write(endPlace(key), utf8(end));
}

function readFacts(transaction: Transaction, keyId: string): KeyFacts {
  const facts = transaction.read(factsPlace(keyId));
  if (facts === undefined)
    throw vaultError("share_unknown", `This node holds no record of ${keyId}.`, { details: { keyId } });
  return decodeFacts(facts);
}

function requireSession(facts: KeyFacts, { keyId, sessionId }: KeySession): void {
  if (hex(facts.sessionId) !== hex(sessionId))
    throw vaultError("share_session_differs", `${keyId} was staged in session ${hex(facts.sessionId)}.`, {
      details: { keyId },
    });
}

function auditFields(facts: KeyFacts) {
  const { keyId, owner, purpose, suite, epoch } = facts;
  return { keyId, owner, purpose, suite, epoch, c: hex(facts.c), session: hex(facts.sessionId) };
}
