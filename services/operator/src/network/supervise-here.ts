import { join } from "node:path";
import type { DataFolder } from "../deployment/data-folder.ts";
import type { Terminal } from "../terminal.ts";
import type { NetworkPlan } from "./network-plan.ts";
import { requirePrograms } from "./programs.ts";
import { supervise } from "./supervise.ts";

/** Supervises a network in this process; options as in `supervise`, the rest from the terminal. */
export function superviseHere(
  folder: DataFolder,
  plan: NetworkPlan,
  terminal: Terminal,
  options: {
    report: (line: string) => void;
    /** Default: `report`. */
    reportInstallation?: (line: string) => void;
    onReady: () => Promise<void>;
    signal: AbortSignal;
  },
): Promise<"taken" | "stopped"> {
  const { report, reportInstallation = report, onReady, signal } = options;
  const environment = { ...terminal.environment, ...compileCache(terminal) };
  return supervise({
    plan: { nodes: plan.nodes, threshold: plan.threshold, port: plan.port },
    surroundings: { repository: terminal.repository, folder, environment, node: terminal.node, report },
    requirePrograms: (ended) =>
      requirePrograms({
        environment: terminal.environment,
        isRoot: terminal.isRoot,
        report: reportInstallation,
        signal: ended,
      }),
    onReady,
    pid: terminal.pid,
    signal,
  });
}

/** Five services start from the same sources; compiled code that is kept saves each of them most of its start. */
function compileCache({ environment }: Terminal): Record<string, string> {
  const cache = environment["COUNTERSIGN_CACHE"];
  return cache === undefined ? {} : { NODE_COMPILE_CACHE: join(cache, "compiled") };
}
