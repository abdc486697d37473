import { randomBytes } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** Owner only: every file of a data folder is a secret or tells how to reach one. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** Makes a folder, and those above it, that only the owner may enter. */
export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: FOLDER_MODE });
}

/** What `writeFileAtomic` adds to a name until the file is whole; a crash may leave such a file behind. */
export const DRAFT = /\.[0-9a-f]{16}\.draft$/;

/**
 * Writes a file of mode 0600 that is whole or absent after a crash: temporary name, fsync, rename, fsync of the folder. Of several
 * commands that write it at the same time each has a name of its own, and the last one's file stays.
 */
export async function writeFileAtomic(path: string, content: string | Uint8Array): Promise<void> {
  const folder = dirname(path);
  await makeFolder(folder);
  const draft = `${path}.${randomBytes(8).toString("hex")}.draft`;
  try {
    await writeSynced(draft, content);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  const directory = await open(folder, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function writeSynced(path: string, content: string | Uint8Array): Promise<void> {
  const file = await open(path, "wx", FILE_MODE);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}
