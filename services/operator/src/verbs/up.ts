import { setTimeout as delay } from "node:timers/promises";
import { defineVerb, type ValuesOf } from "../command-line.ts";
import type { DataFolder } from "../deployment/data-folder.ts";
import { operatorError } from "../errors.ts";
import { superviseInBackground } from "../network/background.ts";
import { requireSamePlan } from "../network/network-plan.ts";
import { openSettledDeployment } from "../network/open-settled.ts";
import { superviseHere } from "../network/supervise-here.ts";
import { runningServices, startMissing } from "../network/supervisor-client.ts";
import { networkSummary, summaryText } from "../network-summary.ts";
import type { Terminal } from "../terminal.ts";
import { dataFlag, dataFolderOf, dataHint, jsonFlag } from "./network-flags.ts";
import { planFlags } from "./plan-flags.ts";

const flags = {
  ...planFlags,
  ...dataFlag,
  database: { kind: "text", placeholder: "URL", help: "database of the API (so far only its built-in one: pglite)" },
  detach: { kind: "flag", help: "run in the background; returns when all services are ready" },
  ...jsonFlag,
} as const;
type Values = ValuesOf<typeof flags>;

/** Another process may be stopping the network of this folder, which takes it at most this long. */
const TAKEOVER_TIMEOUT_MS = 30_000;
const TAKEOVER_INTERVAL_MS = 100;

/** Starts the local network, or what is missing of it. */
export const up = defineVerb({
  name: "up",
  options: flags,
  notes: [
    "The first start makes a deployment in the data folder: node identities, key-encryption keys, certificates, one",
    "organisation and the key of its administrator. Later starts use it again; deleting the folder is a clean start.",
    "",
    "`up` on a running network starts what is missing and prints the addresses again. A service that crashed is not",
    "restarted by itself: `up` does it. In the foreground Ctrl-C stops everything; in the background `countersign down`.",
    "Several networks run side by side with different --data and --port 0.",
  ].join("\n"),
  async run(values, terminal) {
    if (values.database !== undefined && values.database !== "pglite")
      throw operatorError(
        "usage_wrong",
        "--database takes no address yet: the API of a local network keeps its data in its built-in PGlite. Leave the flag out.",
      );
    const folder = dataFolderOf(values.data, terminal);
    const deployment = await openSettledDeployment(folder);
    if (deployment !== undefined) requireSamePlan(values, deployment);
    for (const deadline = Date.now() + TAKEOVER_TIMEOUT_MS; Date.now() < deadline; await delay(TAKEOVER_INTERVAL_MS)) {
      if (await startsMissing(folder, values, terminal)) return 0;
      if (await startsAll(folder, values, terminal)) return 0;
    }
    throw operatorError(
      "supervisor_silent",
      `Another process holds ${folder.root} but does not answer. \`countersign doctor${dataHint(values.data)}\` tells which.`,
    );
  },
});

/** Answers false when no network runs with this folder. */
async function startsMissing(folder: DataFolder, values: Values, terminal: Terminal): Promise<boolean> {
  const running = await runningServices(folder);
  if (running === undefined) return false;
  const port = running.find(({ name }) => name === "api")?.address.split(":")[1];
  if (port !== undefined && values.port !== undefined && values.port !== 0 && String(values.port) !== port)
    throw operatorError(
      "deployment_differs",
      `This network already runs, with its API on port ${port}. Stop it first (countersign down${dataHint(values.data)}), or leave --port out.`,
    );
  if ((await startMissing(folder, terminal.note, terminal.interrupted)) === undefined) return false;
  await printSummary(folder, values, terminal, `countersign down${dataHint(values.data)}`);
  return true;
}

/** Answers false when another process took the folder first. */
async function startsAll(folder: DataFolder, values: Values, terminal: Terminal): Promise<boolean> {
  if (values.detach) {
    const { nodes, threshold, port } = values;
    if ((await superviseInBackground(folder, { nodes, threshold, port }, terminal)) === "taken") return false;
    await printSummary(folder, values, terminal, `countersign down${dataHint(values.data)}`);
    return true;
  }
  const outcome = await superviseHere(folder, values, terminal, {
    report: terminal.note,
    onReady: () => printSummary(folder, values, terminal, "Ctrl-C"),
    signal: terminal.interrupted,
  });
  if (outcome === "taken") return false;
  terminal.note("Stopped.");
  return true;
}

async function printSummary(folder: DataFolder, values: Values, terminal: Terminal, stopWith: string): Promise<void> {
  const deployment = await openSettledDeployment(folder);
  const services = await runningServices(folder);
  if (deployment === undefined || services === undefined)
    throw operatorError("network_not_running", "The network was stopped while it was starting.");
  const summary = await networkSummary(deployment, services, Date.now());
  terminal.out(
    values.json
      ? JSON.stringify(summary)
      : summaryText(summary, services, { threshold: deployment.descriptor.threshold, stopWith }),
  );
}
