import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { waitUntil } from "../wait-until.ts";
import { takeLock } from "./lock.ts";

const LOCK_MODULE = new URL("lock.ts", import.meta.url).href;

test("a lock is held by one process and free the moment that process is killed", async (t) => {
  const path = join(temporaryFolder(t), "lock");
  const script = `const { takeLock } = await import(${JSON.stringify(LOCK_MODULE)}); console.log(takeLock(${JSON.stringify(path)}) !== undefined); setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => holder.kill("SIGKILL"));
  const [taken] = await once(holder.stdout, "data");

  const whileHeld = takeLock(path);
  holder.kill("SIGKILL");
  const afterwards = await waitUntil(() => takeLock(path), 10_000);

  assert.equal(String(taken).trim(), "true");
  assert.equal(whileHeld, undefined);
  assert.notEqual(afterwards, undefined);
  afterwards?.release();
});

test("a released lock can be taken again by the same process", (t) => {
  const path = join(temporaryFolder(t), "lock");

  takeLock(path)?.release();
  const again = takeLock(path);

  assert.notEqual(again, undefined);
  again?.release();
});
