import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { ErrorEntry, ErrorTable } from "@countersign/errors";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Every package's error table, found by its file: `src/errors.ts` exporting `<something>Errors`. */
async function tables(): Promise<Map<string, ErrorTable>> {
  const found = new Map<string, ErrorTable>();
  for (const kind of ["libs", "services"]) {
    for (const name of await readdir(join(root, kind))) {
      if (name === "errors") continue;
      const file = join(root, kind, name, "src/errors.ts");
      const loaded: Record<string, unknown> = await import(pathToFileURL(file).href).catch(() => ({}));
      const table = Object.entries(loaded).find(([key]) => key.endsWith("Errors"))?.[1];
      if (typeof table === "object" && table !== null) found.set(`${kind}/${name}`, table as ErrorTable);
    }
  }
  return found;
}

test("every error code is unique over all packages", async () => {
  const seen = new Map<string, string>();
  for (const [name, table] of await tables()) {
    for (const code of Object.keys(table)) {
      assert.equal(seen.get(code), undefined, `${code} stands in ${seen.get(code)} and in ${name}`);
      assert.match(code, /^[a-z][a-z0-9_]*$/);
      seen.set(code, name);
    }
  }
  assert.ok(seen.size > 30, "the tables were found");
});

test("docs/errors.md has the line of every code, and no other", async () => {
  const page = await readFile(join(root, "docs/errors.md"), "utf8");
  const documented = new Map(
    [...page.matchAll(/^\| `([a-z0-9_]+)` \| (\w+) \| (\d+) \| ([A-Z_]+) \| (.+?) \|/gm)].map(
      ([, code = "", kind, http, grpc, meaning]) => [code, { kind, http: Number(http), grpc, meaning }],
    ),
  );
  const entries = [...(await tables()).values()].flatMap((table) => Object.entries(table));
  const expected = entries.map(
    ([code, { kind, http, grpc, meaning }]: [string, ErrorEntry]) => [code, { kind, http, grpc, meaning }] as const,
  );
  assert.deepEqual(Object.fromEntries([...documented].toSorted()), Object.fromEntries(expected.toSorted()));
});
