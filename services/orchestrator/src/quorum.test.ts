import assert from "node:assert/strict";
import { test } from "node:test";
import { type Candidate, chooseQuorum } from "./quorum.ts";

const NO_EXPERIENCE = { strikes: new Map<number, number>(), excluded: new Set<number>() };

/** Present, idle nodes 1.. with these round trips. */
function nodes(...roundTripsUs: readonly number[]): Candidate[] {
  return roundTripsUs.map((roundTripUs, place) => ({
    index: place + 1,
    region: `region-${place + 1}`,
    present: true,
    roundTripUs,
    sessions: 0,
  }));
}

test("the nearest nodes are chosen, in ascending order of their indexes", () => {
  assert.deepEqual(chooseQuorum(nodes(30_000, 1_000, 20_000, 500), 2, NO_EXPERIENCE), [2, 4]);
  assert.deepEqual(chooseQuorum(nodes(500, 30_000, 20_000, 100), 3, NO_EXPERIENCE), [1, 3, 4]);
});

test("of equally good nodes the lower index is chosen, so that orchestrators agree", () => {
  assert.deepEqual(chooseQuorum(nodes(700, 700, 700), 2, NO_EXPERIENCE), [1, 2]);
});

test("a session in flight weighs as much as two milliseconds of distance", () => {
  const [first, second, third] = nodes(0, 1_000, 2_999);
  assert.ok(first && second && third);
  const loaded = (sessions: number) => [{ ...first, sessions }, second, third];

  assert.deepEqual(chooseQuorum(loaded(1), 2, NO_EXPERIENCE), [1, 2]);
  assert.deepEqual(chooseQuorum(loaded(2), 2, NO_EXPERIENCE), [2, 3]);
});

test("a struck node is taken last, however near it is, and the more strikes the later", () => {
  const near = nodes(10, 50_000, 60_000);

  assert.deepEqual(chooseQuorum(near, 2, { ...NO_EXPERIENCE, strikes: new Map([[1, 1]]) }), [2, 3]);
  const strikes = new Map([
    [1, 2],
    [2, 1],
    [3, 1],
  ]);
  assert.deepEqual(chooseQuorum(near, 2, { ...NO_EXPERIENCE, strikes }), [2, 3]);
  assert.deepEqual(chooseQuorum(near, 3, { ...NO_EXPERIENCE, strikes }), [1, 2, 3], "a struck node is still one");
});

test("without enough able nodes the regions that are not able are named", () => {
  const [first, second, third] = nodes(1, 2, 3);
  assert.ok(first && second && third);
  const candidates = [{ ...first, present: false }, second, third];

  assert.throws(() => chooseQuorum(candidates, 2, { ...NO_EXPERIENCE, excluded: new Set([3]) }), {
    code: "quorum_unavailable",
    message: "1 of the 2 nodes needed can take part; not able: region-1, region-3.",
    details: { needed: 2, able: 1, away: ["region-1", "region-3"] },
  });
  assert.deepEqual(chooseQuorum(candidates, 2, NO_EXPERIENCE), [2, 3]);
});
