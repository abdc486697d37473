import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { CountersignError } from "@countersign/errors";
import { PGlite } from "@electric-sql/pglite";
import { sql } from "kysely";
import { Database } from "./database.ts";
import { migrate, type OwnerSession } from "./migrate.ts";

const WRITER = fileURLToPath(new URL("testing/writer-process.ts", import.meta.url));
const TABLES = ["challenges", "key_creations", "keys", "signatures", "user_actions"];

/** Making a Postgres costs seconds, copying one most of one: tests that leave it as it was share it. */
let root: string;
let template: string;
/** For tests that break nothing; each has organisations of its own. */
let shared: Database;
before(async () => {
  root = await mkdtemp(join(tmpdir(), "countersign-database-"));
  template = join(root, "template");
  // What a crash in the middle of making one leaves behind.
  await mkdir(join(template, "postgres.unfinished"), { recursive: true });
  await writeFile(join(template, "postgres.unfinished", "PG_VERSION"), "half");
  await (await Database.open(`pglite:${template}`)).close();
  shared = await Database.open(`pglite:${await folder()}`);
});
after(async () => {
  await shared.close();
  await rm(root, { recursive: true, force: true });
});

let organisationCount = 0;
/** Organisations that no other test uses. */
function organisations(): [string, string, string] {
  const next = () => `or-${++organisationCount}`;
  return [next(), next(), next()];
}

async function folder(): Promise<string> {
  const copy = join(await mkdtemp(join(root, "copy-")), "database");
  await cp(template, copy, { recursive: true });
  return copy;
}

