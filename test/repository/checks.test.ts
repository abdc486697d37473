import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));
const run = promisify(execFile);
/** Tools that other tools start by name: buf starts its plugin. */
const bin = join(root, "node_modules/.bin");

/** Runs one of the workspace's own tools; fails with what it printed. */
async function tool(name: string, ...args: string[]): Promise<void> {
  try {
    await run(join(root, "node_modules/.bin", name), args, {
      cwd: root,
      maxBuffer: 64 << 20,
      env: { ...process.env, PATH: `${bin}:${process.env["PATH"] ?? ""}` },
    });
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    assert.fail(`${name} ${args.join(" ")}\n${stdout}${stderr}`.slice(0, 8_000));
  }
}

/** Files that belong to the repository, by path from its root. */
async function ownFiles(): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !/(^|\/)(node_modules|\.git|\.countersign)\//.test(path));
}

/** Whether a page names a file, by its name or by a pattern such as `frost-*.samples.json` or `frost/`. */
function isNamed(page: string, path: string): boolean {
  const patterns = [...page.matchAll(/[\w./*-]+/g)]
    .map(([word]) => word)
    .filter((word) => /\w/.test(word) && /[./]/.test(word));
  return patterns.some((pattern) => {
    const expression = pattern.replaceAll(/[.]/g, "\\.").replaceAll("*", "[^/]*");
    return new RegExp(`(^|/)${expression}`).test(path);
  });
}

describe("the repository", { concurrency: 2 }, () => {
  test("type-checks under the strictest flags", () => tool("tsc"));
  test("is formatted and linted", () => tool("biome", "check", "."));
  test("has no unused file, export or dependency", () => tool("knip"));
  test("imports along the architecture's arrows only", () => tool("depcruise", "libs", "services", "proto", "test"));
  test("has contracts that follow the protobuf style", () => tool("buf", "lint"));
  test("breaks no released contract", () => tool("buf", "breaking", "--against", "proto/released.binpb"));

  test("holds exactly what its contracts generate", async () => {
    const folder = await mkdtemp(join(tmpdir(), "countersign-generate-"));
    try {
      await tool("buf", "generate", "--output", folder);
      const made = (await readdir(join(folder, "proto/gen"), { recursive: true })).filter((name) =>
        /\.(js|d\.ts)$/.test(name),
      );
      const kept = (await readdir(join(root, "proto/gen"), { recursive: true })).filter((name) =>
        /\.(js|d\.ts)$/.test(name),
      );
      assert.deepEqual(kept.toSorted(), made.toSorted());
      for (const name of made) {
        const [expected, found] = await Promise.all([
          readFile(join(folder, "proto/gen", name), "utf8"),
          readFile(join(root, "proto/gen", name), "utf8"),
        ]);
        assert.equal(found, expected, `proto/gen/${name} is stale: run buf generate`);
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("pins no download host, so that any mirror serves it", async () => {
    for (const path of (await ownFiles()).filter((path) => /pnpm-lock\.yaml$|\.npmrc$/.test(path)))
      assert.doesNotMatch(await readFile(join(root, path), "utf8"), /https?:\/\/|tarball:/, path);
  });

  test("links only to pages that exist", async () => {
    const paths = await ownFiles();
    for (const page of paths.filter((path) => path.endsWith(".md"))) {
      const text = await readFile(join(root, page), "utf8");
      for (const [, target = ""] of text.matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)) {
        const resolved = relative(root, join(root, page, "..", target)).replace(/\/$/, "");
        assert.ok(
          paths.some((path) => path === resolved || path.startsWith(`${resolved}/`)),
          `${page} links to ${target}`,
        );
      }
    }
  });

  test("copies each vector file with its provenance", async () => {
    const paths = await ownFiles();
    const folders = new Set(
      paths.filter((path) => /\/vectors\//.test(path)).map((path) => path.replace(/(\/vectors)\/.*/, "$1")),
    );
    assert.ok(folders.size > 0);
    for (const folder of folders) {
      const provenance = await readFile(join(root, folder, "README.md"), "utf8");
      for (const path of paths.filter((path) => path.startsWith(`${folder}/`) && !path.endsWith("README.md")))
        assert.ok(isNamed(provenance, path.slice(folder.length + 1)), `${folder}/README.md says nothing of ${path}`);
    }
  });
});
