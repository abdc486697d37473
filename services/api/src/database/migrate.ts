import { readFile } from "node:fs/promises";
import { apiError } from "../errors.ts";

/** A session with the rights of the schema's owner, before it gives them up. */
export interface OwnerSession {
  /** Runs statements without parameters. */
  exec(statements: string): Promise<unknown>;
  /** Runs one query. */
  query<Row>(query: string, parameters?: unknown[]): Promise<{ rows: Row[] }>;
}

/** Every migration, in order; its place from 1 is the schema's version. One that was released is never edited. */
const MIGRATIONS = ["0001-start.sql"];

/** Every replica takes the same lock, so that one migrates and the others wait; "counters" on a telephone's keys. */
const ADVISORY_LOCK = 26_868_377;

/**
 * Brings the schema to this version in one transaction; a crash leaves it as it was. Raises `database_newer` when it is ahead
 * of this program.
 */
export async function migrate(session: OwnerSession): Promise<void> {
  await session.exec("BEGIN");
  try {
    await session.query("SELECT pg_advisory_xact_lock($1)", [ADVISORY_LOCK]);
    await session.exec(
      "CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())",
    );
    const { rows } = await session.query<{ version: number }>("SELECT version FROM schema_migrations ORDER BY version");
    const version = rows.at(-1)?.version ?? 0;
    if (version > MIGRATIONS.length)
      throw apiError(
        "database_newer",
        `The database has schema version ${version}, this program knows ${MIGRATIONS.length}. Run the newer program, or restore a backup.`,
      );
    for (const [index, name] of MIGRATIONS.entries()) {
      if (index < version) continue;
      await session.exec(await readFile(new URL(`./migrations/${name}`, import.meta.url), "utf8"));
      await session.query("INSERT INTO schema_migrations (version, name) VALUES ($1, $2)", [index + 1, name]);
    }
    await session.exec("COMMIT");
  } catch (error) {
    await session.exec("ROLLBACK");
    throw error;
  }
}
