import assert from "node:assert/strict";
import { test } from "node:test";
import { startDeadline } from "./clock.ts";
import { VirtualClock } from "./simulation/virtual-clock.ts";

test("a deadline aborts with a timeout when its time has passed, and not before", async () => {
  const clock = new VirtualClock();
  const { signal } = startDeadline(clock, 100);

  await clock.advance(99);
  const before = signal.aborted;
  await clock.advance(1);

  assert.equal(before, false);
  assert.equal(signal.reason?.name, "TimeoutError");
});

test("a deadline that was disposed of leaves no timer behind and never aborts", async () => {
  const clock = new VirtualClock();
  let timers = 0;
  const counting = {
    now: () => clock.now(),
    setTimer: (delayMs: number, run: () => void) => {
      const cancel = clock.setTimer(delayMs, run);
      timers++;
      return () => {
        timers--;
        cancel();
      };
    },
  };
  const deadline = startDeadline(counting, 100);

  deadline[Symbol.dispose]();
  await clock.advance(1_000);

  assert.deepEqual([timers, deadline.signal.aborted], [0, false]);
});
