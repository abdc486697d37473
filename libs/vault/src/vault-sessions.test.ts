import assert from "node:assert/strict";
import { test } from "node:test";
import { hex } from "@countersign/bytes";
import { memoryStore } from "./store/memory-store.ts";
import { bytes32, codeOf, disks, generating, keyRecord, signing, withVaults } from "./testing/vault-fixture.ts";

const DAY = 86_400_000;
const HOUR = 3_600_000;

for (const disk of disks()) {
  test(`${disk.name}: an accepted session is counted, remembered and in the audit log, also after reopening`, () =>
    withVaults(async (fixture) => {
      const vault = await fixture.open(await disk.open(fixture));
      const c = bytes32("approval");

      const first = await vault.beginSession(signing("s1", fixture, { c }));
      await vault.close();
      const reopened = await fixture.open(await disk.open(fixture));
      const replay = await codeOf(reopened.beginSession(signing("s1", fixture, { c: bytes32("other approval") })));
      const second = await reopened.beginSession(signing("s2", fixture, { c }));

      assert.deepEqual([first, second], [{ attempt: 1 }, { attempt: 2 }]);
      assert.equal(replay, "session_replayed");
      const entries = await reopened.auditEntries({ from: 1, limit: 10 });
      assert.deepEqual(
        entries.map(({ kind, fields }) => [kind, { ...fields }]),
        [1, 2].map((attempt) => [
          "accepted",
          {
            evidence: "ab",
            keyId: "key-1",
            session: hex(bytes32(`s${attempt}`)),
            c: hex(c),
            sessionKind: "sign",
            attempt,
          },
        ]),
      );
      assert.equal((await reopened.verifyAudit()).kind, "intact");
    }));

  test(`${disk.name}: of sessions that race for one approval exactly the cap is accepted, and none after it`, () =>
    withVaults(async (fixture) => {
      const vault = await fixture.open(await disk.open(fixture));
      const c = bytes32("approval");
      const racers = Array.from({ length: 12 }, (_, index) => signing(`racer ${index}`, fixture, { c }));

      const codes = await Promise.all(racers.map((racer) => codeOf(vault.beginSession(racer))));
      await vault.close();
      const reopened = await fixture.open(await disk.open(fixture));

      assert.equal(codes.filter((code) => code === undefined).length, 3);
      assert.equal(codes.filter((code) => code === "attempts_exhausted").length, 9);
      assert.equal(await codeOf(reopened.beginSession(signing("late", fixture, { c }))), "attempts_exhausted");
      assert.equal(await codeOf(reopened.beginSession(signing("another approval", fixture))), undefined);
      assert.equal((await reopened.auditEntries({ from: 1, limit: 100 })).length, 4);
    }));

  test(`${disk.name}: of sessions that race with one session id exactly one is accepted`, () =>
    withVaults(async (fixture) => {
      const vault = await fixture.open(await disk.open(fixture));
      const racers = Array.from({ length: 8 }, (_, index) => signing("same", fixture, { c: bytes32(String(index)) }));

      const codes = await Promise.all(racers.map((racer) => codeOf(vault.beginSession(racer))));

      assert.deepEqual(codes, [undefined, ...Array.from({ length: 7 }, () => "session_replayed")]);
    }));
}

test("a refused session costs nothing: no attempt, no session id, no audit entry", () =>
  withVaults(async (fixture) => {
    const vault = await fixture.open(memoryStore());
    const c = bytes32("approval");
    const before = await vault.auditHead();

    const expired = await codeOf(vault.beginSession(signing("s1", fixture, { c, expiresAt: fixture.clock.ms - 1 })));

    assert.equal(expired, "session_expired");
    assert.deepEqual(await vault.auditHead(), before);
    assert.deepEqual(await vault.beginSession(signing("s1", fixture, { c })), { attempt: 1 });
  }));

test("a session is accepted up to the last millisecond of its validity", () =>
  withVaults(async (fixture) => {
    const vault = await fixture.open(memoryStore());

    assert.equal(await codeOf(vault.beginSession(signing("s1", fixture, { expiresAt: fixture.clock.ms }))), undefined);
  }));

test("a bad audit field refuses its own session and leaves the others of its group alone", () =>
  withVaults(async (fixture) => {
    const vault = await fixture.open(memoryStore());

    const results = await Promise.allSettled([
      vault.beginSession(signing("s1", fixture)),
      vault.beginSession(signing("s2", fixture, { audit: { "bad name": 1 } })),
      vault.beginSession(signing("s3", fixture)),
    ]);

    assert.deepEqual(
      results.map(({ status }) => status),
      ["fulfilled", "rejected", "fulfilled"],
    );
    assert.equal((await vault.auditHead()).index, 2);
    assert.equal(await codeOf(vault.beginSession(signing("s2", fixture))), undefined);
  }));

