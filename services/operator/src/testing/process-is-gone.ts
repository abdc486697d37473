import { readFileSync } from "node:fs";
import { waitUntil } from "../wait-until.ts";

/** Resolves with true once the process is gone (or a zombie that its new parent has not collected), with false after `timeoutMs`. */
export async function processIsGone(pid: number, timeoutMs: number): Promise<boolean> {
  return (await waitUntil(() => (isRunning(pid) ? undefined : true), timeoutMs)) ?? false;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    // No such process.
    return false;
  }
  try {
    // The state is the first letter after the command's closing parenthesis.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat[stat.lastIndexOf(")") + 2] !== "Z";
  } catch {
    // Gone between the two looks, or a system without /proc.
    return process.platform !== "linux";
  }
}
