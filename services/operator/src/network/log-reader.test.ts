import assert from "node:assert/strict";
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { LogReader } from "./log-reader.ts";

test("each whole line is read once, also when it arrives in parts or the file is written anew", async (t) => {
  const path = join(temporaryFolder(t), "a.log");
  const reader = new LogReader(path);

  const absent = await reader.read();
  writeFileSync(path, "one\ntw");
  const first = await reader.read();
  appendFileSync(path, "o\nthree\n\n");
  const second = await reader.read();
  writeFileSync(path, "four\n");
  const anew = await reader.read();

  assert.deepEqual([absent, first, second, anew], [[], ["one"], ["two", "three"], ["four"]]);
});

test("characters that fall on the border of two reads stay whole", async (t) => {
  const path = join(temporaryFolder(t), "a.log");
  const line = `${"é".repeat(40_000)}x`;
  writeFileSync(path, `${line}\n`);

  assert.deepEqual(await new LogReader(path).read(), [line]);
});
