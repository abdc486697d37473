import assert from "node:assert/strict";
import type { AuditFields } from "./audit/audit-entry.ts";
import type { RecordPlace, Sealer } from "./record/sealer.ts";

/** One step of the vault's state: reads its places, writes, and appends to the audit log, all in one transaction. */
export interface Operation<T> {
  /** Everything it may read. Writing needs no mention. */
  readonly places: readonly RecordPlace[];
  /**
   * Those of its places that hold something only when the operation is a repetition. They are not looked up at first; the transaction
   * requires that they are absent, and is decided again on what they hold when they are not.
   */
  readonly presumedAbsent?: readonly RecordPlace[];
  /**
   * Decides on the state at its turn. What it throws refuses this operation alone, and nothing of it is written. Runs again
   * when another writer was faster, so it has no effect but its return value.
   */
  readonly decide: (transaction: Transaction) => T;
}

/** An operation's view: what is committed, and what the operations before it in the same transaction wrote. */
export interface Transaction {
  /** Opens a record, or returns undefined when absent. Raises `record_rejected`. */
  read(place: RecordPlace): Uint8Array | undefined;
  /** Seals a record into its place; undefined deletes it. */
  write(place: RecordPlace, plaintext: Uint8Array | undefined): void;
  /** Writes a row as it is; undefined deletes it. For what is sealed already, and for index rows that say nothing. */
  put(row: string, value: Uint8Array | undefined): void;
  /** Appends an audit entry. */
  audit(kind: string, fields: AuditFields): void;
}

/** A transaction's rows by key; undefined is an absent row. */
export type Rows = ReadonlyMap<string, Uint8Array | undefined>;

/** Collects what one operation writes, over what was read and what the operations before it wrote. */
export class DraftTransaction implements Transaction {
  readonly writes = new Map<string, Uint8Array | undefined>();
  readonly entries: { readonly kind: string; readonly fields: AuditFields }[] = [];
  readonly #sealer: Sealer;
  readonly #rows: Rows;
  readonly #written: Rows;

  constructor(sealer: Sealer, state: { readonly read: Rows; readonly written: Rows }) {
    this.#sealer = sealer;
    this.#rows = state.read;
    this.#written = state.written;
  }

  read(place: RecordPlace): Uint8Array | undefined {
    const layer = [this.writes, this.#written, this.#rows].find((rows) => rows.has(place.row));
    assert(layer !== undefined, `An operation reads ${place.row}, which it did not name.`);
    const sealed = layer.get(place.row);
    return sealed === undefined ? undefined : this.#sealer.open(place, sealed);
  }

  write(place: RecordPlace, plaintext: Uint8Array | undefined): void {
    this.put(place.row, plaintext === undefined ? undefined : this.#sealer.seal(place, plaintext));
  }

  put(row: string, value: Uint8Array | undefined): void {
    this.writes.set(row, value);
  }

  audit(kind: string, fields: AuditFields): void {
    this.entries.push({ kind, fields });
  }
}
