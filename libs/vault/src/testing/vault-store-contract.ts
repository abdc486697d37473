import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "@countersign/bytes";
import type { CommitResult, RowState, VaultStore } from "../store/vault-store.ts";

/** A store under test: what it committed is there again when `open` is called after `close`. */
export interface StoreFixture {
  /** Opens the fixture's store; the same content every time. */
  open(): Promise<VaultStore>;
  /** Removes what the fixture made. */
  remove(): Promise<void>;
}

/** Registers the tests that every `VaultStore` passes, each on a fresh fixture. */
export function vaultStoreContract(name: string, fixture: () => Promise<StoreFixture>): void {
  for (const [sentence, body] of Object.entries(CONTRACT))
    test(`${name}: ${sentence}`, async () => {
      const made = await fixture();
      const opened: VaultStore[] = [];
      const open = async () => {
        const store = await made.open();
        opened.push(store);
        return store;
      };
      try {
        await body(open);
      } finally {
        for (const store of opened) await store.close();
        await made.remove();
      }
    });
}

type Open = () => Promise<VaultStore>;

const committed: CommitResult = { kind: "committed" };

const CONTRACT: Readonly<Record<string, (open: Open) => Promise<void>>> = {
  "what was committed is read, and again after reopening": async (open) => {
    const store = await open();

    const result = await store.commit(puts({ a: "1", b: "" }));
    const before = await values(store, "a", "b", "c");
    await store.close();
    const after = await values(await open(), "a", "b", "c");

    assert.deepEqual(result, committed);
    assert.deepEqual(before, ["1", "", undefined]);
    assert.deepEqual(after, before);
  },

  "a write replaces a row and a deletion removes it": async (open) => {
    const store = await open();
    await store.commit(puts({ a: "1", b: "1" }));

    await store.commit({ require: [], write: [row("a", "2"), row("b", undefined), row("never-there", undefined)] });

    assert.deepEqual(await values(store, "a", "b", "never-there"), ["2", undefined, undefined]);
  },

  "a batch with an unmet requirement names the row and changes nothing": async (open) => {
    const store = await open();
    await store.commit(puts({ a: "1" }));

    const other = await store.commit({ require: [row("a", "2")], write: [row("a", "3"), row("b", "3")] });
    const present = await store.commit({ require: [row("a", undefined)], write: [row("b", "3")] });
    const absent = await store.commit({ require: [row("b", "1")], write: [row("b", "3")] });
    const prefix = await store.commit({ require: [row("a", "")], write: [row("b", "3")] });

    assert.deepEqual([other, present, absent, prefix], ["a", "a", "b", "a"].map(conflict));
    assert.deepEqual(await values(store, "a", "b"), ["1", undefined]);
  },

  "a batch whose requirements hold applies whole": async (open) => {
    const store = await open();
    await store.commit(puts({ a: "1" }));

    const result = await store.commit({
      require: [row("a", "1"), row("b", undefined)],
      write: [row("a", "2"), row("b", "2")],
    });

    assert.deepEqual(result, committed);
    assert.deepEqual(await values(store, "a", "b"), ["2", "2"]);
  },

  "of batches that race for one row exactly one wins, and the others leave the rest of their group alone": async (
    open,
  ) => {
    const store = await open();
    const racers = Array.from({ length: 20 }, (_, index) => ({
      require: [row("slot", undefined)],
      write: [row("slot", `racer-${index}`), row(`trace-${index}`, "1")],
    }));
    const bystanders = Array.from({ length: 20 }, (_, index) => puts({ [`bystander-${index}`]: "1" }));

    const results = await Promise.all(
      racers.flatMap((racer, index) => [racer, bystanders[index] ?? puts({})]).map((batch) => store.commit(batch)),
    );

    const outcomes = results.filter((_, index) => index % 2 === 0);
    assert.equal(outcomes.filter(({ kind }) => kind === "committed").length, 1);
    assert.ok(results.every(({ kind }, index) => index % 2 === 0 || kind === "committed"));
    assert.equal(await store.count("trace-"), 1);
    assert.equal(await store.count("bystander-"), 20);
  },

  "batches apply in the order of the calls": async (open) => {
    const store = await open();
    const steps = Array.from({ length: 50 }, (_, index) => ({
      require: [row("step", index === 0 ? undefined : String(index - 1))],
      write: [row("step", String(index))],
    }));

    const results = await Promise.all(steps.map((step) => store.commit(step)));

    assert.ok(results.every(({ kind }) => kind === "committed"));
    assert.deepEqual(await values(store, "step"), ["49"]);
  },

  "a list is ascending by code, bounded, within its prefix and after its cursor": async (open) => {
    const store = await open();
    await store.commit(
      puts({ "p/b": "2", "p/a": "1", "p/~": "4", "p/B": "0", "p/b0": "3", "o/z": "x", p0: "x", p: "x" }),
    );

    const all = await store.list({ prefix: "p/", limit: 10 });
    const some = await store.list({ prefix: "p/", after: "p/a", limit: 2 });
    const none = await store.list({ prefix: "p/", after: "p/~", limit: 10 });
    const every = await store.list({ prefix: "", limit: 3 });

    assert.deepEqual(
      all.map(({ key }) => key),
      ["p/B", "p/a", "p/b", "p/b0", "p/~"],
    );
    assert.deepEqual(
      all.map(({ value }) => text(value)),
      ["0", "1", "2", "3", "4"],
    );
    assert.deepEqual(
      some.map(({ key }) => key),
      ["p/b", "p/b0"],
    );
    assert.deepEqual(none, []);
    assert.deepEqual(
      every.map(({ key }) => key),
      ["o/z", "p", "p/B"],
    );
  },

  "a count counts a prefix": async (open) => {
    const store = await open();
    await store.commit(puts({ "p/a": "1", "p/b": "1", "q/a": "1" }));

    assert.equal(await store.count("p/"), 2);
    assert.equal(await store.count("r/"), 0);
    assert.equal(await store.count(""), 3);
  },

  "changing bytes that were handed in or out changes no stored row": async (open) => {
    const store = await open();
    // A Buffer on purpose: its `slice` shares memory.
    const value = Buffer.from("1");
    await store.commit({ require: [], write: [{ key: "a", value }] });

    value.fill(0);
    for (const read of await store.read(["a"])) read?.fill(0);
    for (const listed of await store.list({ prefix: "a", limit: 1 })) listed.value.fill(0);

    assert.deepEqual(await values(store, "a"), ["1"]);
  },

  "keys, values and sizes out of bounds are refused": async (open) => {
    const store = await open();
    const big = new Uint8Array(1024 * 1024 + 1);

    for (const key of ["", "with space", "ü", "a\0b", "k".repeat(257)]) {
      await assert.rejects(store.commit({ require: [], write: [{ key, value: utf8("1") }] }), /printable ASCII/);
      await assert.rejects(store.commit({ require: [{ key, value: undefined }], write: [] }), /printable ASCII/);
      await assert.rejects(store.read([key]), /printable ASCII/);
    }
    await assert.rejects(store.commit({ require: [], write: [{ key: "a", value: big }] }), /at most/);
    await assert.rejects(store.commit({ require: [], write: [row("a", "1"), row("a", "2")] }), /once/);
    await assert.rejects(store.list({ prefix: "a", limit: 0 }), /1\.\.1000/);
    await assert.rejects(store.list({ prefix: "a", limit: 1001 }), /1\.\.1000/);
    assert.equal(await store.count(""), 0);
  },

  "closing finishes what runs and refuses what comes later": async (open) => {
    const store = await open();

    const running = store.commit(puts({ a: "1" }));
    await store.close();
    await store.close();

    assert.deepEqual(await running, committed);
    await assert.rejects(store.commit(puts({ b: "1" })), { code: "store_closed" });
    await assert.rejects(store.read(["a"]), { code: "store_closed" });
    await assert.rejects(store.list({ prefix: "", limit: 1 }), { code: "store_closed" });
    await assert.rejects(store.count(""), { code: "store_closed" });
    assert.deepEqual(await values(await open(), "a", "b"), ["1", undefined]);
  },

  "more waiting batches than the bound are refused, and the rest commit": async (open) => {
    const store = await open();

    const results = await Promise.allSettled(
      Array.from({ length: 4200 }, (_, index) => store.commit(puts({ [`r-${index}`]: "1" }))),
    );

    const refused = results.filter((result) => result.status === "rejected");
    assert.ok(refused.length > 0);
    for (const { reason } of refused) assert.equal(reason.code, "store_overloaded");
    assert.equal(await store.count("r-"), 4200 - refused.length);
  },
};

function puts(rows: Readonly<Record<string, string>>) {
  return { require: [], write: Object.entries(rows).map(([key, value]) => row(key, value)) };
}

function row(key: string, value: string | undefined): RowState {
  return { key, value: value === undefined ? undefined : utf8(value) };
}

function conflict(key: string): CommitResult {
  return { kind: "conflict", key };
}

async function values(store: VaultStore, ...keys: readonly string[]): Promise<readonly (string | undefined)[]> {
  return (await store.read(keys)).map((value) => (value === undefined ? undefined : text(value)));
}

function text(value: Uint8Array): string {
  return Buffer.from(value).toString();
}
