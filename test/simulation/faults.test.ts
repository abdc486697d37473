import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { before, test } from "node:test";
import { prepareCurves } from "@countersign/threshold";
import { runHistory } from "./run-history.ts";
import { runSeeds, seedsToRun } from "./seed-pool.ts";

before(() => prepareCurves((size) => new Uint8Array(randomBytes(size))));

test("whatever a seeded network, disk, clock and crashes do, nothing wrong is signed and everything recovers", async (t) => {
  const seeds = seedsToRun({ count: 2_000, countAll: 10_000 });

  const total = await runSeeds("faults", seeds);

  t.diagnostic(JSON.stringify(total));
  // Few seeds may be kind; many must have reached what they are for.
  if (seeds.length < 100) return;
  for (const figure of ["created", "signed", "refused", "halfMade", "faults"])
    assert.ok((total[figure] ?? 0) > 0, `no history with ${figure}`);
});

test("the same seed gives the same history, to the byte, and another seed another", async () => {
  const run = async (seed: number) => {
    const { fingerprint, ...figures } = await runHistory(seed);
    return { ...figures, fingerprint: fingerprint() };
  };
  for (const seed of [11, 12]) {
    const [first, again, other] = [await run(seed), await run(seed), await run(seed + 100)];

    assert.deepEqual(again, first);
    assert.notEqual(other.fingerprint, first.fingerprint);
  }
});
