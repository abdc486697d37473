import type { ServiceTools } from "@countersign/runtime";
import type { Vault } from "@countersign/vault";
import { signerError } from "./errors.ts";

/** Entries that are verified in about two seconds; a longer log must not keep a node from signing for minutes. */
const ENTRIES_AT_START = 250_000;

/**
 * Recomputes a node's whole audit log before it serves; a long one beside its first work, as a task whose failure takes the service
 * down. Raises `audit_chain_broken`. `entriesAtStart` default: 250,000.
 */
export async function checkAudit(
  vault: Pick<Vault, "auditHead" | "verifyAudit">,
  options: Pick<ServiceTools, "tasks" | "signal"> & { readonly nodeId: string; readonly entriesAtStart?: number },
): Promise<void> {
  const { nodeId, tasks, signal, entriesAtStart = ENTRIES_AT_START } = options;
  const { index } = await vault.auditHead();
  if (index < entriesAtStart) await requireIntact(vault, nodeId, signal);
  else tasks.run("audit log check", (stop) => requireIntact(vault, nodeId, stop));
}

async function requireIntact(vault: Pick<Vault, "verifyAudit">, nodeId: string, signal: AbortSignal): Promise<void> {
  const verdict = await vault.verifyAudit({ signal });
  if (verdict.kind === "intact") return;
  const text = `${verdict.reason} Nothing was changed. Keep the store of ${nodeId} for whoever investigates, and restore a backup.`;
  throw signerError("audit_chain_broken", text, { details: { index: verdict.index } });
}
