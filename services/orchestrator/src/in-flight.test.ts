import assert from "node:assert/strict";
import { test } from "node:test";
import { InFlight } from "./in-flight.ts";

test("a session counts at each of its parties until it ends", () => {
  const inFlight = new InFlight();

  const endFirst = inFlight.start([1, 2]);
  const endSecond = inFlight.start([2, 3]);
  const during = [1, 2, 3, 4].map((party) => inFlight.count(party));
  endFirst();
  const between = [1, 2, 3].map((party) => inFlight.count(party));
  endSecond();

  assert.deepEqual(during, [1, 2, 1, 0]);
  assert.deepEqual(between, [0, 1, 1]);
  assert.deepEqual(
    [1, 2, 3].map((party) => inFlight.count(party)),
    [0, 0, 0],
  );
});
