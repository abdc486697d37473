import { constants } from "node:fs";
import { access, open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import type { Vault } from "@countersign/vault";
import { signerError } from "./errors.ts";

/** Where a node's store is, and the note that it had one. */
export interface MarkedStore {
  readonly nodeId: string;
  /** File of the store. */
  readonly store: string;
  /** File of the mark; on another disk than the store it outlives the loss of that. */
  readonly mark: string;
}

/**
 * Refuses to make a vault where there was one: an empty store has forgotten which approvals were used, which sessions ran and every
 * share. Called before the store is opened. Raises `store_lost`.
 */
export async function requireStoreIfMarked({ nodeId, store, mark }: MarkedStore): Promise<void> {
  if ((await exists(store)) || !(await exists(mark))) return;
  throw lost(nodeId, mark, `${store} is gone`);
}

/** Compares the opened vault with the mark, or leaves the mark of a new one. Raises `store_lost`. */
export async function markStore(vault: Vault, { nodeId, store, mark }: MarkedStore): Promise<void> {
  const [first] = await vault.auditEntries({ from: 0, limit: 1 });
  const text = `vault of ${nodeId}, made at ${first?.time}\n`;
  if (!(await exists(mark))) await writeSynced(mark, text);
  else if ((await readFile(mark, "utf8")) !== text) throw lost(nodeId, mark, `${store} is another, newer one`);
}

function lost(nodeId: string, mark: string, what: string) {
  return signerError(
    "store_lost",
    `${nodeId} had a vault before, and ${what}. Restore it; or, to begin with a node without shares, remove ${mark}.`,
  );
}

/** Only a file that is not there is absent: one that cannot be looked at would otherwise pass for lost, or for never made. */
async function exists(path: string): Promise<boolean> {
  try {
    await access(path, constants.F_OK);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}

/** Whole or absent after a crash. */
async function writeSynced(path: string, text: string): Promise<void> {
  const draft = `${path}.draft`;
  await syncAfter(draft, "w", (file) => file.writeFile(text));
  await rename(draft, path);
  await syncAfter(dirname(path), "r", async () => undefined);
}

async function syncAfter(
  path: string,
  flags: "w" | "r",
  work: (file: Awaited<ReturnType<typeof open>>) => Promise<unknown>,
): Promise<void> {
  const file = await open(path, flags, 0o600);
  try {
    await work(file);
    await file.sync();
  } finally {
    await file.close();
  }
}
