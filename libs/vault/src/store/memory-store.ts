import { equalBytes } from "@countersign/bytes";
import { vaultError } from "../errors.ts";
import { checkBatch, checkKeys, checkRange } from "./check-batch.ts";
import { GroupQueue } from "./group-queue.ts";
import type { Batch, CommitResult, Row, VaultStore } from "./vault-store.ts";

/** A store in memory with the power cord in the caller's hand. */
export interface MemoryStore extends VaultStore {
  /** What a power loss at this moment would leave, for `memoryStore({ rows })`. */
  durableRows(): ReadonlyMap<string, Uint8Array>;
}

/**
 * A `VaultStore` in memory for simulation and tests; it passes the same contract as the real one. No clock, no timers.
 * `sync` stands for the disk: a group is durable, visible and answered when it resolves; when it rejects, nothing of it happened.
 */
export function memoryStore(
  options: {
    /** Rows to start from: a snapshot of another store. Default none. */
    readonly rows?: ReadonlyMap<string, Uint8Array>;
    /** Default: resolves at once. */
    readonly sync?: () => Promise<void>;
  } = {},
): MemoryStore {
  let durable: ReadonlyMap<string, Uint8Array> = new Map(options.rows);
  let closed = false;
  const groups = new GroupQueue<Batch, CommitResult>(async (group) => {
    const next = new Map(durable);
    const results = group.map((batch) => applyBatch(next, batch));
    await options.sync?.();
    // The order is the promise of a store: results go out after the sync, never before.
    durable = next;
    return results;
  });
  const open = () => {
    if (closed) throw vaultError("store_closed", "The store is closed.");
    return durable;
  };
  return {
    async read(keys) {
      checkKeys(keys);
      const rows = open();
      return keys.map((key) => copyOf(rows.get(key)));
    },
    async list(range) {
      checkRange(range);
      const { prefix, after = "", limit } = range;
      const rows: Row[] = [];
      for (const [key, value] of open())
        if (key.startsWith(prefix) && key > after) rows.push({ key, value: new Uint8Array(value) });
      return rows.sort((a, b) => (a.key < b.key ? -1 : 1)).slice(0, limit);
    },
    async count(prefix) {
      let count = 0;
      for (const key of open().keys()) if (key.startsWith(prefix)) count++;
      return count;
    },
    async commit(batch) {
      checkBatch(batch);
      return groups.submit(batch);
    },
    async close() {
      await groups.close();
      closed = true;
    },
    durableRows: () => new Map(durable),
  };
}

function applyBatch(rows: Map<string, Uint8Array>, batch: Batch): CommitResult {
  for (const { key, value } of batch.require) if (!sameValue(rows.get(key), value)) return { kind: "conflict", key };
  for (const { key, value } of batch.write) {
    if (value === undefined) rows.delete(key);
    else rows.set(key, new Uint8Array(value));
  }
  return { kind: "committed" };
}

/** Not `slice`: of a `Buffer` that shares its memory. */
function copyOf(value: Uint8Array | undefined): Uint8Array | undefined {
  return value && new Uint8Array(value);
}

function sameValue(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equalBytes(a, b);
}
