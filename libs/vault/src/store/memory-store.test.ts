import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "@countersign/bytes";
import { vaultStoreContract } from "../testing/vault-store-contract.ts";
import { type MemoryStore, memoryStore } from "./memory-store.ts";

vaultStoreContract("memory store", async () => {
  let last: MemoryStore | undefined;
  return {
    async open() {
      last = memoryStore(last === undefined ? {} : { rows: last.durableRows() });
      return last;
    },
    async remove() {},
  };
});

const write = (key: string) => ({ require: [], write: [{ key, value: utf8("1") }] });

test("a commit resolves and is visible only after its sync, and a power loss before it leaves the old state", async () => {
  const gate = Promise.withResolvers<void>();
  const store = memoryStore({ sync: () => gate.promise });
  let resolved = false;

  const commit = store.commit(write("a")).then(() => {
    resolved = true;
  });
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();

  assert.equal(resolved, false);
  assert.deepEqual(await store.read(["a"]), [undefined]);
  assert.equal(store.durableRows().size, 0);
  gate.resolve();
  await commit;
  assert.equal(store.durableRows().size, 1);
});

test("a group whose sync fails rejects every batch and changes nothing", async () => {
  let failing = true;
  const store = memoryStore({
    sync: async () => {
      if (failing) throw new Error("The disk is gone.");
    },
  });

  const results = await Promise.allSettled([store.commit(write("a")), store.commit(write("b"))]);
  failing = false;
  await store.commit(write("c"));

  assert.deepEqual(
    results.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  assert.deepEqual([...store.durableRows().keys()], ["c"]);
});

test("batches that wait together share one sync", async () => {
  let syncs = 0;
  const store = memoryStore({
    sync: async () => {
      syncs++;
    },
  });

  await Promise.all(Array.from({ length: 100 }, (_, index) => store.commit(write(`r-${index}`))));

  assert.equal(syncs, 1);
});
