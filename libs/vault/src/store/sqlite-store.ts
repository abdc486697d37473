import { resolve } from "node:path";
import { Worker } from "node:worker_threads";
import { type VaultErrorCode, vaultError, vaultErrors } from "../errors.ts";
import { checkBatch, checkKeys, checkRange } from "./check-batch.ts";
import { GroupQueue } from "./group-queue.ts";
import type { Answer, StoreFile, Work } from "./sqlite-messages.ts";
import type { Batch, CommitResult, Row, VaultStore } from "./vault-store.ts";

/** A healthy disk answers in milliseconds; past this the node must look unhealthy rather than hang with its callers. */
const ANSWER_MS_MAX = 10_000;
/** Opening checks the whole file. */
const OPEN_MS_MAX = 120_000;
/** Largest store: 1 TiB, far above any node's keys and audit log. */
const BYTES_MAX = 2 ** 40;

/**
 * Opens a store in an SQLite file (WAL, synchronous=FULL, held exclusively) in a worker thread of its own; creates a missing file
 * with mode 600 in an existing folder. `bytesMax` bounds the file, default 1 TiB. Raises `store_locked`, `store_foreign`,
 * `store_version_unknown`, `store_corrupt`, `store_not_durable`, `store_failed`. The process stays alive until `close`.
 */
export async function openSqliteStore(options: {
  readonly path: string;
  readonly bytesMax?: number;
}): Promise<VaultStore> {
  const worker = new StoreWorker({ path: resolve(options.path), bytesMax: options.bytesMax ?? BYTES_MAX });
  try {
    await worker.ask<void>({ kind: "open" }, OPEN_MS_MAX);
  } catch (error) {
    await worker.close();
    throw error;
  }
  const groups = new GroupQueue<Batch, CommitResult>((group) => worker.ask({ kind: "commit", group }));
  return {
    async read(keys) {
      checkKeys(keys);
      return worker.ask<readonly (Uint8Array | undefined)[]>({ kind: "read", keys });
    },
    async list(range) {
      checkRange(range);
      return worker.ask<readonly Row[]>({ kind: "list", range });
    },
    count: (prefix) => worker.ask<number>({ kind: "count", prefix }),
    async commit(batch) {
      checkBatch(batch);
      return groups.submit(batch);
    },
    async close() {
      await groups.close();
      await worker.close();
    },
  };
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** Requests and answers by id. The worker answers in order; its death answers everything with `store_failed`. */
class StoreWorker {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended: Promise<void>;
  #lastId = 0;
  #end: { readonly code: VaultErrorCode; readonly message: string } | undefined;

  constructor(file: StoreFile) {
    // Neither environment nor flags: the worker needs none, and a debugging flag must not reach it.
    this.#worker = new Worker(new URL("./sqlite-worker.ts", import.meta.url), {
      workerData: file,
      env: {},
      execArgv: [],
    });
    this.#worker.on("message", (answer: Answer) => this.#settle(answer));
    this.#worker.on("error", (error) => this.#fail("store_failed", `The store's worker failed: ${error.message}`));
    this.#ended = new Promise((resolve) => {
      this.#worker.on("exit", () => {
        this.#fail("store_failed", "The store's worker ended.");
        resolve();
      });
    });
  }

  /** The type is the worker's word: both sides are ours and share `Work`. */
  ask<T>(work: Work, msMax = ANSWER_MS_MAX): Promise<T> {
    if (this.#end !== undefined) return Promise.reject(vaultError(this.#end.code, this.#end.message));
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const timer = setTimeout(() => {
      this.#waiting.delete(id);
      reject(vaultError("store_stalled", `The disk did not answer within ${msMax} ms.`));
    }, msMax);
    this.#waiting.set(id, { resolve, reject, timer });
    this.#worker.postMessage({ id, ...work });
    return promise as Promise<T>;
  }

  async close(): Promise<void> {
    if (this.#end === undefined) {
      const closed = this.ask<void>({ kind: "close" });
      this.#end = { code: "store_closed", message: "The store is closed." };
      try {
        await closed;
      } catch {
        // A thread that hangs in the kernel cannot even be ended: neither the caller nor the process waits for it. What was
        // answered is durable already.
        this.#worker.unref();
        void this.#worker.terminate();
        return;
      }
    }
    await this.#ended;
  }

  #settle(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    // Absent when the answer came after its deadline.
    if (waiting === undefined) return;
    this.#waiting.delete(answer.id);
    clearTimeout(waiting.timer);
    if (answer.kind === "value") waiting.resolve(answer.value);
    else waiting.reject(vaultError(isCode(answer.code) ? answer.code : "store_failed", answer.message));
  }

  #fail(code: VaultErrorCode, message: string): void {
    this.#end ??= { code, message };
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(vaultError(code, message));
    }
    this.#waiting.clear();
  }
}

function isCode(code: string): code is VaultErrorCode {
  return Object.hasOwn(vaultErrors, code);
}
