import { closeSync, openSync, renameSync, statSync } from "node:fs";
import { open } from "node:fs/promises";

/** A log longer than this is set aside (as `.1`, replacing the one before) when its service starts again. */
const LOG_BYTES_MAX = 16 * 1024 * 1024;
/** Read from a log's end to find its last lines. */
const TAIL_BYTES = 16 * 1024;
const FILE_MODE = 0o600;

/** Opens a service's log for appending. The file goes to the service itself, so that it logs on when the supervisor dies. */
export function openLog(path: string): { descriptor: number; offset: number; close(): void } {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES_MAX) renameSync(path, `${path}.1`);
  const descriptor = openSync(path, "a", FILE_MODE);
  return { descriptor, offset: statSync(path).size, close: () => closeSync(descriptor) };
}

/** The last `count` lines that were logged after byte `offset`. */
export async function lastLines(path: string, count: number, offset = 0): Promise<string[]> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const start = Math.max(offset, size - TAIL_BYTES);
    const buffer = Buffer.alloc(Math.max(0, size - start));
    await file.read(buffer, 0, buffer.length, start);
    const lines = buffer.toString("utf8").split("\n");
    return lines.filter((line) => line.trim() !== "").slice(-count);
  } finally {
    await file.close();
  }
}
