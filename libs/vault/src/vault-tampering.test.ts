import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "@countersign/bytes";
import fc from "fast-check";
import { auditGenesis, auditHash, decodeAuditEntry, encodeAuditEntry } from "./audit/audit-entry.ts";
import { auditRow } from "./audit/verify-audit.ts";
import { createFileKek, fileKek } from "./kek/file-kek.ts";
import { type MemoryStore, memoryStore } from "./store/memory-store.ts";
import { bytes32, codeOf, keyRecord, signing, type VaultFixture, withVaults } from "./testing/vault-fixture.ts";

type Rows = Map<string, Uint8Array>;

/** A vault with two active keys and six audit entries, as rows that a storage thief may edit. */
async function written(fixture: VaultFixture): Promise<Rows> {
  const store = memoryStore();
  const vault = await fixture.open(store);
  for (const keyId of ["key-1", "key-2"]) {
    await vault.stageKey(keyRecord(keyId), utf8("acknowledgement"));
    await vault.activateKey(keyId, bytes32(`session of ${keyId}`), utf8("certificate"));
  }
  await vault.beginSession(signing("s1", fixture));
  await vault.close();
  return new Map(store.durableRows());
}

const LAST = 5;
const at = (rows: Rows, key: string) => rows.get(key) ?? assert.fail(`Row ${key} is missing.`);

/** What a vault over edited rows says about its audit chain: at opening, or when asked to verify. */
async function auditVerdict(fixture: VaultFixture, rows: Rows): Promise<number | "intact"> {
  try {
    const vault = await fixture.open(memoryStore({ rows }));
    const verdict = await vault.verifyAudit();
    return verdict.kind === "broken" ? verdict.index : "intact";
  } catch (error) {
    assert.ok(
      error instanceof Error && "code" in error && error.code === "audit_broken" && "details" in error,
      String(error),
    );
    const { index } = Object(error.details);
    return index;
  }
}

const edits: Readonly<Record<string, { readonly index: number; edit(rows: Rows): void }>> = {
  "an edited field": {
    index: 2,
    edit: (rows) =>
      rows.set(
        auditRow(2),
        utf8(
          Buffer.from(at(rows, auditRow(2)))
            .toString()
            .replace("or-1", "or-2"),
        ),
      ),
  },
  "an edited last entry": {
    index: LAST,
    edit: (rows) =>
      rows.set(
        auditRow(LAST),
        utf8(
          Buffer.from(at(rows, auditRow(LAST)))
            .toString()
            .replace("key-1", "key-9"),
        ),
      ),
  },
  "an entry that names another one before it": {
    index: 3,
    edit: (rows) => {
      const entry = decodeAuditEntry(at(rows, auditRow(3))) ?? assert.fail("An entry.");
      rows.set(auditRow(3), encodeAuditEntry({ ...entry, prevHash: new Uint8Array(32) }));
    },
  },
  "a deleted entry": { index: 3, edit: (rows) => rows.delete(auditRow(3)) },
  "two swapped entries": {
    index: 2,
    edit: (rows) => {
      const [second, third] = [at(rows, auditRow(2)), at(rows, auditRow(3))];
      rows.set(auditRow(2), third).set(auditRow(3), second);
    },
  },
  "an entry repeated over the next": { index: 4, edit: (rows) => rows.set(auditRow(4), at(rows, auditRow(3))) },
  "bytes that are no entry": { index: 1, edit: (rows) => rows.set(auditRow(1), utf8("{}")) },
  "the last entry cut off": { index: LAST, edit: (rows) => rows.delete(auditRow(LAST)) },
  "three entries cut off": {
    index: LAST - 2,
    edit: (rows) => {
      for (const index of [LAST - 2, LAST - 1, LAST]) rows.delete(auditRow(index));
    },
  },
  "all entries cut off": {
    index: 0,
    edit: (rows) => {
      for (let index = 0; index <= LAST; index++) rows.delete(auditRow(index));
    },
  },
  "a well-chained entry appended": {
    index: LAST + 1,
    edit: (rows) => {
      const prevHash = auditHash(at(rows, auditRow(LAST)));
      rows.set(
        auditRow(LAST + 1),
        encodeAuditEntry({ index: LAST + 1, time: 0, kind: "accepted", fields: {}, prevHash }),
      );
    },
  },
  "a chain rewritten consistently from its third entry on": { index: LAST, edit: rewriteFromThird },
  "a deleted head": { index: 0, edit: (rows) => rows.delete("audit-head") },
};

