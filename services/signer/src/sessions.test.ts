import assert from "node:assert/strict";
import { test } from "node:test";
import { Sessions } from "./sessions.ts";

test("256 sessions run at once, the next is refused, and an ended one makes room whichever way it ends", async () => {
  const sessions = new Sessions();
  const held = Promise.withResolvers<string>();
  const running = Array.from({ length: 255 }, () => sessions.run(async () => held.promise));
  const failing = Promise.withResolvers<never>();
  const last = sessions.run(() => failing.promise);

  await assert.rejects(
    sessions.run(async () => "one too many"),
    { code: "signer_busy" },
  );
  failing.reject(new Error("this one failed"));
  await assert.rejects(last, /this one failed/);
  const next = await sessions.run(async () => "next");
  held.resolve("done");
  const ended = await Promise.all(running);

  assert.equal(next, "next");
  assert.equal(ended.length, 255);
  assert.equal(sessions.count, 0);
});

test("a drain takes nothing new and ends with the last running session, also with one that fails", async () => {
  const sessions = new Sessions();
  const held = Promise.withResolvers<string>();
  const running = sessions.run(() => held.promise);
  let drained = false;

  const drain = sessions.drain().then(() => {
    drained = true;
  });
  await assert.rejects(
    sessions.run(async () => "late"),
    { code: "signer_closing" },
  );
  const early = drained;
  held.reject(new Error("ended badly"));
  await assert.rejects(running, /ended badly/);
  await drain;

  assert.equal(early, false);
  assert.equal(drained, true);
});
