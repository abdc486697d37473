import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** What the tests look at in a line of the log. */
export interface LogLine {
  readonly level?: string;
  readonly msg?: string;
  readonly service?: string;
  readonly reason?: string;
  readonly tasks?: readonly string[];
  readonly err?: unknown;
}

/** A running probe service and what it said so far. */
export interface ProbeProcess {
  readonly child: ChildProcess;
  /** Resolves with the first message over IPC. */
  readonly ready: Promise<unknown>;
  /** Resolves with exit code, signal, log lines and standard error. */
  readonly ended: Promise<{ code: number | null; lines: LogLine[]; stderr: string }>;
  /** Resolves once the log has a line with this message. */
  said(message: string): Promise<void>;
}

export interface ProbeProcessOptions {
  /** Configuration; text is written as it is. */
  readonly config?: unknown;
  readonly parameters?: readonly string[];
  readonly nodeOptions?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** Starts the probe service with a configuration file in a folder of its own; both are gone after the test. */
export async function startProbe(t: TestContext, options: ProbeProcessOptions): Promise<ProbeProcess> {
  const folder = await mkdtemp(join(tmpdir(), "countersign-runtime-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "config.json");
  const { config = { mode: "serve" }, parameters = ["--config", path] } = options;
  await writeFile(path, typeof config === "string" ? config : JSON.stringify(config));
  const child = fork(new URL("./probe.ts", import.meta.url), parameters, {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    execArgv: [...(options.nodeOptions ?? [])],
    env: { ...options.environment },
  });
  t.after(() => child.kill("SIGKILL"));

  let [stdout, stderr] = ["", ""];
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const waiting: (() => void)[] = [];
  child.stdout?.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
    for (const look of waiting) look();
  });
  const said = (message: string) =>
    new Promise<void>((resolve) => {
      const look = () => stdout.includes(`"msg":${JSON.stringify(message)}`) && resolve();
      waiting.push(look);
      look();
    });
  // Not `close`: Node does not emit it once the parent disconnected.
  const outputs = [child.stdout, child.stderr].map((stream) => stream && once(stream, "end"));
  const ended = Promise.all([once(child, "exit"), ...outputs]).then(([[code]]) => ({
    code,
    lines: parseLines(stdout),
    stderr,
  }));
  const ready = once(child, "message").then(([message]) => message);
  return { child, ready, ended, said };
}

function parseLines(text: string): LogLine[] {
  const lines = text.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => JSON.parse(line));
}
