import { equalBytes } from "@countersign/bytes";
import type { VaultStore } from "../store/vault-store.ts";
import { type AuditHead, auditGenesis, auditHash, decodeAuditEntry } from "./audit-entry.ts";

/** Store keys of audit entries; the index follows as 16 hex digits, so that key order is chain order. */
export const AUDIT_PREFIX = "audit/";
/** Entries hashed between two turns of the event loop: about a millisecond. */
const PAGE_ENTRIES = 128;

/** What a walk over the chain found. `index` is the first entry that does not fit its neighbours or its place. */
export type AuditVerdict =
  | { readonly kind: "intact"; readonly head: AuditHead }
  | { readonly kind: "broken"; readonly index: number; readonly reason: string };

/** Store key of an entry. */
export function auditRow(index: number): string {
  return AUDIT_PREFIX + index.toString(16).padStart(16, "0");
}

/**
 * Recomputes a node's whole chain up to an authenticated head. Entries beyond the head are not looked at: they may be newer than
 * the head the caller holds. What a rollback of the whole store hides, only heads that peers remember reveal.
 */
export async function verifyAuditChain(
  store: VaultStore,
  options: {
    readonly deploymentId: string;
    readonly nodeId: string;
    readonly head: AuditHead;
    readonly signal?: AbortSignal;
  },
): Promise<AuditVerdict> {
  const { deploymentId, nodeId, head, signal } = options;
  let prevHash = auditGenesis(deploymentId, nodeId);
  let index = 0;
  while (index <= head.index) {
    signal?.throwIfAborted();
    const after = index === 0 ? {} : { after: auditRow(index - 1) };
    const limit = Math.min(PAGE_ENTRIES, head.index - index + 1);
    const rows = await store.list({ prefix: AUDIT_PREFIX, ...after, limit });
    if (rows.length === 0) return broken(index, "it is missing, and all after it");
    for (const { key, value } of rows) {
      const entry = decodeAuditEntry(value);
      if (key !== auditRow(index)) return broken(index, "it is missing");
      if (entry === undefined) return broken(index, "it is not an encoded entry");
      if (entry.index !== index) return broken(index, `it says to be entry ${entry.index}`);
      const hash = auditHash(value);
      if (!equalBytes(entry.prevHash, prevHash)) return brokenLink(store, { index, hash, head });
      prevHash = hash;
      index++;
    }
  }
  // A chain rewritten from some entry on is consistent in itself; only the sealed head tells.
  if (!equalBytes(prevHash, head.hash)) return broken(head.index, "its hash is not the one that the sealed head names");
  return { kind: "intact", head };
}

/** Two entries that do not fit: the earlier one was edited when the later one is what its own successor names. */
async function brokenLink(
  store: VaultStore,
  link: { readonly index: number; readonly hash: Uint8Array; readonly head: AuditHead },
): Promise<AuditVerdict> {
  const { index, hash, head } = link;
  const [next] = index < head.index ? await store.read([auditRow(index + 1)]) : [];
  const named = index === head.index ? head.hash : next && decodeAuditEntry(next)?.prevHash;
  if (index > 0 && named !== undefined && equalBytes(named, hash))
    return broken(index - 1, "it is not the entry that the one after it names");
  return broken(index, "it does not follow the entry before it");
}

function broken(index: number, reason: string): AuditVerdict {
  return { kind: "broken", index, reason: `Audit entry ${index} is broken: ${reason}.` };
}
