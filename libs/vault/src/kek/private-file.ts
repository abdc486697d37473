import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { vaultError } from "../errors.ts";

/** Any permission bit of group or others. */
const EXPOSED_BITS = 0o077;

/**
 * Reads a small file that only its owner may touch. Refuses a symbolic link (it could be re-pointed after it was checked),
 * what is not a regular file, and more than `sizeMax` bytes with `kek_file_invalid`; any right of group or others with
 * `kek_file_exposed`. Checks and read go through one open file, so nobody can swap it in between.
 */
export async function readPrivateFile(path: string, sizeMax: number): Promise<Uint8Array> {
  let file: FileHandle;
  try {
    // O_NONBLOCK: opening a named pipe must not wait for its writer.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    throw vaultError("kek_file_invalid", `Cannot open ${path}: missing, not readable, or a symbolic link.`, { cause });
  }
  try {
    const { mode, size } = await checkedStat(file, path);
    if ((mode & EXPOSED_BITS) !== 0)
      throw vaultError("kek_file_exposed", `${path} has mode ${(mode & 0o777).toString(8)}; make it 600.`);
    if (size > sizeMax) throw vaultError("kek_file_invalid", `${path} is ${size} bytes long, more than ${sizeMax}.`);
    const bytes = new Uint8Array(size);
    const { bytesRead } = await file.read(bytes, 0, size, 0);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function checkedStat(file: FileHandle, path: string) {
  const stat = await file.stat();
  if (!stat.isFile()) throw vaultError("kek_file_invalid", `${path} is not a regular file.`);
  return stat;
}

/** Creates a file with mode 600 and syncs it and its folder. An existing file is left alone and raises `kek_file_invalid`. */
export async function createPrivateFile(path: string, content: Uint8Array): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  } catch (cause) {
    throw vaultError("kek_file_invalid", `Cannot create ${path}: it exists, or its folder cannot be written.`, {
      cause,
    });
  }
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  // Without this a power loss may forget the file's name, and with it every key it wraps.
  const folder = await open(dirname(path), constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
