import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { TaskGroup } from "./task-group.ts";

const FOREVER_MS = 60_000;

test("closing stops tasks and waits for them", async () => {
  const failures: unknown[] = [];
  const group = new TaskGroup((error) => failures.push(error));
  let cleanedUp = false;
  group.run("tidy", async (signal) => {
    try {
      await delay(FOREVER_MS, undefined, { signal });
    } finally {
      await delay(10);
      cleanedUp = true;
    }
  });

  const late = await group.close({ graceMs: 5_000 });

  assert.equal(cleanedUp, true);
  assert.deepEqual(late, []);
  assert.deepEqual(failures, []);
});

test("a task that does not stop is named", async () => {
  const group = new TaskGroup(() => {});
  const release = Promise.withResolvers<void>();
  group.run("deaf", () => release.promise);

  assert.deepEqual(await group.close({ graceMs: 10 }), ["deaf"]);

  release.resolve();
});

test("a task that fails, at once or later, is reported with its name", async () => {
  const failed: [unknown, string][] = [];
  const group = new TaskGroup((error, name) => failed.push([Object(error).message, name]));

  group.run("early", () => {
    throw new Error("one");
  });
  group.run("late", async () => {
    await delay(5);
    throw new Error("two");
  });
  while (group.names.length > 0) await delay(1);

  assert.deepEqual(failed, [
    ["one", "early"],
    ["two", "late"],
  ]);
});

test("nothing starts after closing, and the number of tasks is bounded", async () => {
  const group = new TaskGroup(() => {});
  const hold = Promise.withResolvers<void>();
  for (let i = 0; i < 1_000; i++) group.run("one", () => hold.promise);
  assert.throws(() => group.run("one too many", async () => {}), /More than 1000 tasks/);
  hold.resolve();
  await group.close({ graceMs: 5_000 });

  let started = false;
  group.run("after", async () => {
    started = true;
  });

  assert.equal(started, false);
});
