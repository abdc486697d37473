import { equalBytes, lengthPrefixed } from "@countersign/bytes";
import { auditGenesis, auditHash, encodeAuditEntry } from "./audit/audit-entry.ts";
import { AUDIT_HEAD, sealHead } from "./audit/chain-end.ts";
import { auditRow } from "./audit/verify-audit.ts";
import { vaultError } from "./errors.ts";
import type { KekProvider } from "./kek/kek-provider.ts";
import type { Rng } from "./kek/wrap.ts";
import { prepareAead } from "./record/aead.ts";
import { createDataKey, DATA_KEY_PREFIX, DATA_KEYS_MAX, unwrapDataKeys } from "./record/data-keys.ts";
import { type Sealer, sealer } from "./record/sealer.ts";
import type { VaultStore } from "./store/vault-store.ts";

/** Plain row that says whose vault this is, for a clear error; the seals are what enforces it. */
const IDENTITY_ROW = "vault";
const NAME_LENGTH_MAX = 128;

/** Whose vault, and what it is opened with. */
export interface VaultIdentity {
  readonly store: VaultStore;
  readonly kek: KekProvider;
  /** 1..128 characters. */
  readonly deploymentId: string;
  /** 1..128 characters. */
  readonly nodeId: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly rng: Rng;
}

/**
 * Unwraps the data keys of a store's vault; makes the vault first when the store is empty. Raises `vault_foreign` and
 * `kek_rejected`.
 */
export async function openSealer(options: VaultIdentity): Promise<Sealer> {
  const { store, kek, deploymentId, nodeId, rng } = options;
  await prepareAead();
  await requireOurs(options);
  const rows = await store.list({ prefix: DATA_KEY_PREFIX, limit: DATA_KEYS_MAX });
  return sealer({ deploymentId, nodeId, rng, dataKeys: await unwrapDataKeys({ kek, deploymentId, nodeId, rows }) });
}

async function requireOurs(options: VaultIdentity): Promise<void> {
  const { store, deploymentId, nodeId } = options;
  for (const name of [deploymentId, nodeId])
    if (name.length < 1 || name.length > NAME_LENGTH_MAX)
      throw vaultError("vault_foreign", `A deployment or node id has 1..${NAME_LENGTH_MAX} characters.`);
  const ours = lengthPrefixed("countersign/vault/v1", deploymentId, nodeId);
  const [found] = await store.read([IDENTITY_ROW]);
  if (found !== undefined) return requireSame(options, found, ours);
  await createVault(options, ours);
  // Of two that create at once one wins; the other reads what the winner made.
  const [created] = await store.read([IDENTITY_ROW]);
  requireSame(options, created, ours);
}

function requireSame({ nodeId, deploymentId }: VaultIdentity, found: Uint8Array | undefined, ours: Uint8Array): void {
  if (found === undefined || !equalBytes(found, ours))
    throw vaultError(
      "vault_foreign",
      `The store does not hold the vault of node ${nodeId} in deployment ${deploymentId}.`,
    );
}

/** One transaction: identity, first data key, first audit entry and its sealed head. A store with anything in it is left alone. */
async function createVault(options: VaultIdentity, identity: Uint8Array): Promise<void> {
  const { store, kek, deploymentId, nodeId, rng, now } = options;
  if ((await store.list({ prefix: "", limit: 1 })).length > 0) return;
  const dataKeyRow = await createDataKey({ kek, deploymentId, nodeId, rng });
  const dataKeys = await unwrapDataKeys({ kek, deploymentId, nodeId, rows: [dataKeyRow] });
  const seal = sealer({ deploymentId, nodeId, rng, dataKeys });
  const entry = encodeAuditEntry({
    index: 0,
    time: now(),
    kind: "vault-created",
    fields: { deployment: deploymentId, node: nodeId, kek: kek.kind },
    prevHash: auditGenesis(deploymentId, nodeId),
  });
  const head = sealHead(seal, { index: 0, hash: auditHash(entry) });
  seal.wipe();
  await store.commit({
    require: [IDENTITY_ROW, AUDIT_HEAD.row, dataKeyRow.key].map((key) => ({ key, value: undefined })),
    write: [
      { key: IDENTITY_ROW, value: identity },
      dataKeyRow,
      { key: auditRow(0), value: entry },
      { key: AUDIT_HEAD.row, value: head },
    ],
  });
}
