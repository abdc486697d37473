import { DatabaseSync } from "node:sqlite";

/**
 * Takes a lock that the operating system gives up when this process ends, however it ends: an exclusive SQLite
 * transaction on a file of its own. Answers undefined when another process holds it.
 */
export function takeLock(path: string): { release(): void } | undefined {
  const database = new DatabaseSync(path);
  try {
    database.exec("PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY) return undefined;
    throw error;
  }
  return { release: () => database.close() };
}

/** Result code of SQLite for a lock that another connection holds. */
const SQLITE_BUSY = 5;
