import { type ChildProcess, spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const MAIN = join(dirname(fileURLToPath(import.meta.url)), "..", "main.ts");

/** What a command printed and how it ended. */
export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly notes: string;
}

/** Starts the command line in a process of its own, in the folder `/`. */
export function startCommand(...words: string[]): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
  const child = spawn(process.execPath, [MAIN, ...words], { cwd: "/", stdio: ["ignore", "pipe", "pipe"] });
  const { promise, resolve } = Promise.withResolvers<number | null>();
  child.once("exit", resolve);
  const ended = Promise.all([promise, text(child.stdout), text(child.stderr)]).then(([code, out, notes]) => ({
    code,
    out,
    notes,
  }));
  return { child, ended };
}

/** Runs the command line to its end. */
export function runCommand(...words: string[]): Promise<Ended> {
  return startCommand(...words).ended;
}
