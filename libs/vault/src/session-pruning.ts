import { vaultError } from "./errors.ts";
import { decodeRow, type RowReader } from "./record/row.ts";
import type { RecordPlace } from "./record/sealer.ts";
import {
  attemptsPlace,
  EXPIRY_PREFIX,
  type Expiring,
  generatingPlace,
  PRUNED,
  prunedUntil,
  readExpiry,
  sessionPlace,
  writePrunedUntil,
} from "./session-rows.ts";
import type { Row, VaultStore } from "./store/vault-store.ts";
import type { Operation, Transaction } from "./transaction.ts";

/** What expired is kept for a day more, far beyond any clock skew between nodes. */
export const KEPT_AFTER_EXPIRY_MS = 86_400_000;
/** Sessions forgotten in one transaction: a fraction of a millisecond of work. */
const PRUNED_PER_TRANSACTION_MAX = 64;

/** Forgets attempts and session ids a day after they expired, a few at a time, inside transactions that happen anyway. */
export class SessionPruning {
  readonly #store: VaultStore;
  readonly #now: () => number;
  /** Before this time nothing is due: a new session is due a day after it begins at the earliest. */
  #nextDue = 0;

  constructor(options: { readonly store: VaultStore; readonly now: () => number }) {
    this.#store = options.store;
    this.#now = options.now;
  }

  /** The pruning that is due, if any. */
  async due(): Promise<Operation<void> | undefined> {
    const now = this.#now();
    if (now < this.#nextDue) return undefined;
    const rows = await this.#store.list({ prefix: EXPIRY_PREFIX, limit: PRUNED_PER_TRANSACTION_MAX });
    const found = rows.map((row) => ({ row, expiring: readExpiry(row.key, row.value) }));
    const due = found.filter(({ expiring }) => expiring === undefined || isPast(expiring.expiresAt, now));
    const next = found.find(({ expiring }) => expiring !== undefined && !isPast(expiring.expiresAt, now))?.expiring;
    if (due.length < PRUNED_PER_TRANSACTION_MAX)
      this.#nextDue = Math.min(next?.expiresAt ?? now, now) + KEPT_AFTER_EXPIRY_MS;
    return due.length === 0 ? undefined : prune(due, now);
  }
}

interface Found {
  readonly row: Row;
  readonly expiring: Expiring | undefined;
}

function prune(found: readonly Found[], now: number): Operation<void> {
  const expiring = found.flatMap((one) => (one.expiring === undefined ? [] : [one.expiring]));
  return {
    places: [PRUNED, ...expiring.flatMap(placesOf)],
    decide(transaction) {
      for (const { row } of found) transaction.put(row.key, undefined);
      let until = prunedUntil(transaction);
      for (const one of expiring) {
        // Before the rows go: from here on no session that expires as early is accepted, whatever the clock says.
        until = Math.max(until, one.expiresAt);
        for (const place of placesOf(one))
          if (isForgettable(transaction, place, now)) transaction.put(place.row, undefined);
      }
      writePrunedUntil(transaction, until);
    },
  };
}

function placesOf({ sessionId, c, keyId }: Expiring): readonly RecordPlace[] {
  return [sessionPlace(sessionId), attemptsPlace(c), ...(keyId === "" ? [] : [generatingPlace(keyId)])];
}

/** Whether the row itself says that its time is over. A row that does not open stays: refusing its use is the safe side. */
function isForgettable(transaction: Transaction, place: RecordPlace, now: number): boolean {
  let row: RowReader;
  try {
    const bytes = transaction.read(place);
    if (bytes === undefined) return false;
    row = decodeRow(bytes);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "record_rejected") return false;
    throw error;
  }
  switch (place.kind) {
    case "session":
    case "attempts":
      return isPast(row.integer("expiresAt"), now);
    case "generating":
      return [row.integer("until"), ...row.integers("starts")].every((time) => isPast(time, now));
    default:
      throw vaultError("record_rejected", `Records of kind ${place.kind} are never pruned.`);
  }
}

function isPast(expiresAt: number, now: number): boolean {
  return expiresAt + KEPT_AFTER_EXPIRY_MS <= now;
}
