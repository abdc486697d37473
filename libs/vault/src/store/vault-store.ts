/** One stored record. */
export interface Row {
  /** 1..256 characters of `!` to `~`; ordered by code. */
  readonly key: string;
  /** At most 1 MiB. */
  readonly value: Uint8Array;
}

/** A row to require or to write; `undefined` means absent. */
export interface RowState {
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

/** Writes that happen together or not at all. At most 4,096 rows each to require and to write. */
export interface Batch {
  /** What the store must hold for the batch to apply: compare-and-set. */
  readonly require: readonly RowState[];
  /** Rows to put, and with `undefined` to delete. */
  readonly write: readonly RowState[];
}

/** A batch either is durable, or met another state than it requires and changed nothing. */
export type CommitResult = { readonly kind: "committed" } | { readonly kind: "conflict"; readonly key: string };

/** Rows whose keys begin with `prefix`, ascending, after the key `after` (default: from the first), at most `limit` (1..1,000). */
export interface RowRange {
  readonly prefix: string;
  readonly after?: string;
  readonly limit: number;
}

/**
 * A signer's durable, ordered rows. Everything it stores is sealed or chained by its caller: a store needs no secret.
 * Implementations pass `vaultStoreContract`. Outages: `store_full`, `store_failed`, `store_stalled`, `store_overloaded`,
 * `store_corrupt`, `store_closed`.
 */
export interface VaultStore {
  /** The committed values of up to 4,096 keys, in their order, all of one moment. */
  read(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]>;
  /** Committed rows of a range. */
  list(range: RowRange): Promise<readonly Row[]>;
  /** How many committed rows have this prefix. */
  count(prefix: string): Promise<number>;
  /**
   * Applies a batch and resolves only when it survives a power loss. Batches apply in the order of the calls; those that wait
   * together share one sync, and a conflict of one does not touch the others. When it rejects, the batch may or may not
   * be durable; only a read tells.
   */
  commit(batch: Batch): Promise<CommitResult>;
  /** Waits for running commits, refuses later ones, and lets the store go. Safe to call twice. */
  close(): Promise<void>;
}