function rewriteFromThird(rows: Rows): void {
  let prevHash = auditHash(at(rows, auditRow(2)));
  for (let index = 3; index <= LAST; index++) {
    const entry = decodeAuditEntry(at(rows, auditRow(index))) ?? assert.fail("An entry.");
    const forged = encodeAuditEntry({ ...entry, time: entry.time + 1, prevHash });
    rows.set(auditRow(index), forged);
    prevHash = auditHash(forged);
  }
}

for (const [what, { index, edit }] of Object.entries(edits))
  test(`an audit log with ${what} is broken at entry ${index}`, () =>
    withVaults(async (fixture) => {
      const rows = await written(fixture);
      assert.equal(await auditVerdict(fixture, rows), "intact");

      edit(rows);

      assert.equal(await auditVerdict(fixture, rows), index);
    }));

test("a chain of another node or deployment is broken at its first entry", () =>
  withVaults(async (fixture) => {
    const rows = await written(fixture);
    const first = decodeAuditEntry(at(rows, auditRow(0)));

    assert.deepEqual(first?.prevHash, auditGenesis("dep-1", "node-1"));
    rows.set(auditRow(0), encodeAuditEntry({ ...(first ?? assert.fail()), prevHash: auditGenesis("dep-1", "node-2") }));

    assert.equal(await auditVerdict(fixture, rows), 0);
  }));

test("a session is refused while the chain's end is not what the head seals", () =>
  withVaults(async (fixture) => {
    let broken = false;
    const rows = await written(fixture);
    const inner: MemoryStore = memoryStore({ rows });
    const vault = await fixture.open({
      ...inner,
      async commit(batch) {
        if (broken) throw Object.assign(new Error("Lost."), { code: "store_failed" });
        return inner.commit(batch);
      },
      async read(keys) {
        const values = await inner.read(keys);
        return broken && keys[0]?.startsWith("audit/") ? [undefined] : values;
      },
    });
    broken = true;

    assert.equal(await codeOf(vault.beginSession(signing("s2", fixture))), "store_failed");
    assert.equal(await codeOf(vault.beginSession(signing("s3", fixture))), "audit_broken");
  }));

test("no sealed row opens in another row's place, bent, cut or prolonged: the error is typed and the output never wrong", () =>
  withVaults(async (fixture) => {
    const rows = await written(fixture);
    const use = async (edited: Rows) => {
      const vault = await fixture.open(memoryStore({ rows: edited }));
      await vault.beginSession(signing("s1 again", fixture, { c: bytes32("c of s1") }));
      await codeOf(vault.beginSession(signing("s1", fixture))).then((code) => assert.equal(code, "session_replayed"));
      return (await vault.openKey("key-1")).secret.expose();
    };
    const sealed = [...rows.keys()].filter((key) => /^(key\/key-1|share\/key-1|audit-head|attempts\/)/.test(key));
    assert.equal(sealed.length, 4);
    assert.deepEqual(await use(new Map(rows)), bytes32("share of key-1"));

    const refusals = async (key: string, value: Uint8Array) =>
      assert.equal(await codeOf(use(new Map(rows).set(key, value))), "record_rejected", key);
    for (const key of sealed) {
      for (const other of sealed) if (other !== key) await refusals(key, at(rows, other));
      await refusals(key, at(rows, key).subarray(0, -1));
      await refusals(key, Uint8Array.of(...at(rows, key), 0));
      await refusals(key, new Uint8Array());
    }
    await refusals("key/key-1", at(rows, "key/key-2"));
    await refusals("share/key-1", at(rows, "share/key-2"));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...sealed), fc.nat(), async (key, position) => {
        const value = at(rows, key).slice();
        const bit = position % (value.length * 8);
        value[bit >> 3] = (value[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        await refusals(key, value);
      }),
      { numRuns: 60 },
    );
  }));

test("a session row that was bent refuses the session instead of forgetting it", () =>
  withVaults(async (fixture) => {
    const rows = await written(fixture);
    const [key = ""] = [...rows.keys()].filter((row) => row.startsWith("session/"));
    rows.set(
      key,
      at(rows, key).map((byte) => byte ^ 1),
    );
    const vault = await fixture.open(memoryStore({ rows }));

    assert.equal(await codeOf(vault.beginSession(signing("s1", fixture))), "record_rejected");
  }));

