import { closeSync, openSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { equalBytes } from "@countersign/bytes";
import { vaultError } from "../errors.ts";
import { sqliteError } from "./sqlite-error.ts";
import type { Batch, CommitResult, Row, RowRange } from "./vault-store.ts";

/** "CSV1" in the file's header: a store of ours. */
const APPLICATION_ID = 0x43535631;
/** Version of the table below; a file of any other version is refused. */
const SCHEMA_VERSION = 1;
const PAGE_BYTES = 4096;
/** Sorts after every key that begins with a prefix: keys end at `~`. */
const AFTER_KEYS = "\x7f";

/** The blocking half of the SQLite store: one connection, owned by the store's worker. */
export class SqliteDatabase {
  readonly #database: DatabaseSync;
  readonly #get: StatementSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  readonly #list: StatementSync;
  readonly #count: StatementSync;
  #failed = false;

  /**
   * Opens or creates the file with mode 600 and holds it alone until `close` or the process's end, whichever way it ends.
   * `bytesMax` bounds the file. Raises `store_locked`, `store_foreign`, `store_version_unknown`, `store_corrupt`,
   * `store_not_durable` and `store_failed`.
   */
  constructor(path: string, bytesMax: number) {
    createFile(path);
    this.#database = open(path);
    try {
      prepare(this.#database, path, bytesMax);
      const statement = (sql: string) => this.#database.prepare(sql);
      this.#get = statement("SELECT value FROM record WHERE key = ?");
      this.#put = statement("INSERT INTO record VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value");
      this.#delete = statement("DELETE FROM record WHERE key = ?");
      this.#list = statement(
        "SELECT key, value FROM record WHERE key > ? AND key >= ? AND key < ? ORDER BY key LIMIT ?",
      );
      this.#count = statement("SELECT count(*) FROM record WHERE key >= ? AND key < ?");
    } catch (error) {
      this.#database.close();
      throw sqliteError(error, path);
    }
  }

  read(keys: readonly string[]): (Uint8Array | undefined)[] {
    return this.#guard(() => keys.map((key) => this.#value(key)));
  }

  list({ prefix, after = "", limit }: RowRange): Row[] {
    const rows = this.#guard(() => this.#list.all(after, prefix, prefix + AFTER_KEYS, limit));
    return rows.map(({ key, value }) => ({ key: String(key), value: bytesOf(value) }));
  }

  count(prefix: string): number {
    return this.#guard(() => Number(onlyColumn(this.#count, prefix, prefix + AFTER_KEYS)));
  }

  /** One transaction, one sync. Throws when nothing of the group may be relied on. */
  commit(group: readonly Batch[]): CommitResult[] {
    return this.#guard(() => {
      this.#database.exec("BEGIN IMMEDIATE");
      try {
        const results = group.map((batch) => this.#applyBatch(batch));
        this.#database.exec("COMMIT");
        return results;
      } catch (error) {
        if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
        throw error;
      }
    });
  }

  close(): void {
    this.#failed = true;
    if (this.#database.isOpen) this.#database.close();
  }

  /** Requires all before it writes anything: a conflict needs no rollback and leaves the rest of the group alone. */
  #applyBatch(batch: Batch): CommitResult {
    for (const { key, value } of batch.require)
      if (!sameValue(this.#value(key), value)) return { kind: "conflict", key };
    for (const { key, value } of batch.write) {
      if (value === undefined) this.#delete.run(key);
      else this.#put.run(key, value);
    }
    return { kind: "committed" };
  }

  #value(key: string): Uint8Array | undefined {
    const value = onlyColumn(this.#get, key);
    return value === undefined ? undefined : bytesOf(value);
  }

  /**
   * After any failure but a full disk the connection is not used again: once a sync has failed, the kernel may report later
   * syncs as good though the earlier pages are gone. Reopening reads what the disk holds and syncs that.
   */
  #guard<T>(work: () => T): T {
    if (this.#failed)
      throw vaultError("store_failed", "The store failed earlier; only reopening tells what is durable.");
    try {
      return work();
    } catch (cause) {
      const error = sqliteError(cause);
      this.#failed = error.code !== "store_full";
      throw error;
    }
  }
}

/**
 * SQLite would create the file readable by others. Only ever a new file: closing a descriptor of an existing one would drop the
 * lock that another instance of this process holds on it.
 */
function createFile(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "EEXIST") return;
    throw vaultError("store_failed", `Cannot create ${path}; its folder must exist and be writable.`, { cause });
  }
}

