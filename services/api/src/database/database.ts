import { isAbsolute } from "node:path";
import { CountersignError } from "@countersign/errors";
import { Kysely, sql, type Transaction } from "kysely";
import { apiError } from "../errors.ts";
import { type EmbeddedPostgres, openPglite } from "./pglite.ts";
import type { Tables } from "./tables.ts";

/** A transaction that sees the rows of one organisation only. */
export type OrganisationTransaction = Transaction<Tables>;

/** The API's store. Its rows are a cache and grant nothing; whoever edits them gains nothing but confusion. */
export class Database {
  readonly #kysely: Kysely<Tables>;
  readonly #postgres: EmbeddedPostgres;
  /** Whether no other process can use this database, so that whatever it shows as running was cut off. */
  readonly isExclusive = true;

  private constructor(postgres: EmbeddedPostgres) {
    this.#postgres = postgres;
    this.#kysely = new Kysely<Tables>({ dialect: postgres.dialect });
  }

  /**
   * Opens the database of a URL; `pglite:<absolute folder>` is the embedded Postgres, whose new databases are copied from
   * `templates` when that is given. Raises `database_url_invalid`,
   * `database_in_use`, `database_damaged`, `database_newer`.
   */
  static async open(url: string, { templates }: { templates?: string | undefined } = {}): Promise<Database> {
    const [, folder] = /^pglite:(.+)$/s.exec(url) ?? [];
    if (folder === undefined || !isAbsolute(folder))
      throw apiError("database_url_invalid", "The database must be pglite:<absolute folder>.");
    return new Database(await openPglite(folder, templates));
  }

  /** Runs `work` in one transaction that sees this organisation's rows. Raises `database_failed`, and what `work` raises. */
  async inOrganisation<T>(orgId: string, work: (transaction: OrganisationTransaction) => Promise<T>): Promise<T> {
    try {
      return await this.#kysely.transaction().execute(async (transaction) => {
        // Ends with the transaction, so the next user of the connection starts without an organisation and sees nothing.
        await sql`SELECT set_config('countersign.org_id', ${orgId}, true)`.execute(transaction);
        return work(transaction);
      });
    } catch (error) {
      throw fromDatabase(error);
    }
  }

  /** Resolves when the database answers. Raises `database_failed`. */
  async ping(): Promise<void> {
    try {
      await sql`SELECT 1`.execute(this.#kysely);
    } catch (error) {
      throw fromDatabase(error);
    }
  }

  /** Ends every connection; calls after that raise `database_failed`. */
  async close(): Promise<void> {
    await this.#kysely.destroy();
    await this.#postgres.close();
  }
}

const SQL_STATE = /^[0-9A-Z]{5}$/;

/** Failures of the database become an outage; whatever else came out of the work is passed on as it is. */
function fromDatabase(error: unknown): unknown {
  if (error instanceof CountersignError || !(error instanceof Error)) return error;
  const answered = "code" in error && typeof error.code === "string" && SQL_STATE.test(error.code);
  const crashed = error.name === "RuntimeError" || /PGlite|driver has already been destroyed/.test(error.message);
  if (!answered && !crashed) return error;
  return apiError("database_failed", "The database did not do what it was asked.", { cause: error });
}
