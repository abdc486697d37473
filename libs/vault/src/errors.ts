import { type ErrorEntry, type ErrorTable, errorsOf } from "@countersign/errors";

const outage = (meaning: string): ErrorEntry => ({ kind: "outage", http: 503, grpc: "UNAVAILABLE", meaning });
const refusal = (http: number, grpc: ErrorEntry["grpc"], meaning: string): ErrorEntry => ({
  kind: "refusal",
  http,
  grpc,
  meaning,
});

/** Codes of the vault: keys that wrap keys, sealed records, the store, key records, sessions and the audit log. */
export const vaultErrors = {
  kek_file_invalid: outage("A key file is missing, not a regular file, or does not hold 32 bytes in hex."),
  kek_file_exposed: outage("A key file can be read or written by other users of the machine."),
  kek_parameters_invalid: outage(
    "The passphrase parameters file is missing, malformed, or weaker or costlier than allowed.",
  ),
  passphrase_wrong: outage("The passphrase does not fit its parameters file."),
  kek_rejected: outage("A wrapped key was damaged, or wrapped by another key or for another node or deployment."),
  record_rejected: outage("A sealed record was damaged, moved, or sealed for another node, deployment or key."),
  vault_foreign: outage("The store holds the vault of another node or deployment, or no vault of ours."),
  store_foreign: outage("The store's file is not a vault store."),
  store_version_unknown: outage("The store's file was written by another version of this software."),
  store_corrupt: outage("The store's file is damaged; restore it or repair the node."),
  store_locked: outage("Another process or instance has the store open."),
  store_not_durable: outage("The database does not confirm the settings that make a commit survive a power loss."),
  store_full: outage("The disk or the store's size limit is reached; nothing was written."),
  store_failed: outage(
    "The store's file cannot be read or written; after a failed sync only a restart tells what is durable.",
  ),
  store_stalled: outage("The disk did not answer in time; whether the write is durable is not known."),
  store_overloaded: outage("More writes wait for the disk than may wait."),
  store_contended: outage("Other writers of the same store won every race for this write."),
  store_closed: outage("The store or vault is closed."),
  audit_broken: outage("The audit log was edited, reordered or cut; details name the first bad index."),
  share_unknown: refusal(404, "NOT_FOUND", "This node holds no record of the key."),
  share_exists: refusal(409, "ALREADY_EXISTS", "This node already holds a record for the key or for its creation's C."),
  share_not_active: refusal(409, "FAILED_PRECONDITION", "The key is staged: no certificate has made it active yet."),
  share_active: refusal(409, "FAILED_PRECONDITION", "The key is active and can no longer be dropped as staged."),
  share_staged: refusal(409, "FAILED_PRECONDITION", "The node staged a share in that session and cannot renounce it."),
  share_session_differs: refusal(409, "FAILED_PRECONDITION", "The key was staged in another session."),
  session_renounced: refusal(409, "FAILED_PRECONDITION", "The node promised never to stage a share in that session."),
  session_replayed: refusal(409, "ALREADY_EXISTS", "A session of that id was accepted before."),
  session_expired: refusal(409, "FAILED_PRECONDITION", "The session's validity has passed on this node's clock."),
  attempts_exhausted: refusal(
    429,
    "RESOURCE_EXHAUSTED",
    "The attempts that one approval may cost this node are used up.",
  ),
  generation_running: refusal(409, "FAILED_PRECONDITION", "A generation of that key is running at this node."),
  renunciation_limit: refusal(
    429,
    "RESOURCE_EXHAUSTED",
    "The generation sessions that one key may give up in an hour are used up.",
  ),
  generation_limit: refusal(
    429,
    "RESOURCE_EXHAUSTED",
    "The generations that one key may start in an hour are used up.",
  ),
} as const satisfies ErrorTable;

export type VaultErrorCode = keyof typeof vaultErrors;

export const vaultError = errorsOf(vaultErrors);
