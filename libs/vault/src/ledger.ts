import { type AuditHead, auditHash, encodeAuditEntry } from "./audit/audit-entry.ts";
import { AUDIT_HEAD, type ChainEnd, readChainEnd, sealHead } from "./audit/chain-end.ts";
import { auditRow } from "./audit/verify-audit.ts";
import { vaultError } from "./errors.ts";
import type { Sealer } from "./record/sealer.ts";
import { PRUNED } from "./session-rows.ts";
import { GroupQueue } from "./store/group-queue.ts";
import type { Batch, VaultStore } from "./store/vault-store.ts";
import { DraftTransaction, type Operation, type Rows, type Transaction } from "./transaction.ts";

/** Lost races against other writers of one store before a group gives up. A store with one owner never loses one. */
const CONFLICTS_MAX = 8;
/** Deferred operations that may wait; the sessions they belong to are bounded below this. */
const DEFERRED_MAX = 4096;
/** Deferred operations that ride in one transaction. */
const DEFERRED_GROUP_MAX = 256;
/** A deferred operation waits at most this long for a transaction to ride in. */
export const DEFERRED_MS_MAX = 1000;

/** A timer: calls `run` once after `delayMs` and returns what cancels it. */
export type After = (delayMs: number, run: () => void) => () => void;

export interface LedgerOptions {
  readonly store: VaultStore;
  readonly sealer: Sealer;
  readonly deploymentId: string;
  readonly nodeId: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly after: After;
  /** Asked before each transaction for housekeeping that rides in it. */
  readonly housekeeping: () => Promise<Operation<void> | undefined>;
}

/** An operation's end: done, or refused by its own decision. */
type Settled = { readonly kind: "done" } | { readonly kind: "refused"; readonly error: unknown };

interface Draft {
  readonly settled: readonly Settled[];
  readonly batch: Batch;
  readonly end: ChainEnd;
}

/**
 * Runs operations one after another in few transactions: those that wait together share one, each deciding on the state that the
 * ones before it left, and with it the audit chain grows without a race. Every batch requires the audit head to be the one it
 * decided on, so a second writer of the same store can only make it decide again.
 */
export class Ledger {
  readonly #options: LedgerOptions;
  readonly #queue = new GroupQueue<Operation<void>, Settled>((group) => this.#runGroup(group));
  readonly #deferred: Operation<void>[] = [];
  #end: ChainEnd | undefined;
  /** Rows that nearly every operation reads, as they are at `#end`: whoever changes one moves the head. */
  readonly #kept = new Map<string, Uint8Array | undefined>();
  #closed = false;
  #cancelTimer: (() => void) | undefined;

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  /** Resolves once what the operation wrote is durable; rejects with its refusal or with the store's outage. */
  async run<T>(operation: Operation<T>): Promise<T> {
    this.#requireOpen();
    let decided: { readonly value: T } | undefined;
    const decide = (transaction: Transaction) => {
      decided = { value: operation.decide(transaction) };
    };
    const settled = await this.#queue.submit({ ...operation, decide });
    if (settled.kind === "refused") throw settled.error;
    if (decided === undefined) throw vaultError("store_failed", "An operation ended without a decision.");
    return decided.value;
  }

