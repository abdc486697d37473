import assert from "node:assert/strict";
import type { NodeRecords } from "./judge.ts";
import type { SimulatedDeployment } from "./simulated-deployment.ts";

/** Virtual time in which a node's vault answers. */
const VAULT_MS_MAX = 1_000;
/** Entries that a history writes at one node, with room. */
const ENTRIES_MAX = 1_000;

/** Reads what every node of a healed deployment holds, after its audit chain was verified whole (I7). */
export async function readNodes({ signers, network }: SimulatedDeployment): Promise<readonly NodeRecords[]> {
  const settle = <T>(promise: Promise<T>) => network.clock.settle(promise, VAULT_MS_MAX);
  const records: NodeRecords[] = [];
  for (const { node } of signers) {
    const verdict = await settle(node.vault.verifyAudit());
    assert.equal(verdict.kind, "intact", "every audit chain verifies (I7)");
    const entries = await settle(node.vault.auditEntries({ from: 0, limit: ENTRIES_MAX }));
    const keys = new Map<string, { c: Uint8Array; publicPart: Uint8Array; share: Uint8Array }>();
    for (const { keyId, c, publicPart, state } of await settle(node.vault.keys(ENTRIES_MAX))) {
      if (state.kind !== "active") continue;
      const { secret } = await settle(node.vault.openKey(keyId));
      keys.set(keyId, { c, publicPart, share: secret.expose().slice() });
    }
    records.push({ party: node.self, entries, keys });
  }
  return records;
}
