import { access, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { CountersignError } from "@countersign/errors";
import { PGlite } from "@electric-sql/pglite";
import { type Dialect, PGliteDialect } from "kysely";
import { apiError } from "../errors.ts";
import { lockFolder } from "./folder-lock.ts";
import { migrate } from "./migrate.ts";
import { newFiles } from "./new-files.ts";

/** The role that serves requests: it owns nothing and sees one organisation at a time. */
const SERVING_ROLE = "countersign_api";
/** Opening replays at most the log since the last checkpoint; one that hangs longer on its files will not come back. */
const OPEN_MS_MAX = 60_000;

/** An open embedded Postgres. */
export interface EmbeddedPostgres {
  readonly dialect: Dialect;
  /** Closes it, unless its dialect did, and gives the folder up. */
  close(): Promise<void>;
}

/**
 * Opens or creates the embedded Postgres of a folder for this process alone; `templates` as in `newFiles`. Its one session is a
 * superuser, whom row-level security does not bind, so it becomes the serving role before anything is asked of it. Raises
 * `database_in_use`, `database_damaged`, `database_newer`.
 */
export async function openPglite(folder: string, templates?: string): Promise<EmbeddedPostgres> {
  const lock = await takeFolder(folder);
  let opened: PGlite | undefined;
  try {
    const postgres = await openFiles(folder, templates);
    opened = postgres;
    await migrate(postgres);
    await postgres.exec(`SET ROLE ${SERVING_ROLE}`);
    const close = async () => {
      // A dialect that nobody asked anything closes nothing.
      if (!postgres.closed) await postgres.close();
      lock.release();
    };
    return { dialect: new PGliteDialect({ pglite: postgres }), close };
  } catch (error) {
    await opened?.close().catch(() => {}); // The first failure says more than this one.
    lock.release();
    if (error instanceof CountersignError) throw error;
    throw damaged(folder, "its schema cannot be brought up to date", error);
  }
}

async function takeFolder(folder: string): Promise<{ release(): void }> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return lockFolder(folder);
  } catch (error) {
    if (error instanceof CountersignError) throw error;
    throw damaged(folder, "it is no folder this process may write to", error);
  }
}

async function openFiles(folder: string, templates: string | undefined): Promise<PGlite> {
  const files = join(folder, "postgres");
  if (!(await exists(files))) await newFiles(files, { make: openOnce, check: openOnce }, templates);
  // Without this file PGlite would take the folder for an empty one and write a new database into it.
  if (!(await exists(join(files, "PG_VERSION")))) throw damaged(folder, "PG_VERSION is missing");
  try {
    return await ready(files);
  } catch (cause) {
    throw damaged(folder, "Postgres cannot start on it", cause);
  }
}

/** Makes a database in an empty folder, or shows that the one that is there opens. */
async function openOnce(folder: string): Promise<void> {
  const postgres = await ready(folder);
  await postgres.close();
}

async function ready(files: string): Promise<PGlite> {
  const postgres = new PGlite(files);
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`not open after ${OPEN_MS_MAX} ms`)), OPEN_MS_MAX);
  try {
    await Promise.race([postgres.waitReady, late]);
    return postgres;
  } finally {
    clearTimeout(timer);
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function damaged(folder: string, what: string, cause?: unknown): CountersignError {
  return apiError(
    "database_damaged",
    `The database in ${folder} cannot be opened: ${what}. It was left as it is. Restore the folder from a backup, or move it away and start again: keys stay with the signers, names and lists are lost.`,
    { cause },
  );
}
