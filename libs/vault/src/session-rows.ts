import { decodeHex, decodeUtf8, hex, utf8 } from "@countersign/bytes";
import { decodeRow, encodeRow } from "./record/row.ts";
import type { RecordPlace } from "./record/sealer.ts";
import type { Transaction } from "./transaction.ts";

/** Store keys by which what expired is found; milliseconds in 16 hex digits and the session id follow. */
export const EXPIRY_PREFIX = "expiry/";
/** Until which expiry sessions may have been forgotten; those that claim to expire no later are refused. */
export const PRUNED: RecordPlace = { kind: "pruned", row: "pruned" };

/** What an expiry row points at. A hint: the rows it leads to say themselves, under their seals, when they expire. */
export interface Expiring {
  /** The expiry row's own key. */
  readonly row: string;
  readonly expiresAt: number;
  readonly sessionId: Uint8Array;
  readonly c: Uint8Array;
  /** Key of a generation; empty for signing. */
  readonly keyId: string;
}

/** Where a session id is remembered. */
export function sessionPlace(sessionId: Uint8Array): RecordPlace {
  return { kind: "session", row: `session/${hex(sessionId)}` };
}

/** Where the sessions accepted for a C are counted. */
export function attemptsPlace(c: Uint8Array): RecordPlace {
  return { kind: "attempts", row: `attempts/${hex(c)}`, c };
}

/** Generation bookkeeping of a key that is not active yet. */
export function generatingPlace(keyId: string): RecordPlace {
  return { kind: "generating", row: `generating/${keyId}`, keyId };
}

/** Store key of a session's expiry row. */
export function expiryRow({ expiresAt, sessionId }: Pick<Expiring, "expiresAt" | "sessionId">): string {
  return `${EXPIRY_PREFIX}${expiresAt.toString(16).padStart(16, "0")}/${hex(sessionId)}`;
}

/** Value of an expiry row. */
export function expiryHint({ c, keyId }: Pick<Expiring, "c" | "keyId">): Uint8Array {
  return utf8(`${hex(c)}/${keyId}`);
}

/** Reads an expiry row; undefined when it is none of ours. */
export function readExpiry(row: string, value: Uint8Array): Expiring | undefined {
  try {
    const [time = "", session = "", extra] = row.slice(EXPIRY_PREFIX.length).split("/");
    const [c = "", keyId = "", more] = decodeUtf8(value).split("/");
    if (time.length !== 16 || extra !== undefined || more !== undefined || !/^[a-z0-9-]{0,64}$/.test(keyId))
      return undefined;
    const expiresAt = Number.parseInt(time, 16);
    return { row, expiresAt, sessionId: decodeHex(session), c: decodeHex(c), keyId };
  } catch {
    // Not sealed, so anything may stand here; what is unreadable points at nothing.
    return undefined;
  }
}

/** Reads `PRUNED`; 0 when nothing was pruned yet. */
export function prunedUntil(transaction: Transaction): number {
  const row = transaction.read(PRUNED);
  return row === undefined ? 0 : decodeRow(row).integer("until");
}

/** Writes `PRUNED`. */
export function writePrunedUntil(transaction: Transaction, until: number): void {
  transaction.write(PRUNED, encodeRow({ until }));
}
