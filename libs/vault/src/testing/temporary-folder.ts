import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Runs a test in a folder of its own and removes it, also when the test fails. */
export async function inTemporaryFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "countersign-vault-"));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}
