import { spawn } from "node:child_process";
import { join } from "node:path";
import type { DataFolder } from "../deployment/data-folder.ts";
import { operatorError, operatorErrors } from "../errors.ts";
import type { ParentMessage, Terminal } from "../terminal.ts";
import { makeFolder } from "../write-file.ts";
import { openLog } from "./log-file.ts";
import type { NetworkPlan } from "./network-plan.ts";
import { type Exit, exitText } from "./service-process.ts";

/**
 * Starts a supervisor in the background and resolves once its network is ready, or `taken` when another process supervises
 * the folder. Raises what the supervisor raised. Ctrl-C before that ends the supervisor and all it started.
 */
export async function superviseInBackground(
  folder: DataFolder,
  plan: NetworkPlan,
  terminal: Terminal,
): Promise<"ready" | "taken"> {
  await makeFolder(folder.logs);
  const log = openLog(folder.log("supervisor"));
  const main = join(terminal.repository, "services", "operator", "src", "main.ts");
  const flags = Object.entries(plan).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, `${value}`]));
  const child = spawn(terminal.node, [main, "supervise", "--data", folder.root, ...flags], {
    stdio: ["ignore", log.descriptor, log.descriptor, "ipc"],
    cwd: "/",
    env: terminal.environment,
    // A session of its own: closing the terminal does not end the network.
    detached: true,
  });
  log.close();
  const outcome = Promise.withResolvers<"ready" | "taken">();
  child.on("message", (message: ParentMessage) => {
    if (message.kind === "note") terminal.note(message.line);
    else if (message.kind === "failed") outcome.reject(remoteError(message));
    else outcome.resolve(message.kind);
  });
  child.once("error", (error) => outcome.reject(error));
  child.once("exit", (code, signal) => outcome.reject(died({ code, signal }, folder)));
  // Losing its parent before it is ready, the supervisor stops what it started.
  const leave = () => child.connected && child.disconnect();
  terminal.interrupted.addEventListener("abort", leave, { once: true });
  try {
    return await outcome.promise;
  } finally {
    terminal.interrupted.removeEventListener("abort", leave);
    leave();
    child.unref();
  }
}

function remoteError({ code, message }: { code: string; message: string }) {
  return operatorError(isOurs(code) ? code : "service_not_ready", message);
}

function isOurs(code: string): code is keyof typeof operatorErrors {
  return Object.hasOwn(operatorErrors, code);
}

function died(exit: Exit, folder: DataFolder) {
  return operatorError(
    "service_not_ready",
    `The supervisor ended before the network was ready (${exitText(exit)}); its log: ${folder.log("supervisor")}`,
  );
}
