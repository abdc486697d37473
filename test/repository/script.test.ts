// The one script a person runs, as a person runs it: from elsewhere, through a link, without a network, on a bad mirror.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, copyFile, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("../../countersign", import.meta.url));
/** Nobody listens there: whatever is fetched fails at once. */
const NO_REGISTRY = { npm_config_registry: "http://127.0.0.1:9" };
/** With a cache from `./countersign test` the script must find its own Node there; else it takes the one that runs this. */
const CACHE = process.env["COUNTERSIGN_CACHE"];
const SYSTEM = "/usr/bin:/bin";

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly notes: string;
}

function run(script: string, words: readonly string[], env: Record<string, string>): Promise<Ended> {
  const { promise, resolve } = Promise.withResolvers<Ended>();
  execFile("/bin/sh", [script, ...words], { cwd: "/", env, timeout: 60_000 }, (error, out, notes) =>
    resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, notes }),
  );
  return promise;
}

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "countersign-script-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A program of a test's own. */
async function program(path: string, text: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${text}\n`);
  await chmod(path, 0o755);
}

test("after its first use the script works from any folder, through a link, without a network", async (t) => {
  const link = join(await folder(t), "cs");
  await symlink(SCRIPT, link);
  const home = process.env["HOME"] ?? "/";
  const env =
    CACHE === undefined
      ? { PATH: `${dirname(process.execPath)}:${SYSTEM}` }
      : { PATH: SYSTEM, COUNTERSIGN_CACHE: CACHE };

  const { code, out, notes } = await run(link, ["--help"], { HOME: home, ...env, ...NO_REGISTRY });

  assert.equal(code, 0, notes);
  assert.match(out, /^Usage: countersign <verb>/m);
  assert.equal(notes, "", "nothing was installed");
});

test("a Node that is not the pinned one is refused, and nothing of it is kept", async (t) => {
  const root = await folder(t);
  const [script, cache] = [join(root, "countersign"), join(root, "cache")];
  await copyFile(SCRIPT, script);
  await program(join(root, "node"), "echo 20");
  // A mirror that hands out something else under the right name.
  await program(join(root, "npm"), 'touch "$(echo "$3" | tr @ -).tgz"');

  const { code, notes } = await run(script, ["--help"], { PATH: `${root}:${SYSTEM}`, COUNTERSIGN_CACHE: cache });

  assert.equal(code, 1);
  assert.match(notes, /does not have the expected SHA-512; refusing to run it/);
  assert.deepEqual(await readdir(cache), []);
});

test("without npm and a new Node the script says what to install", async (t) => {
  const root = await folder(t);
  const script = join(root, "countersign");
  await copyFile(SCRIPT, script);
  for (const name of ["uname", "dirname", "cmp", "cat", "mkdir", "readlink"])
    await symlink(`/usr/bin/${name}`, join(root, name));

  const { code, notes } = await run(script, ["--help"], { PATH: root, COUNTERSIGN_CACHE: join(root, "cache") });

  assert.equal(code, 1);
  assert.match(notes, /Node 24 or newer is needed: install it .* or install npm \(Debian: apt-get install npm\)/);
});
