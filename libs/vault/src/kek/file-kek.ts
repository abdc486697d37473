import { randomBytes } from "node:crypto";
import { decodeHexBytes, hex, Secret, utf8, wipe } from "@countersign/bytes";
import { vaultError } from "../errors.ts";
import { prepareAead } from "../record/aead.ts";
import type { KekProvider } from "./kek-provider.ts";
import { createPrivateFile, readPrivateFile } from "./private-file.ts";
import { unwrapUnder, wrapUnder } from "./wrap.ts";

const KIND = "file";
const KEK_SIZE = 32;
const LINE_FEED = 0x0a;
/** 64 hex digits and a line end. */
const FILE_SIZE_MAX = 2 * KEK_SIZE + 1;

/**
 * A KEK in a file of 64 hex digits with mode 600, for development and single machines. The file is read for every wrap and
 * unwrap and forgotten after it. Raises `kek_file_invalid` and `kek_file_exposed`, here and in every call.
 */
export async function fileKek(options: { readonly path: string }): Promise<KekProvider> {
  const { path } = options;
  await prepareAead();
  using _readable = await readKek(path);
  return {
    kind: KIND,
    async wrap(dataKey, context) {
      using kek = await readKek(path);
      return wrapUnder(kek, { kind: KIND, context, rng: randomBytes }, dataKey);
    },
    async unwrap(wrapped, context) {
      using kek = await readKek(path);
      return unwrapUnder(kek, { kind: KIND, context }, wrapped);
    },
  };
}

/** Writes a new random KEK file for `fileKek`. Raises `kek_file_invalid` when the file exists: a KEK is never overwritten. */
export async function createFileKek(path: string): Promise<void> {
  using kek = new Secret(new Uint8Array(randomBytes(KEK_SIZE)));
  const content = utf8(`${hex(kek.expose())}\n`);
  try {
    await createPrivateFile(path, content);
  } finally {
    wipe(content);
  }
}

async function readKek(path: string): Promise<Secret> {
  const content = await readPrivateFile(path, FILE_SIZE_MAX);
  try {
    const kek = new Secret(decodeHexBytes(content.subarray(0, content.at(-1) === LINE_FEED ? -1 : undefined)));
    if (kek.expose().length === KEK_SIZE) return kek;
    kek.wipe();
  } catch {
    // Falls through: the decoder's message would not add to ours, and must not quote the content.
  } finally {
    wipe(content);
  }
  throw vaultError("kek_file_invalid", `${path} does not hold exactly ${2 * KEK_SIZE} lower-case hex digits.`);
}
