import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "@countersign/bytes";
import { memoryStore } from "./store/memory-store.ts";
import { bytes32, codeOf, disks, keyRecord, withVaults } from "./testing/vault-fixture.ts";

const acknowledgement = utf8("own acknowledgement");
const certificate = utf8("all acknowledgements");
const session = (keyId: string) => bytes32(`session of ${keyId}`);

for (const disk of disks()) {
  test(`${disk.name}: a key is staged, then active with its certificate, and opens with the very share, also after reopening`, () =>
    withVaults(async (fixture) => {
      const vault = await fixture.open(await disk.open(fixture));
      const { secret, ...born } = keyRecord("key-1");
      const facts = { ...born, acknowledgement };

      await vault.stageKey({ ...born, secret }, acknowledgement);
      const staged = await vault.keyFacts("key-1");
      const early = await codeOf(vault.openKey("key-1"));
      const activated = await vault.activateKey("key-1", session("key-1"), certificate);
      const opened = await vault.openKey("key-1");
      await vault.close();
      const reopened = await fixture.open(await disk.open(fixture));
      const again = await reopened.openKey("key-1");

      const active = { ...facts, state: { kind: "active", certificate } };
      assert.deepEqual(staged, { ...facts, state: { kind: "staged" } });
      assert.equal(early, "share_not_active");
      assert.deepEqual([activated, opened.facts, again.facts], [active, active, active]);
      assert.deepEqual(opened.secret.expose(), bytes32("share of key-1"));
      assert.deepEqual(again.secret.expose(), bytes32("share of key-1"));
      assert.deepEqual(secret.expose(), bytes32("share of key-1"));
      const kinds = (await reopened.auditEntries({ from: 1, limit: 9 })).map(({ kind }) => kind);
      assert.deepEqual(kinds, ["key-staged", "key-activated"]);
    }));

  test(`${disk.name}: of staging and renouncing one session at once exactly one happens, whichever comes first`, () =>
    withVaults(async (fixture) => {
      const vault = await fixture.open(await disk.open(fixture));

      for (let round = 0; round < 10; round++) {
        const keyId = `key-${round}`;
        const stage = () => codeOf(vault.stageKey(keyRecord(keyId), acknowledgement));
        const renounce = () => codeOf(vault.renounce(keyId, session(keyId)));
        const [first, second] = round % 2 === 0 ? [stage, renounce] : [renounce, stage];
        const codes = await Promise.all([first(), second()]);

        const held = await vault.keyFacts(keyId);
        assert.deepEqual(codes, [undefined, round % 2 === 0 ? "share_staged" : "session_renounced"]);
        assert.equal(held?.state.kind, round % 2 === 0 ? "staged" : undefined);
      }
      assert.equal(await vault.countKeys(), 5);
    }));
}

test("a renounced session never stages, and another session of the same key still may", () =>
  withVaults(async (fixture) => {
    const vault = await fixture.open(memoryStore());
    await vault.renounce("key-1", session("key-1"));
    await vault.renounce("key-1", session("key-1"));

    assert.equal(await codeOf(vault.stageKey(keyRecord("key-1"), acknowledgement)), "session_renounced");
    assert.equal(await vault.keyFacts("key-1"), undefined);
    assert.equal((await vault.auditHead()).index, 1);
    await vault.stageKey(keyRecord("key-1", { sessionId: bytes32("another") }), acknowledgement);
    await vault.renounce("key-1", bytes32("a third"));
  }));

test("one key's sessions are given up sixteen times an hour, and a repetition counts as nothing", () =>
  withVaults(async (fixture) => {
    const vault = await fixture.open(memoryStore());
    const renounce = (place: number, keyId = "key-1") => codeOf(vault.renounce(keyId, bytes32(`session ${place}`)));
    for (let place = 0; place < 16; place++) assert.equal(await renounce(place), undefined);
    const { index } = await vault.auditHead();

    assert.equal(await renounce(16), "renunciation_limit");
    assert.equal(await renounce(3), undefined);
    assert.equal((await vault.auditHead()).index, index);
    assert.equal(await renounce(16, "key-2"), undefined);
    fixture.clock.ms += 3_600_000;
    assert.equal(await renounce(16), undefined);
  }));

