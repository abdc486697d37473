import { CountersignError } from "@countersign/errors";
import type { Static, TSchema } from "typebox";
import { Value } from "typebox/value";
import { helpText, parseCommandLine } from "./command-line.ts";
import { refuseDebugger, startOptions } from "./debugger-guard.ts";
import { runtimeError } from "./errors.ts";
import { createLog, type Log } from "./log.ts";
import { readConfig } from "./read-config.ts";
import { expectation } from "./schema-walk.ts";
import { settings } from "./settings.ts";
import { TaskGroup } from "./task-group.ts";

/** A service leaves within this long of being told to, whatever it waits for. */
export const SHUTDOWN_MS_MAX = 15_000;
/** What is left for running calls of that; closing stores and background tasks need the rest. */
export const DRAIN_MS_MAX = 10_000;
/** The process ends this much before the promise, because ending takes time too. */
const EXIT_MARGIN_MS = 500;

/** How a service's process ended. */
export const EXIT = {
  /** Told to leave, and left. */
  done: 0,
  /** Crashed, could not start, or a background task failed. */
  failed: 1,
  /** Its arguments or its configuration cannot be used; starting it again changes nothing. */
  unusable: 2,
  /** Told to leave, and did not get done in time. */
  stuck: 3,
} as const;

/** A service: what it is called, what it reads, how it starts. */
export interface ServiceDefinition<S extends TSchema> {
  readonly name: string;
  /** TypeBox schema of its configuration file. A member `logLevel` sets the log's level. */
  readonly schema: S;
  /** Whether the process refuses debuggers because it holds secrets. Default `false`. */
  readonly guarded?: boolean;
  /** Promised time to leave, milliseconds. Default and most 15,000; tests shorten it. */
  readonly shutdownMs?: number;
  /** Starts everything; resolves once the service can serve. */
  start(config: Static<S>, tools: ServiceTools): Promise<RunningService>;
}

/** What a service gets from its process. */
export interface ServiceTools {
  readonly log: Log;
  /** Background work; a task that fails takes the service down. */
  readonly tasks: TaskGroup;
  /** Aborts when the service is told to leave, also while it still starts. */
  readonly signal: AbortSignal;
}

/** A service that serves. */
export interface RunningService {
  /** `host:port` that is reported as ready, when it listens. */
  readonly address?: string;
  /** Takes nothing new, lets what runs end within `graceMs` milliseconds, then closes everything. */
  close(options: { readonly graceMs: number }): Promise<unknown>;
}

/**
 * Runs a service as this process: reads the arguments and the configuration, starts it, tells a parent over IPC when it is
 * ready, and ends the process on SIGTERM, SIGINT, the parent's death, a crash or a failed task. Does not return before that.
 */
export async function runService<S extends TSchema>(definition: ServiceDefinition<S>): Promise<void> {
  process.title = `countersign-${definition.name}`;
  // Files that a service makes are its own.
  process.umask(0o077);
  let log = createLog({ name: definition.name });
  // Without a handler this signal opens the debugger to everyone on the machine.
  process.on("SIGUSR1", () => log.warn("SIGUSR1 is ignored: it would open a debugger"));
  onCrash((error, origin) => {
    log.fatal({ err: error, origin }, "crashed");
    process.exit(EXIT.failed);
  });

  try {
    const command = parseCommandLine(definition.name, process.argv.slice(2));
    if (command.kind === "help") {
      process.stdout.write(helpText(definition.name, definition.schema));
      return;
    }
    if (definition.guarded) refuseDebugger(startOptions());
    const config = await readConfig(command.configPath, definition.schema);
    log = createLog({ name: definition.name, level: logLevel(config) });
    process.exit(await serve(definition, config, log));
  } catch (error) {
    if (!(error instanceof CountersignError && error.kind === "refusal")) {
      log.fatal({ err: error }, "failed");
      process.exit(EXIT.failed);
    }
    // For the person who wrote the file or the command; the code finds it in the documentation.
    process.stderr.write(`${definition.name}: ${error.message} (${error.code})\n`);
    process.exit(EXIT.unusable);
  }
}

function onCrash(report: (error: unknown, origin: string) => void): void {
  process.on("uncaughtException", report);
  process.on("unhandledRejection", (error) => report(error, "unhandledRejection"));
}

function logLevel(config: unknown): string | undefined {
  const level: unknown =
    typeof config === "object" && config !== null && "logLevel" in config ? config.logLevel : undefined;
  if (level === undefined || Value.Check(settings.logLevel, level)) return level;
  throw runtimeError(
    "config_invalid",
    `logLevel: expected ${expectation(settings.logLevel)}, found ${JSON.stringify(level)}.`,
  );
}

async function serve<S extends TSchema>(
  { name, start, shutdownMs = SHUTDOWN_MS_MAX }: ServiceDefinition<S>,
  config: Static<S>,
  log: Log,
): Promise<number> {
  const leaving = new AbortController();
  let exit: number = EXIT.done;
  const tasks = new TaskGroup((error, task) => {
    log.fatal({ err: error, task }, "a background task failed");
    exit = EXIT.failed;
    leave(`task ${task} failed`);
  });
  const leave = (reason: string) => {
    if (leaving.signal.aborted) return;
    log.info({ reason }, "leaving");
    setTimeout(
      () => {
        log.fatal({ tasks: tasks.names }, "could not leave in time");
        process.exit(EXIT.stuck);
      },
      shutdownMs - Math.min(EXIT_MARGIN_MS, shutdownMs / 10),
    );
    leaving.abort(new Error(`${name} is leaving: ${reason}`));
  };
  onLeave(leave);

  const service = await start(config, { log, tasks, signal: leaving.signal }).catch((error: unknown) => {
    // A start that was told to leave may give up in any way it likes.
    if (!leaving.signal.aborted) throw error;
    return undefined;
  });
  if (service !== undefined) {
    if (!leaving.signal.aborted) {
      log.info({ address: service.address }, "ready");
      tellParent({ kind: "ready", address: service.address });
      await aborted(leaving.signal);
    }
    const graceMs = (shutdownMs * DRAIN_MS_MAX) / SHUTDOWN_MS_MAX;
    await service.close({ graceMs }).catch((error: unknown) => {
      log.error({ err: error }, "could not close everything");
      exit = EXIT.failed;
    });
  }
  // After the service: what it drains may need its tasks.
  await tasks.close({ graceMs: shutdownMs });
  log.info("left");
  return exit;
}

function onLeave(leave: (reason: string) => void): void {
  process.on("SIGTERM", () => leave("SIGTERM"));
  process.on("SIGINT", () => leave("SIGINT"));
  if (process.send === undefined) return;
  // The parent may have died before this line.
  if (process.connected) process.on("disconnect", () => leave("the parent process ended"));
  else leave("the parent process ended");
}

function tellParent(message: { kind: "ready"; address: string | undefined }): void {
  // A parent that is gone is noticed by `disconnect`; the failed message says nothing more.
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  return promise;
}