function open(path: string): DatabaseSync {
  try {
    return new DatabaseSync(path, { timeout: 0 });
  } catch (cause) {
    throw sqliteError(cause, path);
  }
}

function prepare(database: DatabaseSync, path: string, bytesMax: number): void {
  // Exclusive mode before the first read: file locks that end with the process, so no crash leaves one behind.
  database.exec("PRAGMA locking_mode = EXCLUSIVE");
  const fresh = requireOurs(database, path);
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  // On macOS a plain fsync stops at the drive's cache; elsewhere these change nothing.
  database.exec("PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON");
  database.exec("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY");
  // A dropped share's sealed bytes are overwritten, not left on a free page.
  database.exec("PRAGMA secure_delete = ON");
  database.exec("BEGIN EXCLUSIVE; COMMIT");
  requireDurable(database);
  if (fresh) createTable(database);
  else requireSound(database, path);
  // A failed sync before a crash may have left pages that only the kernel's cache holds: this writes and syncs them again.
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  database.exec(`PRAGMA max_page_count = ${Math.ceil(bytesMax / PAGE_BYTES)}`);
}

/** Whether the file is new; refuses a foreign one or one of another version before anything is written to it. */
function requireOurs(database: DatabaseSync, path: string): boolean {
  const application = pragma(database, "application_id");
  const version = pragma(database, "user_version");
  const tables = Number(onlyColumn(database.prepare("SELECT count(*) FROM sqlite_schema")));
  if (application === 0 && version === 0 && tables === 0) return true;
  if (application !== APPLICATION_ID)
    throw vaultError("store_foreign", `${path} is an SQLite file of another program.`);
  if (version !== SCHEMA_VERSION)
    throw vaultError(
      "store_version_unknown",
      `${path} has schema version ${version}; this software knows ${SCHEMA_VERSION}.`,
    );
  return false;
}

/** Reads back what durability depends on; a filesystem or build that ignores a setting is refused. Exported for its test. */
export function requireDurable(database: DatabaseSync): void {
  const expected = { journal_mode: "wal", synchronous: 2, locking_mode: "exclusive" } as const;
  for (const [name, value] of Object.entries(expected)) {
    const found = pragma(database, name);
    if (found !== value) throw vaultError("store_not_durable", `SQLite's ${name} is ${String(found)}, not ${value}.`);
  }
}

function createTable(database: DatabaseSync): void {
  database.exec(`
    BEGIN IMMEDIATE;
    CREATE TABLE record (key TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID, STRICT;
    PRAGMA application_id = ${APPLICATION_ID};
    PRAGMA user_version = ${SCHEMA_VERSION};
    COMMIT`);
}

/** A damaged tree could answer that a row is absent; seals and hashes only guard the rows that are found. */
function requireSound(database: DatabaseSync, path: string): void {
  const result = onlyColumn(database.prepare("PRAGMA quick_check(1)"));
  if (result !== "ok") throw vaultError("store_corrupt", `${path} is damaged: ${String(result)}.`);
}

function pragma(database: DatabaseSync, name: string): unknown {
  return onlyColumn(database.prepare(`PRAGMA ${name}`));
}

/** The value of a query for one row of one column; undefined without a row. */
function onlyColumn(statement: StatementSync, ...parameters: readonly string[]): unknown {
  const row = statement.get(...parameters);
  return row === undefined ? undefined : Object.values(row)[0];
}

function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw vaultError("store_corrupt", "A record's value is not a byte string.");
}

function sameValue(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equalBytes(a, b);
}
