import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { prepareCurves } from "@countersign/threshold";
import { runHistory } from "./run-history.ts";

/** Histories in one run: a first look by default, 2,000 with `test --all`; `COUNTERSIGN_SEEDS=n` any number. */
const SEEDS = Number(process.env["COUNTERSIGN_SEEDS"] ?? (process.env["COUNTERSIGN_TEST_ALL"] === "1" ? 2_000 : 200));
/** `COUNTERSIGN_FIRST_SEED=n` starts elsewhere, `COUNTERSIGN_SEED=n` replays one. */
const FIRST = Number(process.env["COUNTERSIGN_FIRST_SEED"] ?? 1);

test("whatever a seeded network, disk and crashes do, nothing wrong is signed and everything recovers", async (t) => {
  await prepareCurves((size) => new Uint8Array(randomBytes(size)));
  const replay = process.env["COUNTERSIGN_SEED"];
  const seeds = replay === undefined ? Array.from({ length: SEEDS }, (_, k) => FIRST + k) : [Number(replay)];
  const total = { histories: 0, created: 0, signed: 0, refused: 0, faults: 0 };
  for (const seed of seeds) {
    try {
      const { created, signed, refused, faults } = await runHistory(seed);
      total.histories++;
      total.created += created ? 1 : 0;
      total.signed += signed;
      total.refused += refused;
      total.faults += faults;
    } catch (error) {
      throw new Error(`Seed ${seed} fails; replay it with COUNTERSIGN_SEED=${seed}.`, { cause: error });
    }
  }
  t.diagnostic(JSON.stringify(total));
});
