import { equalBytes } from "@countersign/bytes";
import type { CountersignError } from "@countersign/errors";
import { vaultError } from "../errors.ts";
import { decodeRow, encodeRow } from "../record/row.ts";
import type { RecordPlace, Sealer } from "../record/sealer.ts";
import type { VaultStore } from "../store/vault-store.ts";
import { type AuditHead, auditHash } from "./audit-entry.ts";
import { AUDIT_PREFIX, auditRow, verifyAuditChain } from "./verify-audit.ts";

/** Reads that other writers may spoil before the reader gives up. */
const READS_MAX = 8;

/** Sealed row that authenticates the chain's end: entries cannot be cut off without the data key. */
export const AUDIT_HEAD: RecordPlace = { kind: "audit-head", row: "audit-head" };

/** The chain's last entry with the row that seals it. */
export interface ChainEnd extends AuditHead {
  /** The sealed head as stored: the precondition that makes every transaction follow the one before. */
  readonly sealed: Uint8Array;
}

interface Chain {
  readonly store: VaultStore;
  readonly sealer: Sealer;
  readonly deploymentId: string;
  readonly nodeId: string;
}

/** Seals a chain's end for its row. */
export function sealHead(sealer: Sealer, { index, hash }: AuditHead): Uint8Array {
  return sealer.seal(AUDIT_HEAD, encodeRow({ index, hash }));
}

/** Reads the sealed head and checks that the chain ends exactly there. Raises `audit_broken` with the first bad index. */
export async function readChainEnd(options: Chain): Promise<ChainEnd> {
  const { store } = options;
  for (let reads = 0; reads < READS_MAX; reads++) {
    const end = await readSealedHead(options);
    const broken = await findBreak(options, end);
    if (broken === undefined) return end;
    // Another writer may have appended between the reads; then the head moved, and the chain is judged anew.
    const [sealed] = await store.read([AUDIT_HEAD.row]);
    if (sealed !== undefined && equalBytes(sealed, end.sealed)) throw broken;
  }
  throw vaultError("store_contended", "Other writers of this store never paused long enough to read the audit head.");
}

async function readSealedHead({ store, sealer }: Chain): Promise<ChainEnd> {
  const [sealed] = await store.read([AUDIT_HEAD.row]);
  if (sealed === undefined) throw brokenAt(0, "The sealed audit head is missing.");
  const row = decodeRow(sealer.open(AUDIT_HEAD, sealed));
  return { index: row.integer("index"), hash: row.bytes("hash"), sealed };
}

async function findBreak(options: Chain, head: AuditHead): Promise<CountersignError | undefined> {
  const { store, deploymentId, nodeId } = options;
  const [last] = await store.read([auditRow(head.index)]);
  if (last === undefined || !equalBytes(auditHash(last), head.hash)) {
    const verdict = await verifyAuditChain(store, { deploymentId, nodeId, head });
    if (verdict.kind === "broken") return brokenAt(verdict.index, verdict.reason);
    return brokenAt(head.index, "The store answers differently when asked twice for the last audit entry.");
  }
  const beyond = await store.list({ prefix: AUDIT_PREFIX, after: auditRow(head.index), limit: 1 });
  if (beyond.length > 0) return brokenAt(head.index + 1, "The audit log goes on after its sealed head.");
  return undefined;
}

function brokenAt(index: number, reason: string): CountersignError {
  return vaultError("audit_broken", reason, { details: { index } });
}
