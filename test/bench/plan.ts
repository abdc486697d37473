import type { RowName } from "./rows.ts";

/** What to measure and how long. */
export interface Plan {
  /** Fewer runs: a first impression in a few seconds. */
  readonly quick: boolean;
  /** Rows to measure. */
  readonly wanted: ReadonlySet<RowName>;
  /** On `performance.now()`; what is still to be measured then takes its fewest runs. */
  readonly endsAt: number;
  /** Ctrl-C. */
  readonly signal: AbortSignal;
}

/** Where a group of rows stops. */
interface Bounds {
  readonly runsMax: number;
  /** Checked between runs: a slow machine gets fewer runs, not a longer wait. */
  readonly msMax: number;
}

/** Fewest runs, however long each takes. */
const RUNS_MIN = 3;

/** Does unmeasured work `times` over, so that code is compiled and connections stand; a machine that is late gets less of it. */
export async function warmUp(plan: Plan, times: number, work: () => Promise<unknown> | unknown): Promise<void> {
  for (let k = 0; k < times && (k === 0 || performance.now() < plan.endsAt); k++) {
    plan.signal.throwIfAborted();
    await work();
  }
}

/** Repeats a measurement until one of the bounds is reached. */
export async function repeat(
  plan: Plan,
  { runsMax, msMax }: Bounds,
  measure: (run: number) => Promise<number> | number,
): Promise<number[]> {
  const samples: number[] = [];
  const end = Math.min(plan.endsAt, performance.now() + msMax);
  while (samples.length < RUNS_MIN || (samples.length < runsMax && performance.now() < end)) {
    plan.signal.throwIfAborted();
    samples.push(await measure(samples.length));
  }
  return samples;
}

/** CPU milliseconds of this process, all threads, that `work` takes. Load of others counts little: it costs cache, not time. */
export async function cpuMs(work: () => Promise<unknown> | unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
