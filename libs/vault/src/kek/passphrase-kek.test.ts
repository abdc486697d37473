import assert from "node:assert/strict";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import { parseJson, Secret, utf8 } from "@countersign/bytes";
import { inTemporaryFolder } from "../testing/temporary-folder.ts";
import { createPassphraseKek, passphraseKek } from "./passphrase-kek.ts";

const context = utf8("deployment, node, version");
const passphrase = (text = "correct horse battery staple") => new Secret(utf8(text));
const parameters = {
  algorithm: "argon2id",
  passes: 3,
  memoryMebibytes: 64,
  salt: "A".repeat(22),
  check: "A".repeat(86),
};

test("a data key wrapped under a passphrase unwraps with the same passphrase and parameters file alone", () =>
  inTemporaryFolder(async (folder) => {
    const parametersFile = join(folder, "parameters.json");
    await createPassphraseKek({ passphrase: passphrase(), parametersFile });
    const dataKey = new Secret(new Uint8Array(32).fill(7));

    const kek = await passphraseKek({ passphrase: passphrase(), parametersFile });
    const wrapped = await kek.wrap(dataKey, context);
    const unwrapped = await (await passphraseKek({ passphrase: passphrase(), parametersFile })).unwrap(
      wrapped,
      context,
    );

    assert.deepEqual(unwrapped.expose(), dataKey.expose());
    await assert.rejects(kek.unwrap(wrapped, utf8("another context")), { code: "kek_rejected" });
    await assert.rejects(passphraseKek({ passphrase: passphrase("correct horse battery stable"), parametersFile }), {
      code: "passphrase_wrong",
      message: /passphrase does not fit/,
    });
    assert.ok(!inspect(kek, { depth: 9, showHidden: true }).includes("horse"));
    await chmod(parametersFile, 0o644);
    await assert.rejects(passphraseKek({ passphrase: passphrase(), parametersFile }), { code: "kek_file_exposed" });
  }));

test("parameters are bound to the check: an edited salt or cost no longer fits the passphrase", () =>
  inTemporaryFolder(async (folder) => {
    const parametersFile = join(folder, "parameters.json");
    await createPassphraseKek({ passphrase: passphrase(), parametersFile });
    const made = parseJson(await readFile(parametersFile, "utf8"));
    assert.ok(made !== null && typeof made === "object" && !Array.isArray(made));

    await writeFile(parametersFile, JSON.stringify({ ...made, passes: 4 }));

    await assert.rejects(passphraseKek({ passphrase: passphrase(), parametersFile }), { code: "passphrase_wrong" });
  }));

const malformed: Readonly<Record<string, object | string>> = {
  "two passes": { ...parameters, passes: 2 },
  "seventeen passes": { ...parameters, passes: 17 },
  "half a pass more": { ...parameters, passes: 3.5 },
  "63 MiB": { ...parameters, memoryMebibytes: 63 },
  "a terabyte": { ...parameters, memoryMebibytes: 1024 * 1024 },
  "a short salt": { ...parameters, salt: "AAAA" },
  "a salt that is no base64url": { ...parameters, salt: "!".repeat(22) },
  "another algorithm": { ...parameters, algorithm: "argon2i" },
  "an unknown member": { ...parameters, pepper: 1 },
  "a missing check": { ...parameters, check: undefined },
  "passes as text": { ...parameters, passes: "3" },
  "no object": "[]",
  "no JSON": "passes=3",
  "a member twice": `{"passes":3,${JSON.stringify(parameters).slice(1)}`,
};

for (const [what, content] of Object.entries(malformed))
  test(`a parameters file with ${what} is refused before anything is derived`, () =>
    inTemporaryFolder(async (folder) => {
      const parametersFile = join(folder, "parameters.json");
      await writeFile(parametersFile, typeof content === "string" ? content : JSON.stringify(content), { mode: 0o600 });

      await assert.rejects(passphraseKek({ passphrase: passphrase(), parametersFile }), {
        code: "kek_parameters_invalid",
      });
    }));

test("weak parameters and short passphrases are not even created, and an existing file is never overwritten", () =>
  inTemporaryFolder(async (folder) => {
    const parametersFile = join(folder, "parameters.json");
    const create = (options: { text?: string; passes?: number; memoryMebibytes?: number }) => {
      const { text, ...cost } = options;
      return createPassphraseKek({ passphrase: passphrase(text), parametersFile, ...cost });
    };

    await assert.rejects(create({ passes: 2 }), { code: "kek_parameters_invalid" });
    await assert.rejects(create({ memoryMebibytes: 32 }), { code: "kek_parameters_invalid" });
    await assert.rejects(create({ text: "elevenchars" }), { code: "kek_parameters_invalid" });
    await assert.rejects(readFile(parametersFile), { code: "ENOENT" });
    await writeFile(parametersFile, "mine", { mode: 0o600 });
    await assert.rejects(create({}), { code: "kek_file_invalid" });
    assert.equal(await readFile(parametersFile, "utf8"), "mine");
  }));