  /**
   * Lets an operation ride in the next transaction, at the latest in one of its own within a second; after a failed transaction in
   * the one after it, so that it may be written twice when the failed one was durable after all. Raises `store_overloaded`.
   */
  defer(operation: Operation<void>): void {
    this.#requireOpen();
    if (this.#deferred.length >= DEFERRED_MAX)
      throw vaultError("store_overloaded", `${DEFERRED_MAX} outcomes wait for the disk already.`);
    this.#deferred.push(operation);
    this.#startTimer();
  }

  /** The chain's end as far as this process knows it durable. */
  async head(): Promise<AuditHead> {
    const { index, hash } = await this.#chainEnd();
    return { index, hash };
  }

  /** Refuses new operations, waits for the running ones and commits what was deferred; rejects when the store does not take it. */
  async close(): Promise<void> {
    this.#closed = true;
    try {
      while (this.#deferred.length > 0) await this.#flush();
    } finally {
      await this.#queue.close();
      this.#stopTimer();
    }
  }

  #requireOpen(): void {
    if (this.#closed) throw vaultError("store_closed", "The vault is closed.");
  }

  async #flush(): Promise<void> {
    await this.#queue.submit({ places: [], decide: () => undefined });
  }

  #startTimer(): void {
    this.#cancelTimer ??= this.#options.after(DEFERRED_MS_MAX, () => {
      this.#cancelTimer = undefined;
      // A failed flush put its operations back and started the timer again.
      this.#flush().catch(() => undefined);
    });
  }

  async #runGroup(group: readonly Operation<void>[]): Promise<readonly Settled[]> {
    const riding = this.#deferred.splice(0, DEFERRED_GROUP_MAX);
    try {
      const housekeeping = await this.#options.housekeeping();
      const settled = await this.#commit([...riding, ...(housekeeping === undefined ? [] : [housekeeping]), ...group]);
      if (this.#deferred.length === 0) this.#stopTimer();
      return settled.slice(settled.length - group.length);
    } catch (error) {
      // Whether it was written is unknown: the next group reads where the chain ends.
      this.#forgetEnd();
      this.#deferred.unshift(...riding);
      if (this.#deferred.length > 0) this.#startTimer();
      throw error;
    }
  }

  #stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  async #commit(operations: readonly Operation<void>[]): Promise<readonly Settled[]> {
    const { store } = this.#options;
    const keys = new Set(operations.flatMap(({ places }) => places.map(({ row }) => row)));
    let presumed = new Set(operations.flatMap(({ presumedAbsent = [] }) => presumedAbsent.map(({ row }) => row)));
    for (let conflicts = 0; conflicts < CONFLICTS_MAX; conflicts++) {
      const end = await this.#chainEnd();
      const rows = await this.#read([...keys], presumed);
      const { settled, batch, end: nextEnd } = this.#draft(operations, rows, end);
      // A refusal must rest on rows that were seen.
      if (batch.write.length === 0 && presumed.size === 0) return settled;
      if (batch.write.length > 0) {
        const absent = [...presumed].map((key) => ({ key, value: undefined }));
        const result = await store.commit({ ...batch, require: [...batch.require, ...absent] });
        if (result.kind === "committed") {
          this.#end = nextEnd;
          for (const { key, value } of batch.write) if (this.#kept.has(key)) this.#kept.set(key, value);
          return settled;
        }
      }
      presumed = new Set();
      this.#forgetEnd();
    }
    throw vaultError("store_contended", `Another writer of this store won ${CONFLICTS_MAX} races in a row.`);
  }

  /** Rows as they are at the chain's end; those presumed absent are not looked up, because the batch will require it. */
  async #read(keys: readonly string[], presumed: ReadonlySet<string>): Promise<Rows> {
    const unknown = keys.filter((key) => !presumed.has(key) && !this.#kept.has(key));
    const values = unknown.length > 0 ? await this.#options.store.read(unknown) : [];
    const rows = new Map(unknown.map((key, place) => [key, values[place]]));
    for (const key of presumed) rows.set(key, undefined);
    if (rows.has(PRUNED.row)) this.#kept.set(PRUNED.row, rows.get(PRUNED.row));
    for (const [key, value] of this.#kept) rows.set(key, value);
    return rows;
  }

  #forgetEnd(): void {
    this.#end = undefined;
    this.#kept.clear();
  }

  /** Decides every operation in order over the rows as read; pure but for the clock and the seals' nonces. */
  #draft(operations: readonly Operation<void>[], rows: Rows, end: ChainEnd): Draft {
    const { sealer, now } = this.#options;
    const written = new Map<string, Uint8Array | undefined>();
    const time = now();
    let { index, hash } = end;
    const settled = operations.map((operation): Settled => {
      const draft = new DraftTransaction(sealer, { read: rows, written });
      const entries: Uint8Array[] = [];
      try {
        operation.decide(draft);
        let prevHash = hash;
        for (const { kind, fields } of draft.entries) {
          const entry = encodeAuditEntry({ index: index + 1 + entries.length, time, kind, fields, prevHash });
          entries.push(entry);
          prevHash = auditHash(entry);
        }
      } catch (error) {
        return { kind: "refused", error };
      }
      for (const [row, value] of draft.writes) written.set(row, value);
      for (const entry of entries) {
        index++;
        hash = auditHash(entry);
        written.set(auditRow(index), entry);
      }
      return { kind: "done" };
    });
    if (written.size === 0) return { settled, batch: { require: [], write: [] }, end };
    const sealed = sealHead(sealer, { index, hash });
    written.set(AUDIT_HEAD.row, sealed);
    // Every batch moves the head, so that it alone tells whether anything changed since the rows were read.
    const require = [{ key: AUDIT_HEAD.row, value: end.sealed }];
    const write = [...written].map(([key, value]) => ({ key, value }));
    return { settled, batch: { require, write }, end: { index, hash, sealed } };
  }

  async #chainEnd(): Promise<ChainEnd> {
    this.#end ??= await readChainEnd(this.#options);
    return this.#end;
  }
}