test("a share does not open beside the facts of another session of the same key", () =>
  withVaults(async (fixture) => {
    const store = memoryStore();
    const vault = await fixture.open(store);
    const [first, second] = ["one", "two"].map((name) => keyRecord("key-1", { sessionId: bytes32(name) }));
    assert.ok(first !== undefined && second !== undefined);
    await vault.stageKey(first, utf8("acknowledgement"));
    const share = at(new Map(store.durableRows()), "share/key-1");
    await vault.dropStagedKey("key-1", first.sessionId);
    await vault.stageKey(second, utf8("acknowledgement"));
    await vault.activateKey("key-1", second.sessionId, utf8("certificate"));

    const mixed = await fixture.open(memoryStore({ rows: new Map(store.durableRows()).set("share/key-1", share) }));

    assert.equal(await codeOf(mixed.openKey("key-1")), "record_rejected");
  }));

test("a missing share is an error, not an unknown key", () =>
  withVaults(async (fixture) => {
    const rows = await written(fixture);
    rows.delete("share/key-1");

    assert.equal(await codeOf((await fixture.open(memoryStore({ rows }))).openKey("key-1")), "record_rejected");
  }));

test("the vault of another node or deployment is refused, also when its name row is rewritten", () =>
  withVaults(async (fixture) => {
    const rows = await written(fixture);
    const others = [{ nodeId: "node-2" }, { deploymentId: "dep-2" }, { deploymentId: "dep-1n", nodeId: "ode-1" }];

    for (const ids of others) {
      const blank = memoryStore();
      await (await fixture.open(blank, ids)).close();
      const renamed = new Map(rows).set("vault", at(new Map(blank.durableRows()), "vault"));
      assert.equal(await codeOf(fixture.open(memoryStore({ rows }), ids)), "vault_foreign");
      assert.equal(await codeOf(fixture.open(memoryStore({ rows: renamed }), ids)), "kek_rejected");
    }
    assert.equal(await codeOf(fixture.open(memoryStore({ rows }), { nodeId: "" })), "vault_foreign");
  }));

test("a store with rows but no vault is left alone", () =>
  withVaults(async (fixture) => {
    const rows = await written(fixture);
    rows.delete("vault");
    const store = memoryStore({ rows });

    const stranger = memoryStore({ rows: new Map([["theirs", utf8("1")]]) });

    for (const occupied of [store, stranger]) {
      const before = occupied.durableRows();
      assert.equal(await codeOf(fixture.open(occupied)), "vault_foreign");
      assert.deepEqual(occupied.durableRows(), before);
    }
  }));

test("another KEK, and a lost or foreign data key, are refused", () =>
  withVaults(async (fixture) => {
    const rows = await written(fixture);
    const path = `${fixture.folder}/other-kek`;
    await createFileKek(path);
    const key = "data-key/00000001";
    const blank = memoryStore();
    await fixture.open(blank);
    const lost = new Map(rows);
    lost.delete(key);
    const renumbered = new Map(lost).set("data-key/00000002", at(rows, key));
    const another = new Map(rows).set(key, at(new Map(blank.durableRows()), key));

    assert.equal(await codeOf(fixture.open(memoryStore({ rows }), { kek: await fileKek({ path }) })), "kek_rejected");
    assert.equal(await codeOf(fixture.open(memoryStore({ rows: lost }))), "kek_rejected");
    assert.equal(await codeOf(fixture.open(memoryStore({ rows: renumbered }))), "kek_rejected");
    assert.equal(await codeOf(fixture.open(memoryStore({ rows: another }))), "record_rejected");
  }));

test("opening that fails closes the store", () =>
  withVaults(async (fixture) => {
    const store = memoryStore({ rows: await written(fixture) });

    await codeOf(fixture.open(store, { nodeId: "node-2" }));

    assert.equal(await codeOf(store.read(["vault"])), "store_closed");
  }));

test("two openings that create one vault at once agree on it", () =>
  withVaults(async (fixture) => {
    const store = memoryStore();
    const shared = () => ({ ...store, close: async () => {} });

    const vaults = await Promise.all([fixture.open(shared()), fixture.open(shared()), fixture.open(shared())]);
    for (const [index, vault] of vaults.entries()) await vault.beginSession(signing(`s${index}`, fixture));

    assert.equal((await vaults[0]?.verifyAudit())?.kind, "intact");
    assert.equal(await store.count("audit/"), 4);
  }));
