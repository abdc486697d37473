import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { Secret, wipe } from "@countersign/bytes";
import { runtimeError } from "./errors.ts";

/** Keys, seeds, certificates and chains of them are a few kilobytes. */
const MATERIAL_BYTES_MAX = 64 * 1024;
/** What must not be set on a file with a secret: any right of group and others. */
const EXPOSED_BITS = 0o077;

/** Paths of a service's TLS files, as its configuration names them. */
export interface TlsPaths {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** Reads a service's TLS files. Raises `file_unreadable`; `file_exposed` for a key that others can read. */
export async function readTls(paths: TlsPaths): Promise<{ ca: Uint8Array; certificate: Uint8Array; key: Uint8Array }> {
  const [ca, certificate, key] = await Promise.all([
    readBounded(paths.ca, MATERIAL_BYTES_MAX),
    readBounded(paths.certificate, MATERIAL_BYTES_MAX),
    readSecret(paths.key),
  ]);
  return { ca, certificate, key: key.expose() };
}

/** Reads a file that only its owner may touch, at most 64 KiB. Raises `file_unreadable` and `file_exposed`. */
export async function readSecret(path: string): Promise<Secret> {
  return new Secret(await readBounded(path, MATERIAL_BYTES_MAX, EXPOSED_BITS));
}

/** Reads a regular file of at most `bytesMax` bytes none of whose mode bits is in `forbiddenBits`. */
export async function readBounded(path: string, bytesMax: number, forbiddenBits = 0): Promise<Uint8Array> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    // Without O_NONBLOCK a pipe would hold the start for ever.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw unreadable(path, cause instanceof Error ? cause.message : String(cause), cause);
  }
  try {
    // Asked of the open file, so that nobody changes it between the question and the reading.
    const status = await file.stat();
    const { mode, size } = status;
    if (!status.isFile()) throw unreadable(path, "it is not a regular file");
    if ((mode & forbiddenBits) !== 0)
      throw runtimeError(
        "file_exposed",
        `${path} has mode ${(mode & 0o777).toString(8)} and holds a secret; run: chmod 600 ${path}`,
        { details: { path } },
      );
    if (size > bytesMax) throw unreadable(path, `it has ${size} bytes, at most ${bytesMax} are read`);
    const bytes = new Uint8Array(size);
    const { bytesRead } = await file.read(bytes, 0, size, 0);
    if (bytesRead === size) return bytes;
    wipe(bytes);
    throw unreadable(path, `${bytesRead} of ${size} bytes could be read`);
  } finally {
    await file.close();
  }
}

function unreadable(path: string, why: string, cause?: unknown) {
  return runtimeError("file_unreadable", `${path} cannot be read: ${why}.`, { details: { path }, cause });
}
