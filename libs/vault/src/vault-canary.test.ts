import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import { base64url, hex, Secret, utf8 } from "@countersign/bytes";
import type { KekProvider } from "./kek/kek-provider.ts";
import { openSqliteStore } from "./store/sqlite-store.ts";
import { bytes32, keyRecord, signing, withVaults } from "./testing/vault-fixture.ts";

/** Where a secret's bytes are found, in any of the forms in which programs leak them. */
function forms(secret: Uint8Array): readonly Buffer[] {
  const raw = Buffer.from(secret);
  const texts = [
    hex(secret),
    hex(secret).toUpperCase(),
    base64url(secret),
    raw.toString("base64"),
    secret.join(","),
    secret.join(", "),
  ];
  return [raw, ...texts.map((text) => Buffer.from(text))];
}

function assertAbsent(secrets: Readonly<Record<string, Uint8Array>>, haystack: Buffer, where: string): void {
  for (const [name, secret] of Object.entries(secrets))
    for (const form of forms(secret)) assert.ok(!haystack.includes(form), `${name} is in ${where}`);
}

test("share, data key and KEK are nowhere in the files, nor in what errors and inspection print", () =>
  withVaults(async (fixture) => {
    // Given a vault whose secrets the test knows, the data key by watching it being wrapped.
    const path = join(fixture.folder, "store.sqlite");
    const dataKeys: Uint8Array[] = [];
    const watched: KekProvider = {
      ...fixture.kek,
      wrap: (dataKey, context) => {
        dataKeys.push(new Uint8Array(dataKey.expose()));
        return fixture.kek.wrap(dataKey, context);
      },
    };
    const kek = Buffer.from((await readFile(join(fixture.folder, "kek"), "utf8")).trim(), "hex");
    const vault = await fixture.open(await openSqliteStore({ path }), { kek: watched });
    const secrets = {
      share: bytes32("share of key-1"),
      kek,
      dataKey: dataKeys[0] ?? assert.fail("A data key was made."),
    };

    // When it works, and fails in every way it can.
    await vault.stageKey(keyRecord("key-1"), utf8("acknowledgement"));
    await vault.activateKey("key-1", bytes32("session of key-1"), utf8("certificate"));
    await vault.beginSession(signing("s1", fixture));
    vault.recordOutcome({ sessionId: bytes32("s1"), keyId: "key-1", outcome: "signed" });
    const opened = await vault.openKey("key-1");
    const failures = await Promise.allSettled([
      vault.stageKey(keyRecord("key-1"), utf8("acknowledgement")),
      vault.stageKey(keyRecord("Bad Id"), utf8("acknowledgement")),
      vault.stageKey(
        keyRecord("key-2", { secret: new Secret(secrets.share.slice()), publicPart: new Uint8Array(70_000) }),
        utf8(""),
      ),
      vault.openKey("key-9"),
      vault.renounce("key-1", bytes32("session of key-1")),
    ]);

    // Then none of it shows, in the live files, after closing, or in print.
    assert.ok(failures.every(({ status }) => status === "rejected"));
    for (const file of [path, `${path}-wal`]) assertAbsent(secrets, await readFile(file), file);
    const depth = { depth: 12, showHidden: true, getters: true };
    const printed = [vault, opened, failures, fixture.kek, keyRecord("key-1")].map(
      (value) => `${inspect(value, depth)}${JSON.stringify(value)}`,
    );
    assertAbsent(secrets, Buffer.from(printed.join("\n")), "print");
    await vault.close();
    assertAbsent(secrets, await readFile(path), "the closed file");
  }));

test("the search would find what it looks for", () => {
  const share = bytes32("share of key-1");

  for (const form of forms(share))
    assert.throws(() => assertAbsent({ share }, Buffer.concat([utf8("before"), form, utf8("after")]), "the haystack"));
});
