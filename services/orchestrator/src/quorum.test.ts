import assert from "node:assert/strict";
import { test } from "node:test";
import { Experience, type Verdict } from "./experience.ts";
import { type Candidate, chooseQuorum } from "./quorum.ts";

const NO_EXPERIENCE = new Experience();

/** What failed attempts of these parties taught. */
function learnt(...attempts: readonly (Partial<Verdict> & { readonly parties: readonly number[] })[]): Experience {
  const experience = new Experience();
  for (const { parties, ...verdict } of attempts)
    experience.learn(parties, { faulty: [], accused: [], excluded: [], ...verdict });
  return experience;
}

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

test("a faulty node is taken last, however near it is, and the more often the later", () => {
  const near = nodes(10, 50_000, 60_000);
  const once = { parties: [1, 2], faulty: [1] };

  assert.deepEqual(chooseQuorum(near, 2, learnt(once)), [2, 3]);
  assert.deepEqual(chooseQuorum(near, 3, learnt(once)), [1, 2, 3], "a faulty node is still one");
  const twice = learnt({ parties: [1, 4], faulty: [1, 4] }, { parties: [1, 4], faulty: [1] });
  assert.deepEqual(chooseQuorum(nodes(10, 70_000, 80_000, 90_000), 3, twice), [2, 3, 4]);
});

test("a fault weighs more than any number of failures that others may have caused", () => {
  const experience = learnt({ parties: [1, 2] }, { parties: [1, 3] }, { parties: [4, 5], faulty: [4] });

  assert.deepEqual(chooseQuorum(nodes(1, 2, 3, 4, 5), 4, experience), [1, 2, 3, 5]);
});

test("nodes of a failed attempt come after those that took no part, and accusations only break ties", () => {
  assert.deepEqual(chooseQuorum(nodes(1, 2, 3, 4), 2, learnt({ parties: [1, 2] })), [3, 4]);
  assert.deepEqual(chooseQuorum(nodes(1, 2, 3), 2, learnt({ parties: [1, 2], accused: [1] })), [2, 3]);
  const accused = learnt({ parties: [1, 2], accused: [3, 3, 3] }, { parties: [1, 2] });
  assert.deepEqual(chooseQuorum(nodes(1, 2, 3), 2, accused), [1, 3], "a word weighs less than a failed attempt");
});

test("a quorum that failed is tried again only when no other is left", () => {
  const experience = learnt({ parties: [1, 2] }, { parties: [1, 3], faulty: [3] });

  assert.deepEqual(chooseQuorum(nodes(1, 2, 3), 2, experience), [2, 3]);
  experience.learn([2, 3], { faulty: [3], accused: [], excluded: [] });
  assert.deepEqual(chooseQuorum(nodes(1, 2, 3), 2, experience), [1, 2]);
});

test("without enough able nodes the regions that are not able are named", () => {
  const [first, second, third] = nodes(1, 2, 3);
  assert.ok(first && second && third);
  const candidates = [{ ...first, present: false }, second, third];

  assert.throws(() => chooseQuorum(candidates, 2, learnt({ parties: [2, 3], excluded: [3] })), {
    code: "quorum_unavailable",
    message: "1 of the 2 nodes needed can take part; not able: region-1, region-3.",
    details: { needed: 2, able: 1, away: ["region-1", "region-3"] },
  });
  assert.deepEqual(chooseQuorum(candidates, 2, NO_EXPERIENCE), [2, 3]);
});
