import { randomBytes } from "node:crypto";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileKek, type KekProvider, openSqliteStore, Vault } from "@countersign/vault";
import type { RealNetwork } from "./real-network.ts";

/**
 * Opens a copy of a stopped node's vault with its key-encryption key, as whoever owns the machine can, and closes and removes it after
 * `work`. `watch` may listen in on the key-encryption key.
 */
export async function withVaultOf<T>(
  network: RealNetwork,
  party: number,
  work: (vault: Vault) => Promise<T>,
  watch: (kek: KekProvider) => KekProvider = (kek) => kek,
): Promise<T> {
  const { id } = network.node(party);
  const folder = join(network.data, "nodes", id);
  const scratch = await mkdtemp(join(tmpdir(), "countersign-vault-"));
  try {
    const { store } = JSON.parse(Buffer.from(network.read("nodes", id, "signer.json")).toString());
    await cp(dirname(store), scratch, { recursive: true });
    const vault = await Vault.open({
      store: await openSqliteStore({ path: join(scratch, "signer.sqlite") }),
      kek: watch(await fileKek({ path: join(folder, "kek") })),
      deploymentId: network.descriptor.deploymentId,
      nodeId: id,
      now: Date.now,
      rng: (size) => new Uint8Array(randomBytes(size)),
    });
    try {
      return await work(vault);
    } finally {
      await vault.close();
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