// The order that accountability and the attempt cap rest on: durable first, answer second.
test("a session is not accepted before its transaction is durable", () =>
  withVaults(async (fixture) => {
    let gate: Promise<void> = Promise.resolve();
    const store = memoryStore({ sync: () => gate });
    const vault = await fixture.open(store);
    const rows = store.durableRows();
    const disk = Promise.withResolvers<void>();
    gate = disk.promise;
    let accepted = false;

    const begun = vault.beginSession(signing("s1", fixture)).then(() => {
      accepted = true;
    });
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);

    assert.equal(accepted, false);
    assert.deepEqual(store.durableRows(), rows);
    disk.resolve();
    await begun;
    assert.equal(store.durableRows().size, rows.size + 4);
  }));

test("a session whose transaction fails is refused as an outage, and never counts as accepted", () =>
  withVaults(async (fixture) => {
    let full = false;
    const store = memoryStore({
      sync: async () => {
        if (full) throw Object.assign(new Error("No space left."), { code: "store_full" });
      },
    });
    const vault = await fixture.open(store);
    const c = bytes32("approval");
    full = true;

    const codes = await Promise.all(
      ["s1", "s2"].map((name) => codeOf(vault.beginSession(signing(name, fixture, { c })))),
    );
    full = false;
    const next = await vault.beginSession(signing("s3", fixture, { c }));

    assert.deepEqual(codes, ["store_full", "store_full"]);
    assert.deepEqual(next, { attempt: 1 });
    assert.equal((await vault.verifyAudit()).kind, "intact");
  }));

test("a signature costs one transaction: its outcome rides in the next session's", () =>
  withVaults(async (fixture) => {
    let syncs = 0;
    const store = memoryStore({
      sync: async () => {
        syncs++;
      },
    });
    const vault = await fixture.open(store);
    syncs = 0;

    for (let index = 0; index < 10; index++) {
      await vault.beginSession(signing(`s${index}`, fixture));
      vault.recordOutcome({ sessionId: bytes32(`s${index}`), keyId: "key-1", outcome: "signed" });
    }

    assert.equal(syncs, 10);
    assert.equal(fixture.timers.size, 1);
    const kinds = (await vault.auditEntries({ from: 1, limit: 100 })).map(({ kind }) => kind);
    assert.deepEqual(kinds, ["accepted", ...Array.from({ length: 9 }, () => ["outcome", "accepted"]).flat()]);
  }));

test("an outcome without a session to ride with is written when its second is over", () =>
  withVaults(async (fixture) => {
    const vault = await fixture.open(memoryStore());
    vault.recordOutcome({ sessionId: bytes32("s1"), keyId: "key-1", outcome: "signed", audit: { parties: "1,2" } });
    vault.recordOutcome({ sessionId: bytes32("s2"), keyId: "key-1", outcome: "deadline" });
    const before = await vault.auditHead();

    for (const timer of fixture.timers) timer();
    while ((await vault.auditHead()).index === before.index) await new Promise(setImmediate);

    const entries = await vault.auditEntries({ from: 1, limit: 10 });
    assert.equal(before.index, 0);
    assert.deepEqual(
      entries.map(({ kind, fields: { outcome } }) => [kind, outcome]),
      [
        ["outcome", "signed"],
        ["outcome", "deadline"],
      ],
    );
    assert.equal(fixture.timers.size, 0);
  }));

for (const disk of disks())
  test(`${disk.name}: closing writes the outcomes that wait, more than fit one transaction`, () =>
    withVaults(async (fixture) => {
      const vault = await fixture.open(await disk.open(fixture));
      for (let index = 0; index < 600; index++)
        vault.recordOutcome({ sessionId: bytes32(String(index)), keyId: "key-1", outcome: "signed" });

      await vault.close();

      const reopened = await fixture.open(await disk.open(fixture));
      assert.equal((await reopened.auditHead()).index, 600);
      assert.equal((await reopened.verifyAudit()).kind, "intact");
      assert.throws(() => vault.recordOutcome({ sessionId: bytes32("s"), keyId: "key-1", outcome: "x" }), {
        code: "store_closed",
      });
      assert.equal(await codeOf(vault.beginSession(signing("late", fixture))), "store_closed");
    }));

test("outcomes of a failed transaction are kept for the next, in order", () =>
  withVaults(async (fixture) => {
    let full = false;
    const store = memoryStore({
      sync: async () => {
        if (full) throw Object.assign(new Error("No space left."), { code: "store_full" });
      },
    });
    const vault = await fixture.open(store);
    full = true;
    vault.recordOutcome({ sessionId: bytes32("s0"), keyId: "key-1", outcome: "first" });
    await codeOf(vault.beginSession(signing("s1", fixture)));
    vault.recordOutcome({ sessionId: bytes32("s0"), keyId: "key-1", outcome: "second" });
    full = false;

    await vault.beginSession(signing("s2", fixture));

    const entries = await vault.auditEntries({ from: 1, limit: 10 });
    assert.deepEqual(
      entries.map(({ fields: { outcome } }) => outcome),
      ["first", "second", undefined],
    );
  }));

