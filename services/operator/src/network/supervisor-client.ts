import { JsonMembers, type JsonValue } from "@countersign/bytes";
import type { DataFolder } from "../deployment/data-folder.ts";
import { operatorError } from "../errors.ts";
import { askSupervisor, type ControlRequest, controlSocketPath } from "./control.ts";
import type { ServiceStatus } from "./supervisor.ts";

/** `status` answers from memory. */
const STATUS_TIMEOUT_MS = 5_000;
/** Starting what is missing, or stopping: as long as the supervisor itself gives it, and a little for the way. */
const CHANGE_TIMEOUT_MS = 65_000;
/** More services than a local network can have. */
const SERVICES_MAX = 64;

/** Services of the network that runs with this data folder; undefined when none runs. */
export async function runningServices(folder: DataFolder): Promise<ServiceStatus[] | undefined> {
  return servicesOf(await ask(folder, "status", { timeoutMs: STATUS_TIMEOUT_MS }));
}

/** Starts what is missing of the running network; `report` gets a line for each. Undefined when none runs. */
export async function startMissing(
  folder: DataFolder,
  report: (line: string) => void,
  signal: AbortSignal,
): Promise<ServiceStatus[] | undefined> {
  return servicesOf(await ask(folder, "start", { timeoutMs: CHANGE_TIMEOUT_MS, report, signal }));
}

/** Stops the running network and resolves, with the names of what was stopped, once all is gone. Undefined when none runs. */
export async function stopNetwork(folder: DataFolder, signal: AbortSignal): Promise<string[] | undefined> {
  // A supervisor that does not even answer this is not worth the long wait.
  if ((await runningServices(folder)) === undefined) return undefined;
  const answer = await ask(folder, "stop", { timeoutMs: CHANGE_TIMEOUT_MS, signal });
  return answer?.list("stopped", 0, SERVICES_MAX).map(String);
}

async function ask(
  folder: DataFolder,
  request: ControlRequest,
  options: { timeoutMs: number; report?: (line: string) => void; signal?: AbortSignal },
): Promise<JsonMembers | undefined> {
  const { timeoutMs, report = () => {}, signal } = options;
  const deadline = AbortSignal.timeout(timeoutMs);
  const answer = await askSupervisor(await controlSocketPath(folder.run), request, {
    progress: report,
    signal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]),
  });
  return answer === undefined ? undefined : new JsonMembers(answer, "control answer", malformed);
}

function servicesOf(answer: JsonMembers | undefined): ServiceStatus[] | undefined {
  return answer?.list("services", 0, SERVICES_MAX).map(serviceOf);
}

function serviceOf(value: JsonValue): ServiceStatus {
  const members = new JsonMembers(value, "service", malformed);
  return {
    name: members.text("name", { lengthMax: 64 }),
    address: members.text("address", { lengthMax: 64 }),
    up: members.value("up") === true,
    ...(members.has("pid") ? { pid: members.integer("pid", 1, Number.MAX_SAFE_INTEGER) } : {}),
    ...(members.has("ended") ? { ended: members.text("ended", { lengthMax: 64 }) } : {}),
  };
}

function malformed(sentence: string) {
  return operatorError(
    "supervisor_silent",
    `The supervisor is of another version: ${sentence} Stop it with the version that started it.`,
  );
}
