import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "./testing/temporary-folder.ts";
import { DRAFT, writeFileAtomic } from "./write-file.ts";

test("of commands that write one file at the same time none fails, and one's file stays whole", async (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, "token");
  const contents = Array.from({ length: 16 }, (_, writer) => `writer ${writer} `.repeat(1_000));

  await Promise.all(contents.map((content) => writeFileAtomic(path, content)));

  assert.ok(contents.includes(readFileSync(path, "utf8")));
  assert.deepEqual(readdirSync(folder), ["token"]);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test("a file that cannot be put in its place leaves nothing behind", async (t) => {
  const folder = temporaryFolder(t);
  await writeFileAtomic(join(folder, "taken", "inside"), "");

  await assert.rejects(writeFileAtomic(join(folder, "taken"), "text"));

  assert.deepEqual(readdirSync(folder), ["taken"]);
});

test("a draft is known by its name, and nothing else is", () => {
  assert.match("descriptor.json.0123456789abcdef.draft", DRAFT);
  for (const name of ["descriptor.json", "notes.draft", "descriptor.json.xyz.draft"]) assert.doesNotMatch(name, DRAFT);
});