test("outcomes beyond the bound are refused", () =>
  withVaults(async (fixture) => {
    const vault = await fixture.open(memoryStore());
    const record = () => vault.recordOutcome({ sessionId: bytes32("s"), keyId: "key-1", outcome: "signed" });
    for (let index = 0; index < 4096; index++) record();

    assert.throws(record, { code: "store_overloaded" });
  }));

test("sessions and attempts are forgotten a day after they expired, 64 in a transaction, and cannot come back with the clock", () =>
  withVaults(async (fixture) => {
    const store = memoryStore();
    const vault = await fixture.open(store);
    const c = bytes32("approval");
    const old = Array.from({ length: 99 }, (_, index) => signing(`s${index}`, fixture));
    const last = signing("last", fixture, { c, attemptsMax: 1, expiresAt: fixture.clock.ms + 250_000 });
    for (const start of [...old, last]) await vault.beginSession(start);
    const born = fixture.clock.ms;

    fixture.clock.ms = born + 240_000 + DAY - 1;
    await vault.beginSession(signing("day", fixture));
    const kept = await store.count("session/");
    fixture.clock.ms = born + 250_000 + DAY;
    await vault.beginSession(signing("later 1", fixture));
    const half = await store.count("session/");
    await vault.beginSession(signing("later 2", fixture));

    assert.equal(kept, 101);
    assert.equal(half, 101 + 1 - 64);
    for (const prefix of ["session/", "attempts/", "expiry/"]) assert.equal(await store.count(prefix), 3, prefix);
    // The clock is set back: the approval is valid again by time, and its count is gone.
    fixture.clock.ms = born;
    assert.equal(await codeOf(vault.beginSession({ ...last, sessionId: bytes32("fresh") })), "session_expired");
    assert.equal((await vault.verifyAudit()).kind, "intact");
  }));

test("an attempt count lives as long as the latest expiry that any of its sessions claimed", () =>
  withVaults(async (fixture) => {
    const vault = await fixture.open(memoryStore());
    const c = bytes32("approval");
    const long = fixture.clock.ms + 10 * DAY;
    await vault.beginSession(signing("long", fixture, { c, attemptsMax: 2, expiresAt: long }));
    await vault.beginSession(signing("short", fixture, { c, attemptsMax: 2, expiresAt: fixture.clock.ms + 1 }));

    fixture.clock.ms += 2 * DAY;
    await vault.beginSession(signing("another approval", fixture));

    assert.equal(
      await codeOf(vault.beginSession(signing("late", fixture, { c, attemptsMax: 2, expiresAt: long }))),
      "attempts_exhausted",
    );
  }));

test("an edited expiry row makes nothing be forgotten early", () =>
  withVaults(async (fixture) => {
    const first = memoryStore();
    await (await fixture.open(first)).beginSession(signing("s1", fixture, { attemptsMax: 1 }));
    const rows = new Map(first.durableRows());
    const [row = ""] = [...rows.keys()].filter((key) => key.startsWith("expiry/"));
    const hint = rows.get(row) ?? new Uint8Array();
    rows.delete(row);
    rows.set(row.replace(/^expiry\/[0-9a-f]{16}/, `expiry/${"0".repeat(16)}`), hint);
    rows.set("expiry/0/junk", hint);
    const store = memoryStore({ rows });
    const vault = await fixture.open(store);

    await vault.beginSession(signing("s2", fixture));

    assert.equal(await codeOf(vault.beginSession(signing("s1", fixture))), "session_replayed");
    assert.equal(
      await codeOf(vault.beginSession(signing("s3", fixture, { c: bytes32("c of s1"), attemptsMax: 1 }))),
      "attempts_exhausted",
    );
  }));

test("one generation of a key runs at a time, until its outcome, its deadline or its process's end", () =>
  withVaults(async (fixture) => {
    const store = memoryStore();
    const vault = await fixture.open(store);
    const tryGeneration = (name: string, from = vault) => codeOf(from.beginSession(generating(name, fixture)));

    const race = await Promise.all(["g1", "g2"].map((name) => tryGeneration(name)));
    vault.recordOutcome({ sessionId: bytes32("someone else's"), keyId: "key-1", outcome: "deadline" });
    const stillRunning = await tryGeneration("g3");
    vault.recordOutcome({ sessionId: bytes32("g1"), keyId: "key-1", outcome: "deadline" });
    const afterOutcome = await tryGeneration("g4");
    fixture.clock.ms += 60_001;
    const afterDeadline = await tryGeneration("g5");
    const reopened = await fixture.open(memoryStore({ rows: store.durableRows() }));
    const afterCrash = await tryGeneration("g6", reopened);
    const otherKey = await codeOf(
      reopened.beginSession(generating("g7", fixture, { keyId: "key-2", c: bytes32("c2") })),
    );

    assert.deepEqual(race, [undefined, "generation_running"]);
    assert.equal(stillRunning, "generation_running");
    assert.deepEqual([afterOutcome, afterDeadline, afterCrash, otherKey], [undefined, undefined, undefined, undefined]);
  }));

