import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { readBounded, readSecret, readTls } from "./read-file.ts";

test("a secret that only its owner can touch is read", async (t) => {
  const path = join(await folder(t), "seed");
  await writeFile(path, "seed", { mode: 0o600 });

  const secret = await readSecret(path);

  assert.equal(Buffer.from(secret.expose()).toString(), "seed");
});

test("a secret that anyone else can read or write is refused with the command that mends it", async (t) => {
  const path = join(await folder(t), "seed");
  await writeFile(path, "seed");

  for (const mode of [0o640, 0o604, 0o620, 0o602, 0o777]) {
    await chmod(path, mode);
    await assert.rejects(readSecret(path), { code: "file_exposed", message: new RegExp(`chmod 600 ${path}$`) });
  }
});

test("what is missing, too large, a folder or a pipe is refused at once", async (t) => {
  const parent = await folder(t);
  await writeFile(join(parent, "large"), new Uint8Array(11));
  const makePipe = "mkfifo";
  execFileSync(makePipe, [join(parent, "pipe")]);

  for (const path of ["absent", "large", ".", "pipe"])
    await assert.rejects(readBounded(join(parent, path), 10), { code: "file_unreadable" }, path);
});

test("TLS files are read together, and the key must be private", async (t) => {
  const parent = await folder(t);
  const paths = { ca: join(parent, "ca"), certificate: join(parent, "certificate"), key: join(parent, "key") };
  for (const path of Object.values(paths)) await writeFile(path, path.slice(parent.length + 1), { mode: 0o600 });

  const { ca, certificate, key } = await readTls(paths);
  await chmod(paths.key, 0o644);

  assert.deepEqual([ca, certificate, key].map(String), [
    ..."ca certificate key".split(" ").map((text) => String(new TextEncoder().encode(text))),
  ]);
  await assert.rejects(readTls(paths), { code: "file_exposed" });
});

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "countersign-runtime-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}
