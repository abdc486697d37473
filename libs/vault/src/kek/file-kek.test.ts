import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import { hex, Secret, utf8 } from "@countersign/bytes";
import fc from "fast-check";
import { inTemporaryFolder } from "../testing/temporary-folder.ts";
import { createFileKek, fileKek } from "./file-kek.ts";

const context = utf8("deployment, node, version");
const dataKey = () => new Secret(new Uint8Array(32).fill(7));

test("a data key wrapped under a new KEK file unwraps, also after the file was opened again", () =>
  inTemporaryFolder(async (folder) => {
    const path = join(folder, "kek");
    await createFileKek(path);

    const wrapped = await (await fileKek({ path })).wrap(dataKey(), context);
    const unwrapped = await (await fileKek({ path })).unwrap(wrapped, context);

    assert.deepEqual(unwrapped.expose(), dataKey().expose());
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.match(await readFile(path, "utf8"), /^[0-9a-f]{64}\n$/);
  }));

test("another KEK, another context, any flipped bit and any truncation of a wrapped key are refused", () =>
  inTemporaryFolder(async (folder) => {
    const [path, otherPath] = [join(folder, "kek"), join(folder, "other")];
    await createFileKek(path);
    await createFileKek(otherPath);
    const kek = await fileKek({ path });
    const wrapped = await kek.wrap(dataKey(), context);
    const refused = { code: "kek_rejected" };

    await assert.rejects((await fileKek({ path: otherPath })).unwrap(wrapped, context), refused);
    await assert.rejects(kek.unwrap(wrapped, utf8("another context")), refused);
    await fc.assert(
      fc.asyncProperty(fc.nat(wrapped.length * 8 - 1), async (bit) => {
        const flipped = wrapped.map((byte, index) => (index === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
        await assert.rejects(kek.unwrap(flipped, context), refused);
      }),
      { numRuns: 100 },
    );
    for (let size = 0; size < wrapped.length; size++)
      await assert.rejects(kek.unwrap(wrapped.subarray(0, size), context), refused);
  }));

test("two wraps of one key differ: the nonce is fresh", () =>
  inTemporaryFolder(async (folder) => {
    const path = join(folder, "kek");
    await createFileKek(path);
    const kek = await fileKek({ path });

    assert.notDeepEqual(await kek.wrap(dataKey(), context), await kek.wrap(dataKey(), context));
  }));

for (const mode of [0o640, 0o604, 0o620, 0o602, 0o610, 0o601])
  test(`a KEK file of mode ${mode.toString(8)} is refused, at opening and at every later use`, () =>
    inTemporaryFolder(async (folder) => {
      const path = join(folder, "kek");
      await createFileKek(path);
      const kek = await fileKek({ path });
      await chmod(path, mode);

      await assert.rejects(fileKek({ path }), { code: "kek_file_exposed", message: /make it 600/ });
      await assert.rejects(kek.wrap(dataKey(), context), { code: "kek_file_exposed" });
    }));

test("a KEK file is never overwritten", () =>
  inTemporaryFolder(async (folder) => {
    const path = join(folder, "kek");
    await createFileKek(path);
    const before = await readFile(path);

    await assert.rejects(createFileKek(path), { code: "kek_file_invalid" });

    assert.deepEqual(await readFile(path), before);
  }));

test("a symbolic link, a folder, a named pipe and a missing file are refused at once", () =>
  inTemporaryFolder(async (folder) => {
    await createFileKek(join(folder, "kek"));
    await symlink(join(folder, "kek"), join(folder, "link"));
    await mkdir(join(folder, "folder"), 0o700);
    execFileSync("mkfifo", ["-m", "600", join(folder, "pipe")]);

    const messages = {
      link: /symbolic link/,
      missing: /missing/,
      folder: /not a regular file/,
      pipe: /not a regular file/,
    };
    for (const [name, message] of Object.entries(messages))
      await assert.rejects(fileKek({ path: join(folder, name) }), { code: "kek_file_invalid", message });
  }));

test("anything but 64 lower-case hex digits is refused, and no error quotes the file", () =>
  inTemporaryFolder(async (folder) => {
    const canary = "c0ffee".repeat(10);
    const contents = [
      "",
      canary,
      `${canary}0`,
      `${canary}00000`,
      `${canary}zzzz`,
      `${canary}ABCD`,
      ` ${canary}000`,
      `${canary}0000\n\n`,
      canary.repeat(4),
    ];

    for (const [index, content] of contents.entries()) {
      const path = join(folder, String(index));
      await writeFile(path, content, { mode: 0o600 });
      const error: unknown = await fileKek({ path }).catch((caught: unknown) => caught);
      assert.equal(error instanceof Error && "code" in error && error.code, "kek_file_invalid", content);
      assert.ok(!inspect(error, { depth: 9 }).includes(canary));
    }
  }));

test("neither provider nor errors show the KEK", () =>
  inTemporaryFolder(async (folder) => {
    const path = join(folder, "kek");
    await createFileKek(path);
    const secret = (await readFile(path, "utf8")).trim();
    const kek = await fileKek({ path });

    const wrapped = await kek.wrap(dataKey(), context);
    const error: unknown = await kek.unwrap(wrapped, utf8("x")).catch((caught: unknown) => caught);

    assert.ok(!inspect([kek, error], { depth: 9, showHidden: true }).includes(secret));
    assert.ok(!hex(wrapped).includes(secret));
  }));
