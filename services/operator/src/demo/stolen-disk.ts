import { randomBytes } from "node:crypto";
import { cp, mkdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { CountersignError } from "@countersign/errors";
import { fileKek, openSqliteStore, Vault } from "@countersign/vault";
import type { Deployment } from "../deployment/deployment.ts";

/**
 * Copies a stopped node's store, as a thief would, and opens it with another node's key-encryption key. Resolves with the
 * code `kek_rejected`; with undefined when it opened. `scratch` is a folder for the copy.
 */
export async function openStolenStore(
  { folder, descriptor }: Deployment,
  theft: { nodeId: string; kekOf: string; scratch: string },
): Promise<string | undefined> {
  const { nodeId, kekOf, scratch } = theft;
  const store = folder.node(nodeId).store;
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  await cp(dirname(store), scratch, { recursive: true });
  try {
    const vault = await Vault.open({
      store: await openSqliteStore({ path: join(scratch, basename(store)) }),
      kek: await fileKek({ path: folder.node(kekOf).kek }),
      deploymentId: descriptor.deploymentId,
      nodeId,
      now: Date.now,
      rng: (size) => new Uint8Array(randomBytes(size)),
    });
    await vault.close();
    return undefined;
  } catch (error) {
    if (error instanceof CountersignError && error.code === "kek_rejected") return error.code;
    throw error;
  }
}
