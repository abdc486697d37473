import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { utf8 } from "@countersign/bytes";
import { inTemporaryFolder } from "../testing/temporary-folder.ts";
import { vaultStoreContract } from "../testing/vault-store-contract.ts";
import { requireDurable } from "./sqlite-database.ts";
import { openSqliteStore } from "./sqlite-store.ts";
import type { VaultStore } from "./vault-store.ts";

vaultStoreContract("SQLite store", async () => {
  const folder = await mkdtemp(join(tmpdir(), "vault-store-"));
  return {
    open: () => openSqliteStore({ path: join(folder, "store.sqlite") }),
    remove: () => rm(folder, { recursive: true }),
  };
});

const STORE_MODULE = new URL("./sqlite-store.ts", import.meta.url).href;

/** Runs a test in a folder; every store it opens is closed, also one whose opening should have been refused. */
function inFolder(body: (path: string, folder: string) => Promise<void>): Promise<void> {
  return inTemporaryFolder(async (folder) => {
    try {
      await body(join(folder, "store.sqlite"), folder);
    } finally {
      for (const store of opened.splice(0)) await store.close();
    }
  });
}

const opened: VaultStore[] = [];

async function openStore(options: { readonly path: string; readonly bytesMax?: number }): Promise<VaultStore> {
  const store = await openSqliteStore(options);
  opened.push(store);
  return store;
}

const write = (key: string, value = utf8("1")) => ({ require: [], write: [{ key, value }] });

async function filled(path: string, rows = 200): Promise<void> {
  const store = await openStore({ path });
  await Promise.all(
    Array.from({ length: rows }, (_, index) => store.commit(write(`row-${index}`, new Uint8Array(500)))),
  );
  await store.close();
}

test("a second opening of one store is refused while the first lives, and its attempt takes nothing from it", () =>
  inFolder(async (path) => {
    const store = await openStore({ path });

    await assert.rejects(openStore({ path }), { code: "store_locked" });
    await assert.rejects(openStore({ path }), { code: "store_locked" });

    await store.commit(write("a"));
    await store.close();
    await (await openStore({ path })).close();
  }));

test("a store that another process has open is refused, and free again when that process is killed", () =>
  inFolder(async (path) => {
    const script = `import(${JSON.stringify(STORE_MODULE)}).then(({ openSqliteStore }) => openSqliteStore({ path: ${JSON.stringify(path)} })).then(() => process.stdout.write("."))`;
    const child = spawn(process.execPath, ["--eval", script], {
      stdio: ["ignore", "pipe", "inherit"],
      timeout: 60_000,
    });
    try {
      await once(child.stdout, "data");

      await assert.rejects(openStore({ path }), { code: "store_locked" });
    } finally {
      child.kill("SIGKILL");
    }
    await once(child, "close");
    const store = await openStore({ path });
    await store.commit(write("a"));
    await store.close();
  }));

test("the store's files are for their owner alone", () =>
  inFolder(async (path) => {
    const store = await openStore({ path });
    await store.commit(write("a"));

    const modes = await Promise.all([path, `${path}-wal`].map(async (file) => (await stat(file)).mode & 0o777));

    await store.close();
    assert.deepEqual(modes, [0o600, 0o600]);
  }));

test("a file of another program is refused and left as it was", () =>
  inFolder(async (path) => {
    const foreign = new DatabaseSync(path);
    foreign.exec("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)");
    foreign.close();
    const before = await readFile(path);

    await assert.rejects(openStore({ path }), { code: "store_foreign" });

    assert.deepEqual(await readFile(path), before);
  }));

test("a file that is no database is refused and left as it was", () =>
  inFolder(async (path) => {
    const before = utf8("#!/bin/sh\n".repeat(1000));
    await writeFile(path, before);

    await assert.rejects(openStore({ path }), { code: "store_foreign" });

    assert.deepEqual(new Uint8Array(await readFile(path)), before);
  }));

test("a store of a newer schema is refused", () =>
  inFolder(async (path) => {
    await filled(path, 1);
    const database = new DatabaseSync(path);
    database.exec("PRAGMA user_version = 2");
    database.close();

    await assert.rejects(openStore({ path }), { code: "store_version_unknown" });
  }));

test("a truncated file is refused as damaged", () =>
  inFolder(async (path) => {
    await filled(path);
    await truncate(path, 8 * 4096);

    await assert.rejects(openStore({ path }), { code: "store_corrupt" });
  }));

test("a damaged page is refused at opening: a lookup in it could answer that a row is absent", () =>
  inFolder(async (path) => {
    await filled(path);
    const bytes = await readFile(path);
    bytes.fill(0xff, 5 * 4096, 5 * 4096 + 64);
    await writeFile(path, bytes);

    await assert.rejects(openStore({ path }), { code: "store_corrupt" });
  }));

test("a missing folder is named", () =>
  inFolder(async (_path, folder) => {
    await assert.rejects(openStore({ path: join(folder, "missing", "store.sqlite") }), {
      code: "store_failed",
      message: /folder must exist/,
    });
  }));

test("a full store refuses writes as an outage, keeps what it has, and works again once there is room", () =>
  inFolder(async (path) => {
    const store = await openStore({ path, bytesMax: 64 * 1024 });
    await store.commit(write("kept"));

    const filling = async () => {
      for (let index = 0; index < 100; index++) await store.commit(write(`row-${index}`, new Uint8Array(4000)));
    };
    await assert.rejects(filling, { code: "store_full", kind: "outage" });

    assert.deepEqual(await store.read(["kept"]), [utf8("1")]);
    await store.commit({ require: [], write: [{ key: "row-0", value: undefined }] });
    assert.deepEqual(await store.commit(write("later")), { kind: "committed" });
    await store.close();
  }));

test("a batch that finds the store full takes its whole group with it, and nothing of it stays", () =>
  inFolder(async (path) => {
    const store = await openStore({ path, bytesMax: 64 * 1024 });

    const results = await Promise.allSettled([
      store.commit(write("small")),
      store.commit(write("big", new Uint8Array(500_000))),
    ]);

    assert.deepEqual(
      results.map(({ status }) => status),
      ["rejected", "rejected"],
    );
    assert.equal(await store.count(""), 0);
    await store.close();
  }));

test("after a failure of the file the store is not used again: only reopening tells what it holds", () =>
  inFolder(async (path) => {
    await filled(path);
    const store = await openStore({ path });
    await truncate(path, 8 * 4096);

    await assert.rejects(store.read(Array.from({ length: 200 }, (_, index) => `row-${index}`)), {
      code: /store_(failed|corrupt)/,
    });
    await assert.rejects(store.commit(write("later")), { code: "store_failed" });

    await store.close();
    await assert.rejects(openStore({ path }), { code: "store_corrupt" });
  }));

for (const [name, setting] of Object.entries({
  "a log other than WAL": "PRAGMA journal_mode = DELETE",
  "a sync less than FULL": "PRAGMA synchronous = NORMAL",
  "shared locks": "PRAGMA locking_mode = NORMAL",
}))
  test(`${name} is refused`, () =>
    inFolder(async (path) => {
      const database = new DatabaseSync(path);
      database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
      requireDurable(database);

      database.exec(setting);

      assert.throws(() => requireDurable(database), { code: "store_not_durable" });
      database.close();
    }));