async function opened<T>(
  path: string,
  work: (database: Database) => Promise<T>,
  options: { templates?: string } = {},
): Promise<T> {
  const database = await Database.open(`pglite:${path}`, options);
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

/** Works on the files as their owner, as nobody does while the API runs. */
async function asOwner<T>(path: string, work: (postgres: PGlite) => Promise<T>): Promise<T> {
  const postgres = new PGlite(join(path, "postgres"));
  try {
    await postgres.waitReady;
    return await work(postgres);
  } finally {
    await postgres.close();
  }
}

function challenge(orgId: string, id: string) {
  return {
    org_id: orgId,
    id,
    principal_id: "us-1",
    app_id: "ap-1",
    method: "POST",
    path: "/keys",
    payload: "{}",
    nonce: new Uint8Array(32).fill(7),
    expires_at: new Date(1_767_225_600_000),
  };
}

function store(database: Database, orgId: string, id: string, asOrganisation = orgId): Promise<unknown> {
  return database.inOrganisation(asOrganisation, (transaction) =>
    transaction.insertInto("challenges").values(challenge(orgId, id)).execute(),
  );
}

function idsOf(database: Database, orgId: string): Promise<string[]> {
  return database.inOrganisation(orgId, async (transaction) => {
    const rows = await transaction.selectFrom("challenges").select("id").orderBy("id").execute();
    return rows.map(({ id }) => id);
  });
}

async function versions(postgres: PGlite): Promise<number[]> {
  const { rows } = await postgres.query<{ version: number }>("SELECT version FROM schema_migrations ORDER BY version");
  return rows.map(({ version }) => version);
}

test("a new folder holds the whole schema and nothing of an unfinished one", async () => {
  assert.deepEqual((await readdir(template)).toSorted(), ["lock", "postgres"]);

  await asOwner(template, async (postgres) => {
    const { rows } = await postgres.query<{ relname: string; forced: boolean }>(
      "SELECT relname, relrowsecurity AND relforcerowsecurity AS forced FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname",
    );
    const forced = rows.filter((row) => row.forced).map(({ relname }) => relname);
    assert.deepEqual(forced, TABLES, "row-level security binds every table, its owner included");
    assert.deepEqual(
      rows.map(({ relname }) => relname).filter((name) => !TABLES.includes(name)),
      ["schema_migrations"],
    );
    assert.deepEqual(await versions(postgres), [1]);
  });
});

test("rows outlive the process, and a second start applies no migration again", async () => {
  const path = template;
  const applied = (postgres: PGlite) => postgres.query("SELECT applied_at FROM schema_migrations");
  const first = await asOwner(path, applied);
  await opened(path, (database) => store(database, "or-1", "kept"));

  const kept = await opened(path, (database) => idsOf(database, "or-1"));

  assert.deepEqual(kept, ["kept"]);
  assert.deepEqual((await asOwner(path, applied)).rows, first.rows);
});

test("a migration that fails half-way leaves the schema as it was, and the next start completes it", async () => {
  const path = await folder();
  await asOwner(path, async (postgres) => {
    await postgres.exec("DROP OWNED BY countersign_api; DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    const failing: OwnerSession = {
      exec: (statements) => postgres.exec(statements),
      query: (query, parameters) => {
        if (query.startsWith("INSERT INTO schema_migrations")) throw new Error("the power went off");
        return postgres.query(query, parameters);
      },
    };

    await assert.rejects(migrate(failing), /the power went off/);

    const { rows } = await postgres.query("SELECT 1 FROM pg_class WHERE relnamespace = 'public'::regnamespace");
    assert.deepEqual(rows, []);
    await postgres.exec("GRANT USAGE ON SCHEMA public TO countersign_api");
  });

  await opened(path, async (database) => {
    await store(database, "or-1", "after");
    assert.deepEqual(await idsOf(database, "or-1"), ["after"]);
  });
});

test("a database of a newer program is refused, left as it is, and free for that program", async () => {
  const path = template;
  await asOwner(path, (postgres) =>
    postgres.exec("INSERT INTO schema_migrations (version, name) VALUES (99, 'later')"),
  );

  for (let tries = 0; tries < 2; tries++)
    await assert.rejects(Database.open(`pglite:${path}`), {
      code: "database_newer",
      message: /schema version 99, this program knows 1/,
    });

  const left = await asOwner(path, async (postgres) => {
    const found = await versions(postgres);
    await postgres.exec("DELETE FROM schema_migrations WHERE version = 99");
    return found;
  });
  assert.deepEqual(left, [1, 99]);
});

test("a folder is open once at a time, and free again after closing", async () => {
  const path = template;

  await opened(path, async () => {
    await assert.rejects(Database.open(`pglite:${path}`), { code: "database_in_use", message: new RegExp(path) });
  });
  await opened(path, (database) => database.ping());
});

test("after kill -9 the folder is free, the database opens, and every commit that was told is there", async () => {
  const path = await folder();
  const child = spawn(process.execPath, [WRITER, `pglite:${path}`, "or-1"], { stdio: ["ignore", "pipe", "inherit"] });
  const told: string[] = [];
  try {
    for await (const line of createInterface(child.stdout)) if (told.push(line) === 1) break;
    await assert.rejects(Database.open(`pglite:${path}`), { code: "database_in_use" });
    for await (const line of createInterface(child.stdout)) if (told.push(line) >= 50) break;
  } finally {
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }

  const ids = new Set(await opened(path, (database) => idsOf(database, "or-1")));

  assert.ok(told.length >= 50);
  for (const id of told) assert.ok(ids.has(id), `${id} was told and is gone`);
  await opened(path, (database) => store(database, "or-1", "after"));
});

test("requests are served by a role that owns nothing and is bound by row-level security", async () => {
  const [first] = organisations();
  const [role] = await shared.inOrganisation(first, async (transaction) => {
    const { rows } = await sql<{ name: string; superuser: boolean; bypass: boolean; owned: number }>`
        SELECT current_user AS name, rolsuper AS superuser, rolbypassrls AS bypass,
          (SELECT count(*)::int FROM pg_class WHERE relowner = pg_roles.oid) AS owned
        FROM pg_roles WHERE rolname = current_user`.execute(transaction);
    return rows;
  });

  assert.deepEqual(role, { name: "countersign_api", superuser: false, bypass: false, owned: 0 });
});

test("the serving role can change neither schema nor rules nor files, and stays itself after a failure", async () => {
  const [first] = organisations();
  const forbidden = [
    "ALTER TABLE keys DISABLE ROW LEVEL SECURITY",
    "DROP POLICY own_organisation ON keys",
    "DROP TABLE challenges",
    "TRUNCATE challenges",
    "CREATE TABLE mine (id int)",
    "UPDATE schema_migrations SET version = 0",
    "SELECT * FROM schema_migrations",
    "COPY challenges TO '/tmp/challenges'",
    "SELECT pg_read_file('/etc/passwd')",
  ];
  for (const statement of forbidden)
    await assert.rejects(
      shared.inOrganisation(first, (transaction) => sql.raw(statement).execute(transaction)),
      { code: "database_failed" },
      statement,
    );

  const name = await shared.inOrganisation(first, (transaction) =>
    sql<{ current_user: string }>`SELECT current_user`.execute(transaction),
  );
  assert.equal(name.rows[0]?.current_user, "countersign_api");
});

test("an organisation sees, changes and makes its own rows only, whatever a query leaves out", async () => {
  const [first, second, third] = organisations();
  await store(shared, first, "one");
  await store(shared, second, "two");

  const seen = [await idsOf(shared, first), await idsOf(shared, second), await idsOf(shared, third)];
  const nobody = await idsOf(shared, "");
  const changed = await shared.inOrganisation(second, async (transaction) => {
    const updated = await transaction.updateTable("challenges").set({ payload: "stolen" }).executeTakeFirst();
    const deleted = await transaction.deleteFrom("challenges").where("id", "=", "one").executeTakeFirst();
    return [updated.numUpdatedRows, deleted.numDeletedRows];
  });

  assert.deepEqual(seen, [["one"], ["two"], []]);
  assert.deepEqual(nobody, []);
  assert.deepEqual(changed, [1n, 0n]);
  await assert.rejects(store(shared, first, "forged", second), { code: "database_failed" });
  await assert.rejects(
    shared.inOrganisation(second, (transaction) =>
      transaction.updateTable("challenges").set({ org_id: first }).execute(),
    ),
    { code: "database_failed" },
  );
  assert.deepEqual(await idsOf(shared, first), ["one"]);
});

test("the organisation ends with its transaction, also with one that fails", async () => {
  const [first, second] = organisations();
  await store(shared, first, "one");
  const setting = () =>
    sql<{ org: string | null }>`SELECT nullif(current_setting('countersign.org_id', true), '') AS org`;

  await assert.rejects(
    shared.inOrganisation(first, async () => {
      throw new Error("the request failed");
    }),
    /the request failed/,
  );
  const inside = await shared.inOrganisation(second, (transaction) => setting().execute(transaction));

  assert.equal(inside.rows[0]?.org, second);
  assert.deepEqual(await idsOf(shared, second), []);
});

test("a transaction that fails leaves nothing, and what its work raised comes out as it is", async () => {
  const [first] = organisations();
  const raised = new CountersignError(
    "as_raised",
    { kind: "refusal", http: 400, grpc: "INVALID_ARGUMENT", meaning: "" },
    "as raised",
  );

  const failing = shared.inOrganisation(first, async (transaction) => {
    await transaction.insertInto("challenges").values(challenge(first, "half")).execute();
    throw raised;
  });

  await assert.rejects(failing, (error) => error === raised);
  assert.deepEqual(await idsOf(shared, first), []);
});

test("what the database refuses is an outage without its words, and a bug stays a bug", async () => {
  const [first] = organisations();
  await store(shared, first, "one");

  await assert.rejects(store(shared, first, "one"), (error) => {
    assert.ok(error instanceof CountersignError);
    assert.deepEqual(
      [error.code, error.kind, error.message],
      ["database_failed", "outage", "The database did not do what it was asked."],
    );
    assert.match(String(error.cause), /duplicate key/);
    return true;
  });
  await assert.rejects(
    shared.inOrganisation(first, async () => {
      throw new TypeError("ours");
    }),
    TypeError,
  );
});

test("a closed database answers with an outage", async () => {
  const database = await Database.open(`pglite:${template}`);
  await database.ping();
  await database.close();

  await assert.rejects(database.ping(), { code: "database_failed" });
  await assert.rejects(idsOf(database, "or-1"), { code: "database_failed" });
});

test("only pglite with an absolute folder is a database", async () => {
  for (const url of ["pglite:relative", "pglite:", "postgres://localhost/x", "/tmp/x", ""])
    await assert.rejects(Database.open(url), { code: "database_url_invalid" }, url);
});

test("a folder that is no database, or a damaged one, is left as it is and the message says how to go on", async () => {
  const path = template;
  const missing = join(path, "postgres", "PG_VERSION");
  const version = await readFile(missing);
  const advice = /It was left as it is\. Restore the folder from a backup, or move it away/;

  await rm(missing);
  await assert.rejects(Database.open(`pglite:${path}`), { code: "database_damaged", message: advice });
  const left = await readdir(join(path, "postgres"));
  assert.ok(!left.includes("PG_VERSION") && left.includes("global"));

  await writeFile(missing, version);
  const control = join(path, "postgres", "global", "pg_control");
  const right = await readFile(control);
  await writeFile(control, Buffer.alloc(right.length, 0x55));
  await assert.rejects(Database.open(`pglite:${path}`), { code: "database_damaged", message: advice });
  assert.deepEqual(await readFile(control), Buffer.alloc(right.length, 0x55));

  await writeFile(control, right);
  await opened(path, (database) => database.ping());
  const file = join(root, "a-file");
  await writeFile(file, "");
  await assert.rejects(Database.open(`pglite:${file}`), { code: "database_damaged" });
});

test("a new database is copied from a template, which the first one leaves behind complete", async () => {
  const templates = join(root, "templates");
  const [first, second] = [join(root, "first"), join(root, "second")];
  await opened(first, async () => {}, { templates });
  const [name = "", ...others] = await readdir(templates);
  const kept = await readdir(join(templates, name));
  // Shows that the copy is what is opened: a mark that no Postgres makes.
  await writeFile(join(templates, name, "copied"), "");

  await opened(second, async () => {}, { templates });

  assert.match(name, /^postgres-\d+\.\d+\.\d+$/);
  assert.deepEqual([others, kept.includes("PG_VERSION"), kept.includes("postmaster.pid")], [[], true, false]);
  assert.ok((await readdir(join(second, "postgres"))).includes("copied"));
});

test("a damaged template is thrown away and costs no more than its time", async () => {
  const templates = join(root, "damaged");
  await opened(join(root, "fourth"), async () => {}, { templates });
  const [name = ""] = await readdir(templates);
  await rm(join(templates, name, "global", "pg_control"));

  await opened(join(root, "fifth"), async () => {}, { templates });

  const kept = await readdir(join(templates, name, "global"));
  assert.ok(kept.includes("pg_control"), "a whole one took its place");
  await opened(join(root, "sixth"), async () => {}, { templates });
});

test("a template folder that cannot be written to does not keep a database from being made", async () => {
  const file = join(root, "file");
  await writeFile(file, "");

  await opened(join(root, "third"), async () => {}, { templates: join(file, "templates") });
});
