import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Figures, ScenarioName } from "./scenarios.ts";

/** More threads than this only wait for memory. */
const WORKERS_MAX = 8;

type Answer =
  | { readonly seed: number; readonly figures: Figures }
  | { readonly seed: number; readonly failure: string };

/** Seeds to run: `count` by default, `countAll` with `test --all`; `COUNTERSIGN_SEEDS=n`, `COUNTERSIGN_FIRST_SEED=n`, or one by `COUNTERSIGN_SEED=n`. */
export function seedsToRun({
  count,
  countAll,
}: {
  readonly count: number;
  readonly countAll: number;
}): readonly number[] {
  const { COUNTERSIGN_SEED: one, COUNTERSIGN_SEEDS: many, COUNTERSIGN_FIRST_SEED: first = "1" } = process.env;
  if (one !== undefined) return [Number(one)];
  const size = many !== undefined ? Number(many) : process.env["COUNTERSIGN_TEST_ALL"] === "1" ? countAll : count;
  return Array.from({ length: size }, (_, k) => Number(first) + k);
}

/**
 * Runs a scenario over seeds on all cores and sums the numbers among its figures. Throws at the first seed that fails, and names it.
 */
export async function runSeeds(scenario: ScenarioName, seeds: readonly number[]): Promise<Record<string, number>> {
  const total: Record<string, number> = { seeds: 0 };
  const left = [...seeds];
  const size = Math.min(WORKERS_MAX, availableParallelism(), seeds.length);
  const workers = Array.from(
    { length: size },
    () => new Worker(new URL("./seed-worker.ts", import.meta.url), { workerData: { scenario } }),
  );
  try {
    await Promise.all(workers.map((worker) => feed(worker, left, total)));
    return total;
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

/** Gives one worker seed after seed until none is left. */
function feed(worker: Worker, left: number[], total: Record<string, number>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const failed = (seed: number | undefined, how: string) =>
    reject(new Error(`Seed ${seed} fails; replay it with COUNTERSIGN_SEED=${seed}.\n${how}`));
  let seed: number | undefined;
  const next = () => {
    seed = left.shift();
    if (seed === undefined) resolve();
    else worker.postMessage(seed);
  };
  // What nobody awaited ends the worker: still the doing of the seed that ran.
  worker.on("error", (error) => failed(seed, error instanceof Error ? (error.stack ?? error.message) : String(error)));
  worker.on("message", (answer: Answer) => {
    if ("failure" in answer) {
      failed(answer.seed, answer.failure);
      return;
    }
    total["seeds"] = (total["seeds"] ?? 0) + 1;
    for (const [name, value] of Object.entries(answer.figures)) total[name] = (total[name] ?? 0) + value;
    next();
  });
  next();
  return promise;
}
