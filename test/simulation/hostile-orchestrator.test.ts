import assert from "node:assert/strict";
import { test } from "node:test";
import { runSeeds, seedsToRun } from "./seed-pool.ts";

/** What must have stopped the adversary somewhere among many seeds, or it did not try hard enough. */
const STOPPED_BY = [
  "approval_expired",
  "approval_expiry_too_far",
  "assertion_invalid",
  "attempts_exhausted",
  "heads_differ",
  "challenge_mismatch",
  "commitment_invalid",
  "generation_running",
  "intent_mismatch",
  "key_half_made",
  "key_settled",
  "session_attempt_invalid",
  "session_deadline",
  "session_parties_unfit",
  "session_replayed",
  "session_views_differ",
  "share_exists",
];

test("whatever a hostile orchestrator tells the signers, with the bus and a member in its hands, it obtains nothing that was not approved", async (t) => {
  const seeds = seedsToRun({ count: 300, countAll: 4_000 });

  const total = await runSeeds("hostile", seeds);

  t.diagnostic(JSON.stringify(total));
  if (seeds.length < 100) return;
  for (const figure of [...STOPPED_BY, "loot", "combined", "mixed", "made"])
    assert.ok((total[figure] ?? 0) > 0, `no history with ${figure}`);
});