test("a second record for a key or for a C is refused, staged or active", () =>
  withVaults(async (fixture) => {
    const vault = await fixture.open(memoryStore());
    const stage = (change: object, keyId = "key-1") =>
      codeOf(vault.stageKey(keyRecord(keyId, { sessionId: bytes32("another"), ...change }), acknowledgement));
    await vault.stageKey(keyRecord("key-1"), acknowledgement);

    const staged = [
      await stage({}),
      await stage({ c: bytes32("other C") }),
      await stage({ c: bytes32("c of key-1") }, "key-2"),
    ];
    await vault.activateKey("key-1", session("key-1"), certificate);
    const active = [
      await stage({}),
      await stage({ c: bytes32("other C") }),
      await stage({ c: bytes32("c of key-1") }, "key-2"),
    ];

    assert.deepEqual(new Set([...staged, ...active]), new Set(["share_exists"]));
    assert.equal(await vault.countKeys(), 1);
    assert.deepEqual((await vault.openKey("key-1")).secret.expose(), bytes32("share of key-1"));
  }));

test("activating twice changes nothing; in another session, or without a record, it is refused", () =>
  withVaults(async (fixture) => {
    const vault = await fixture.open(memoryStore());
    assert.equal(await codeOf(vault.activateKey("key-1", session("key-1"), certificate)), "share_unknown");
    await vault.stageKey(keyRecord("key-1"), acknowledgement);

    const other = await codeOf(vault.activateKey("key-1", bytes32("another"), certificate));
    await vault.activateKey("key-1", session("key-1"), certificate);
    const head = await vault.auditHead();
    const again = await vault.activateKey("key-1", session("key-1"), utf8("another certificate"));

    assert.equal(other, "share_session_differs");
    assert.deepEqual(again.state, { kind: "active", certificate });
    assert.deepEqual(await vault.auditHead(), head);
  }));

test("a dropped share is gone, its session is over for good, and its C may make the key in another session", () =>
  withVaults(async (fixture) => {
    const store = memoryStore();
    const vault = await fixture.open(store);
    await vault.stageKey(keyRecord("key-1"), acknowledgement);
    assert.equal(await codeOf(vault.dropStagedKey("key-1", bytes32("another"))), "share_session_differs");

    await vault.dropStagedKey("key-1", session("key-1"));
    await vault.dropStagedKey("key-1", session("key-1"));

    assert.equal(await vault.keyFacts("key-1"), undefined);
    assert.equal(await store.count("share/"), 0);
    // It acknowledged in that session: a promise never to would be a lie that could strand the group.
    assert.equal(await codeOf(vault.renounce("key-1", session("key-1"))), "share_staged");
    assert.equal(await codeOf(vault.stageKey(keyRecord("key-1"), acknowledgement)), "session_renounced");
    const anew = keyRecord("key-1", { sessionId: bytes32("another") });
    await vault.stageKey(anew, acknowledgement);
    await vault.activateKey("key-1", anew.sessionId, certificate);
  }));

test("an active key is never dropped, and its session never renounced", () =>
  withVaults(async (fixture) => {
    const vault = await fixture.open(memoryStore());
    await vault.stageKey(keyRecord("key-1"), acknowledgement);
    await vault.activateKey("key-1", session("key-1"), certificate);

    assert.equal(await codeOf(vault.dropStagedKey("key-1", session("key-1"))), "share_active");
    assert.equal(await codeOf(vault.renounce("key-1", session("key-1"))), "share_staged");
    assert.equal(await codeOf(vault.dropStagedKey("key-2", session("key-2"))), "share_unknown");
    assert.deepEqual((await vault.openKey("key-1")).secret.expose(), bytes32("share of key-1"));
  }));

