// Refusals of the real command line that need no network.
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { runCommand } from "../testing/run-command.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";

test("a busy port is refused before anything is written", async (t) => {
  const data = join(temporaryFolder(t), "data");
  const server = createServer().listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;

  for (const words of [[], ["--detach"]]) {
    const { code, notes } = await runCommand("up", "--port", `${port}`, "--data", data, ...words);

    assert.equal(code, 1);
    assert.match(notes, new RegExp(`Port ${port} on 127.0.0.1 is in use`));
    assert.equal(existsSync(join(data, "nodes")), false);
  }
});

test("a half-written data folder is refused, can be wiped, and then is as good as new", async (t) => {
  const data = join(temporaryFolder(t), "data");
  mkdirSync(join(data, "nodes", "node-1"), { recursive: true });

  const refused = await runCommand("up", "--port", "0", "--data", data);
  const wiped = await runCommand("down", "--wipe", "--data", data);

  assert.equal(refused.code, 1);
  assert.match(refused.notes, /half-written.*countersign down --wipe --data/);
  assert.equal(wiped.code, 0);
  assert.equal(existsSync(data), false);
});

test("somebody else's folder is neither used nor wiped", async (t) => {
  const data = temporaryFolder(t);
  writeFileSync(join(data, "thesis.tex"), "");

  for (const words of [["up", "--port", "0"], ["down", "--wipe"], ["status"], ["doctor"]]) {
    const { code, out, notes } = await runCommand(...words, "--data", data);

    assert.equal(code, 1, words[0]);
    assert.match(out + notes, /holds files that are not Countersign's \(thesis\.tex\)/);
  }
  assert.deepEqual(readdirSync(data), ["thesis.tex"]);
});

test("a threshold above the number of nodes, and a database, are refused", async (t) => {
  const data = join(temporaryFolder(t), "data");

  const threshold = await runCommand("up", "--nodes", "2", "--threshold", "3", "--port", "0", "--data", data);
  const database = await runCommand("up", "--database", "postgres://localhost/x", "--data", data);

  assert.deepEqual([threshold.code, database.code], [2, 2]);
  assert.match(threshold.notes, /--threshold 3 needs at least 3 nodes/);
  assert.match(database.notes, /--database takes no address yet/);
});

test("where nothing runs, down is content and status says how to start", async (t) => {
  const data = join(temporaryFolder(t), "data");

  const down = await runCommand("down", "--data", data);
  const status = await runCommand("status", "--data", data);
  const json = await runCommand("status", "--json", "--data", data);
  const logs = await runCommand("logs", "--data", data);

  assert.equal(down.code, 0);
  assert.match(down.out, /^No network runs with/);
  assert.equal(status.code, 1);
  assert.match(status.out, /Start one: countersign up --data/);
  assert.deepEqual(JSON.parse(json.out), { running: false, data });
  assert.match(logs.notes, /There are no logs/);
  assert.equal(existsSync(data), false);
});