test("a key is started at most sixteen times in any hour", () =>
  withVaults(async (fixture) => {
    const vault = await fixture.open(memoryStore());
    const attempt = async (name: string) => {
      const code = await codeOf(vault.beginSession(generating(name, fixture)));
      vault.recordOutcome({ sessionId: bytes32(name), keyId: "key-1", outcome: "deadline" });
      return code;
    };
    for (let index = 0; index < 16; index++) {
      assert.equal(await attempt(`g${index}`), undefined);
      fixture.clock.ms += 60_000;
    }

    const seventeenth = await attempt("g16");
    fixture.clock.ms += HOUR - 16 * 60_000;
    const anHourAfterTheFirst = await attempt("g17");

    assert.equal(seventeenth, "generation_limit");
    assert.equal(anHourAfterTheFirst, undefined);
    assert.equal(await attempt("g18"), "generation_limit");
  }));

test("a key that is staged or active here is not generated again, neither by its id nor by its C", () =>
  withVaults(async (fixture) => {
    const vault = await fixture.open(memoryStore());
    await vault.stageKey(keyRecord("key-1"), bytes32("acknowledgement"));

    const sameKey = generating("g1", fixture, { c: bytes32("other C") });
    const sameC = generating("g2", fixture, { keyId: "key-2" });

    assert.equal(await codeOf(vault.beginSession(sameKey)), "share_exists");
    assert.equal(await codeOf(vault.beginSession(sameC)), "share_exists");
  }));

test("what a generation that never finished left is forgotten, too", () =>
  withVaults(async (fixture) => {
    const store = memoryStore();
    const vault = await fixture.open(store);
    await vault.beginSession(generating("g1", fixture));

    fixture.clock.ms += 60_000 + DAY;
    await vault.beginSession(signing("s1", fixture));

    assert.equal(await store.count("generating/"), 0);
  }));

test("a refusal is written with the next transaction, or within a second of its own, and chained like everything else", () =>
  withVaults(async (fixture) => {
    const vault = await fixture.open(memoryStore());
    const refused = async () => {
      const entries = await vault.auditEntries({ from: 1, limit: 100 });
      return entries.filter(({ kind }) => kind === "refused").map(({ fields }) => fields["code"]);
    };

    vault.recordRefusal({ call: "sign", code: "approval_expired" });
    const before = await refused();
    await vault.beginSession(signing("s1", fixture));
    const riding = await refused();
    vault.recordRefusal({ call: "sign", code: "share_not_here" });
    for (const run of [...fixture.timers]) run();
    for (let turns = 0; turns < 1_000 && (await refused()).length < 2; turns++)
      await new Promise((resolve) => setImmediate(resolve));

    assert.deepEqual([before, riding], [[], ["approval_expired"]]);
    assert.deepEqual(await refused(), ["approval_expired", "share_not_here"]);
    assert.equal((await vault.verifyAudit()).kind, "intact");
  }));

test("a first attempt costs one journey to the store, a repetition is looked up", () =>
  withVaults(async (fixture) => {
    const store = memoryStore({});
    const journeys: string[] = [];
    const counting = {
      ...store,
      read: (keys: readonly string[]) => {
        journeys.push("read");
        return store.read(keys);
      },
      commit: (batch: Parameters<typeof store.commit>[0]) => {
        journeys.push("commit");
        return store.commit(batch);
      },
    };
    const vault = await fixture.open(counting);
    const c = bytes32("approval");
    await vault.beginSession(signing("warm", fixture));
    journeys.length = 0;

    await vault.beginSession(signing("s1", fixture, { c }));
    const first = journeys.splice(0);
    const second = await vault.beginSession(signing("s2", fixture, { c }));
    const replay = await codeOf(vault.beginSession(signing("s2", fixture, { c })));

    assert.deepEqual(first, ["commit"]);
    assert.deepEqual([second, replay], [{ attempt: 2 }, "session_replayed"]);
  }));

test("a refusal names what is in the store, also when it could be decided without looking", () =>
  withVaults(async (fixture) => {
    const vault = await fixture.open(memoryStore({}));
    const session = signing("s1", fixture);
    await vault.beginSession(session);
    fixture.clock.ms = session.expiresAt + 1;

    assert.equal(await codeOf(vault.beginSession(session)), "session_replayed");
  }));
