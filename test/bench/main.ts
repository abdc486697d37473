// The measuring program behind `countersign bench`; flags are those of the verb. Standard output is the answer alone.
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { measureAuthorize } from "./authorize.ts";
import { measureEcdsa } from "./ecdsa.ts";
import { type Figure, figureOf } from "./figure.ts";
import type { Plan } from "./plan.ts";
import { measureProtocols } from "./protocol.ts";
import { tableOf } from "./report.ts";
import { NETWORK_ROWS, type RecordSamples, ROWS, type RowName } from "./rows.ts";
import { measureStore, STORE_ROWS } from "./store.ts";

/** Measuring ends by then; starting and stopping the network come on top. */
const MEASURE_MS = { full: 65_000, quick: 12_000 } as const;
const EXIT = { done: 0, failed: 1, usage: 2 } as const;

const interruption = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(signal, () => interruption.abort(new Error("Stopped.")));
process.once("exit", () => {
  if (interruption.signal.aborted) note("Stopped; nothing is left running.");
});

process.exitCode = await run();

async function run(): Promise<number> {
  const { values } = parseArgs({
    options: { quick: { type: "boolean" }, json: { type: "boolean" }, only: { type: "string" } },
  });
  const names = values.only?.split(",") ?? ROWS.map(({ name }) => name);
  const unknown = names.find((name) => !isRowName(name));
  if (unknown !== undefined) {
    note(`There is no figure "${unknown}". Figures: ${ROWS.map(({ name }) => name).join(", ")}.`);
    return EXIT.usage;
  }
  const quick = values.quick === true;
  const plan: Plan = {
    quick,
    wanted: new Set(names.filter(isRowName)),
    endsAt: performance.now() + MEASURE_MS[quick ? "quick" : "full"],
    signal: interruption.signal,
  };
  try {
    const figures = await measure(plan);
    process.stdout.write(values.json ? `${JSON.stringify(figures)}\n` : `${tableOf(ROWS, figures)}\n`);
    return EXIT.done;
  } catch (error) {
    if (!interruption.signal.aborted) note(`The measurement failed: ${error instanceof Error ? error.message : error}`);
    return EXIT.failed;
  }
}

/** Measures what is wanted, one group after another, and gives the figures in the order of the table. */
async function measure(plan: Plan): Promise<readonly Figure[]> {
  const samples = new Map<RowName, readonly number[]>();
  const record: RecordSamples = (row, values) => samples.set(row, values);
  const [load = 0] = loadavg();
  note(`measuring; the machine's load average is ${load.toFixed(1)}`);
  await measureProtocols(plan, record);
  await measureEcdsa(plan, record);
  await measureAuthorize(plan, record);
  if (STORE_ROWS.some((row) => plan.wanted.has(row))) await measureStore(plan, record);
  // Only now: what runs real networks for tests may answer Ctrl-C by ending the process, and nothing else may be under way then.
  if (NETWORK_ROWS.some((row) => plan.wanted.has(row)))
    await (await import("./network.ts")).measureNetwork(plan, record);
  return ROWS.flatMap((row) => {
    const values = samples.get(row.name);
    return values === undefined ? [] : [figureOf(row, values)];
  });
}

function isRowName(name: string): name is RowName {
  return ROWS.some((row) => row.name === name);
}

function note(line: string): void {
  process.stderr.write(`countersign: ${line}\n`);
}
