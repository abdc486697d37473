import { spawn, spawnSync } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../services/operator/src/main.ts", import.meta.url));
/** Longest a command of the local network takes: a start from nothing on a busy machine. */
const COMMAND_TIMEOUT_MS = 90_000;

/** What a command printed and how it ended. */
export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly notes: string;
}

/** Runs the command line to its end, as a person would: another process, in another folder. */
export async function runCommand(...words: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, ...words], {
    cwd: "/",
    stdio: ["ignore", "pipe", "pipe"],
    timeout: COMMAND_TIMEOUT_MS,
    killSignal: "SIGKILL",
  });
  const { promise, resolve } = Promise.withResolvers<number | null>();
  child.once("exit", resolve);
  const [code, out, notes] = await Promise.all([promise, text(child.stdout), text(child.stderr)]);
  return { code, out, notes };
}

/** Runs it while this process ends and can wait for nothing else. */
export function runCommandAtExit(...words: readonly string[]): void {
  spawnSync(process.execPath, [MAIN, ...words], { cwd: "/", stdio: "ignore", timeout: COMMAND_TIMEOUT_MS });
}
