import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { apiError } from "../errors.ts";

/** Result code of SQLite for a lock that another connection holds. */
const SQLITE_BUSY = 5;

/**
 * Takes a folder for this process: an exclusive SQLite transaction on a file of its own, which the operating system ends with
 * the process however that ends, so no lock is ever left behind. Raises `database_in_use`.
 */
export function lockFolder(folder: string): { release(): void } {
  const lock = new DatabaseSync(join(folder, "lock"));
  try {
    lock.exec("PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE");
  } catch (cause) {
    lock.close();
    if (!(cause instanceof Error && "errcode" in cause && cause.errcode === SQLITE_BUSY)) throw cause;
    throw apiError("database_in_use", `Another process has the database in ${folder} open. Stop it first.`, { cause });
  }
  return { release: () => lock.close() };
}
