import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { Socket } from "node:net";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../services/operator/src/main.ts", import.meta.url));
const LEASH = fileURLToPath(new URL("../../services/operator/src/network/leash.sh", import.meta.url));
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

/**
 * Starts a command that may go on after its first line, and resolves with that line; raises what it said when it ended without.
 * It is told to end when this process is gone, whatever that died of; it keeps this process waiting for nothing.
 */
export async function startCommand(...words: readonly string[]): Promise<string> {
  const child = spawn("/bin/sh", [LEASH, process.execPath, MAIN, ...words], {
    cwd: "/",
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    // Ctrl-C in a terminal reaches the tests alone, which end it in their own way.
    detached: true,
  });
  const [, out, notes, leash] = child.stdio;
  assert.ok(out instanceof Socket && notes instanceof Socket && leash instanceof Socket);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const said = text(notes);
  createInterface(out).once("line", resolve);
  child.once("exit", () => leash.end("seen\n"));
  child.once("close", async (code) => reject(new Error(`exit code ${code}: ${await said}`)));
  const late = setTimeout(() => child.kill("SIGKILL"), COMMAND_TIMEOUT_MS);
  try {
    return await promise;
  } finally {
    clearTimeout(late);
    child.unref();
    for (const stream of [out, notes, leash]) stream.unref();
  }
}

/** Runs it while this process ends and can wait for nothing else. */
export function runCommandAtExit(...words: readonly string[]): void {
  spawnSync(process.execPath, [MAIN, ...words], { cwd: "/", stdio: "ignore", timeout: COMMAND_TIMEOUT_MS });
}
