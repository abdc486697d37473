import { type ChildProcess, spawn } from "node:child_process";
import { connect } from "node:net";
import type { Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { operatorError } from "../errors.ts";
import { lastLines, openLog } from "./log-file.ts";

/** What is needed to start one service of the local network, again and again the same way. */
export interface ServicePlan {
  /** Name in `status` and `logs`: `nats`, `redis`, `node-1`, `orchestrator`, `api`. */
  readonly name: string;
  /** `service`: ours, tells over IPC when it is ready and leaves when IPC closes. `program`: kept on a leash, ready once it speaks. */
  readonly kind: "service" | "program";
  /** Program and arguments. */
  readonly command: readonly [string, ...string[]];
  /** `host:port` it listens on. */
  readonly address: string;
  /** File that its output goes to. */
  readonly log: string;
  /** What a program is sent so that it speaks. Default: nothing, for one that greets by itself. */
  readonly probe?: string;
  /** Its whole environment. */
  readonly environment: Readonly<Record<string, string>>;
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A started service. */
export interface ServiceProcess {
  readonly plan: ServicePlan;
  readonly pid: number;
  /** Resolves when the process is gone. */
  readonly exited: Promise<Exit>;
  /** Asks it to leave, and after `STOP_TIMEOUT_MS` makes it. Resolves when it is gone. */
  stop(): Promise<Exit>;
}

/** A service drains and leaves within 15 s (architecture 8); one that takes longer is killed. */
const STOP_TIMEOUT_MS = 16_000;
/** How often a starting program is asked whether it speaks yet. */
const PROBE_INTERVAL_MS = 20;
/** Log lines shown when a service fails to start. */
const LAST_LINES = 12;

/**
 * Becomes the command after it, with core dumps off for good: a dump of a signer would hold shares and nonces. The shell replaces
 * itself, so process id and IPC channel are the service's own.
 */
const WITHOUT_CORE_DUMPS = ["/bin/sh", "-c", 'ulimit -c 0 && exec "$@"', "sh"] as const;
const LEASH = fileURLToPath(new URL("leash.sh", import.meta.url));

/** Starts a service and resolves once it can serve; raises `service_not_ready` with its last log lines otherwise. */
export async function startService(plan: ServicePlan, signal: AbortSignal): Promise<ServiceProcess> {
  const log = openLog(plan.log);
  const child = launch(plan, log.descriptor);
  log.close();
  const exited = exitOf(child);
  const pid = await pidOf(child, plan);
  const service: ServiceProcess = { plan, pid, exited, stop: () => stop(child, exited) };

  const given = new AbortController();
  const isReady = plan.kind === "service" ? readyOverIpc(child, given.signal) : speaks(plan, given.signal);
  const outcome = await Promise.race([
    isReady.then(() => "ready" as const),
    exited.then((exit) => exit),
    aborted(signal).then(() => "late" as const),
  ]);
  given.abort();
  if (outcome === "ready") return service;

  if (outcome === "late") await service.stop();
  const lines = (await lastLines(plan.log, LAST_LINES, log.offset)).map((line) => `\n    ${line}`).join("");
  const what = outcome === "late" ? "was not ready in time" : `stopped while starting (${exitText(outcome)})`;
  throw operatorError("service_not_ready", `${plan.name} ${what}. Last lines of ${plan.log}:${lines || " none."}`, {
    details: { service: plan.name },
  });
}

/** `exit code 1` or `signal SIGKILL`. */
export function exitText(exit: Exit): string {
  return exit.signal === null ? `exit code ${exit.code}` : `signal ${exit.signal}`;
}

function launch(plan: ServicePlan, log: number): ChildProcess {
  const [program, ...parameters] = plan.command;
  // A process group of its own: Ctrl-C in the terminal reaches the supervisor alone, which stops services in order.
  const common = { detached: true, cwd: "/", env: plan.environment };
  if (plan.kind === "service") {
    const [shell, ...become] = WITHOUT_CORE_DUMPS;
    const stdio = ["ignore" as const, log, log, "ipc" as const];
    return spawn(shell, [...become, program, ...parameters], { ...common, stdio, serialization: "json" });
  }
  return spawn("/bin/sh", [LEASH, program, ...parameters], { ...common, stdio: ["ignore", log, log, "pipe"] });
}

function exitOf(child: ChildProcess): Promise<Exit> {
  const { promise, resolve } = Promise.withResolvers<Exit>();
  const leash = child.stdio[3] as Writable | null | undefined;
  // Writing to the leash of a program that just died fails; its exit event tells the same.
  leash?.on("error", () => {});
  child.once("error", () => resolve({ code: null, signal: null }));
  child.once("exit", (code, signal) => {
    leash?.end("seen\n");
    resolve({ code, signal });
  });
  return promise;
}

async function pidOf(child: ChildProcess, plan: ServicePlan): Promise<number> {
  if (child.pid !== undefined) return child.pid;
  const { promise, resolve } = Promise.withResolvers<Error>();
  child.once("error", resolve);
  const cause = await promise;
  throw operatorError("service_not_ready", `${plan.name} could not be started: ${cause.message}.`, { cause });
}

async function stop(child: ChildProcess, exited: Promise<Exit>): Promise<Exit> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill("SIGTERM");
    // A paused process would keep the request to leave waiting.
    child.kill("SIGCONT");
  }
  const patience = new AbortController();
  const late = delay(STOP_TIMEOUT_MS, "late" as const, { signal: patience.signal }).catch(() => "late" as const);
  if ((await Promise.race([exited, late])) === "late") child.kill("SIGKILL");
  patience.abort();
  return exited;
}

function readyOverIpc(child: ChildProcess, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const listen = (message: unknown) => {
    if (typeof message === "object" && message !== null && "kind" in message && message.kind === "ready") resolve();
  };
  child.on("message", listen);
  signal.addEventListener("abort", () => child.off("message", listen), { once: true });
  return promise;
}

/** Resolves once a server on the address has said a byte. */
async function speaks({ address, probe }: ServicePlan, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    if (await answers(address, probe)) return;
    await delay(PROBE_INTERVAL_MS);
  }
}

function answers(address: string, probe: string | undefined): Promise<boolean> {
  const [host, port] = address.split(":");
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host, port: Number(port), timeout: 1_000 }, () => {
    if (probe !== undefined) socket.write(probe);
  });
  const done = (answered: boolean) => {
    socket.destroy();
    resolve(answered);
  };
  socket.once("data", () => done(true));
  socket.once("error", () => done(false));
  socket.once("timeout", () => done(false));
  socket.once("close", () => resolve(false));
  return promise;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  return promise;
}