test("an opened share is the caller's own: wiping it touches no other, and eviction touches none", () =>
  withVaults(async (fixture) => {
    const vault = await fixture.open(memoryStore());
    for (let index = 0; index < 258; index++) {
      const keyId = `key-${index}`;
      await vault.stageKey(keyRecord(keyId), acknowledgement);
      await vault.activateKey(keyId, session(keyId), certificate);
    }
    const first = await vault.openKey("key-0");
    const second = await vault.openKey("key-0");

    second.secret.wipe();
    assert.deepEqual((await vault.openKey("key-0")).secret.expose(), bytes32("share of key-0"));
    // 257 others push key-0 out of the 256 that stay opened.
    for (let index = 1; index < 258; index++) (await vault.openKey(`key-${index}`)).secret.wipe();

    assert.deepEqual(first.secret.expose(), bytes32("share of key-0"));
    assert.deepEqual((await vault.openKey("key-0")).secret.expose(), bytes32("share of key-0"));
    assert.deepEqual((await vault.openKey("key-0")).secret.expose(), bytes32("share of key-0"));
  }));

test("signing again with a key reads nothing from the store", () =>
  withVaults(async (fixture) => {
    const inner = memoryStore();
    let reads = 0;
    const read = (keys: readonly string[]) => {
      reads++;
      return inner.read(keys);
    };
    const vault = await fixture.open({ ...inner, read });
    await vault.stageKey(keyRecord("key-1"), acknowledgement);
    await vault.activateKey("key-1", session("key-1"), certificate);
    await vault.openKey("key-1");
    reads = 0;

    await vault.openKey("key-1");
    await vault.keyFacts("key-1");

    assert.equal(reads, 0);
  }));

test("facts that were read before a change do not outlive it in the cache", () =>
  withVaults(async (fixture) => {
    const inner = memoryStore();
    let gate: Promise<void> | undefined;
    const vault = await fixture.open({
      ...inner,
      async read(keys) {
        const held = gate;
        const rows = await inner.read(keys);
        await held;
        return rows;
      },
    });
    await vault.stageKey(keyRecord("key-1"), acknowledgement);
    const slow = Promise.withResolvers<void>();
    gate = slow.promise;

    const reading = vault.keyFacts("key-1");
    gate = undefined;
    await vault.activateKey("key-1", session("key-1"), certificate);
    slow.resolve();

    assert.equal((await reading)?.state.kind, "staged");
    assert.equal((await vault.keyFacts("key-1"))?.state.kind, "active");
  }));

test("keys are listed in the order of their ids, in pages", () =>
  withVaults(async (fixture) => {
    const vault = await fixture.open(memoryStore());
    for (const keyId of ["key-c", "key-a", "key-b"]) await vault.stageKey(keyRecord(keyId), acknowledgement);

    const page = await vault.keys(2);
    const rest = await vault.keys(2, "key-b");

    assert.deepEqual(
      page.map(({ keyId }) => keyId),
      ["key-a", "key-b"],
    );
    assert.deepEqual(
      rest.map(({ keyId }) => keyId),
      ["key-c"],
    );
    assert.equal(await vault.countKeys(), 3);
  }));

test("key ids that could lead to another row are refused before they reach the store", () =>
  withVaults(async (fixture) => {
    const vault = await fixture.open(memoryStore());

    for (const keyId of ["", "key/1", "KEY-1", "key 1", "k".repeat(65), "key-1\0"]) {
      await assert.rejects(vault.keyFacts(keyId), { name: "AssertionError" });
      await assert.rejects(vault.stageKey(keyRecord(keyId), acknowledgement), { name: "AssertionError" });
      await assert.rejects(vault.renounce(keyId, bytes32("s")), { name: "AssertionError" });
    }
  }));

test("two vaults on one store, as replicas would be, never break the chain or accept twice", () =>
  withVaults(async (fixture) => {
    const store = memoryStore();
    const shared = () => ({ ...store, close: async () => {} });
    const [one, two] = [await fixture.open(shared()), await fixture.open(shared())];

    const codes: (string | undefined)[] = [];
    for (let round = 0; round < 20; round++) {
      const keyId = `key-${round}`;
      const stage = codeOf(one.stageKey(keyRecord(keyId), acknowledgement));
      const renounce = codeOf(two.renounce(keyId, session(keyId)));
      codes.push(...(await Promise.all([stage, renounce])));
    }

    assert.equal(codes.filter((code) => code === undefined).length, 20);
    assert.equal((await store.count("audit/")) - 1, 20);
    assert.equal((await one.verifyAudit()).kind, "intact");
    assert.equal(await codeOf(two.renounce("key-x", session("key-x"))), undefined);
  }));
