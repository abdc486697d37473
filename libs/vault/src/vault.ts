import type { Secret } from "@countersign/bytes";
import { type AuditEntry, type AuditFields, type AuditHead, decodeAuditEntry } from "./audit/audit-entry.ts";
import { AUDIT_PREFIX, type AuditVerdict, auditRow, verifyAuditChain } from "./audit/verify-audit.ts";
import { vaultError } from "./errors.ts";
import { activate, drop, renounce, stage } from "./key-operations.ts";
import { KeyReader, type OpenedKey } from "./key-reader.ts";
import { checkKey, checkPart, type KeyFacts, type KeyRecord, sharePlace } from "./key-record.ts";
import { type After, Ledger } from "./ledger.ts";
import { openSealer, type VaultIdentity } from "./open-sealer.ts";
import type { Sealer } from "./record/sealer.ts";
import {
  begin,
  end,
  type GenerationStart,
  refuse,
  type SessionBegun,
  type SessionOutcome,
  type SigningStart,
} from "./session-operations.ts";
import { SessionPruning } from "./session-pruning.ts";
import type { VaultStore } from "./store/vault-store.ts";

const BOOT_ID_SIZE = 16;

/** What a vault is opened with. Store and KEK are taken over: `close` closes the store, also when opening fails. */
export interface VaultOptions extends VaultIdentity {
  /** Timer for outcomes that find no transaction to ride in. Default: `setTimeout`, which does not keep the process alive. */
  readonly after?: After;
}

/**
 * A node's memory: key shares, what sessions it accepted, and its audit chain. Every change is one synced transaction with its audit
 * entry, and a method that changes something resolves only once that is durable; when it rejects with an outage, whether
 * it happened is unknown, and nothing may be released on it. Errors: `vaultErrors`.
 */
export class Vault {
  readonly #store: VaultStore;
  readonly #sealer: Sealer;
  readonly #options: VaultOptions;
  readonly #ledger: Ledger;
  readonly #keys: KeyReader;
  readonly #bootId: string;
  #closing: Promise<void> | undefined;

  private constructor(options: VaultOptions, sealer: Sealer) {
    const { store, now, rng, deploymentId, nodeId, after = afterTimeout } = options;
    const pruning = new SessionPruning({ store, now });
    this.#store = store;
    this.#sealer = sealer;
    this.#options = options;
    this.#ledger = new Ledger({ store, sealer, deploymentId, nodeId, now, after, housekeeping: () => pruning.due() });
    this.#keys = new KeyReader({ store, sealer });
    this.#bootId = Buffer.from(rng(BOOT_ID_SIZE)).toString("hex");
  }

  /**
   * Opens the vault of a node, or makes it in an empty store, and checks that the audit chain ends where its sealed head says;
   * `verifyAudit` checks all of it. Raises `vault_foreign`, `kek_rejected`, `record_rejected`, `audit_broken`.
   */
  static async open(options: VaultOptions): Promise<Vault> {
    let sealer: Sealer | undefined;
    try {
      sealer = await openSealer(options);
      const vault = new Vault(options, sealer);
      await vault.#ledger.head();
      return vault;
    } catch (error) {
      sealer?.wipe();
      await options.store.close();
      throw error;
    }
  }

  /**
   * Accepts a session, before any protocol state or nonce exists: attempt, session id and audit entry `accepted` in one synced
   * transaction. Raises `session_replayed`, `session_expired`, `attempts_exhausted`, `share_exists`, `generation_running`,
   * `generation_limit`, and an outage when the audit entry cannot be synced.
   */
  async beginSession(start: SigningStart | GenerationStart): Promise<SessionBegun> {
    return this.#ledger.run(begin(start, { now: this.#options.now, bootId: this.#bootId }));
  }

  /**
   * Notes how a session ended, in the next transaction or within a second. Nothing waits for it: a crash may lose it, never the
   * entry `accepted`. Raises `store_overloaded` and `store_closed`.
   */
  recordOutcome(outcome: SessionOutcome): void {
    this.#ledger.defer(end(outcome));
  }

  /**
   * Notes a refused call, in the next transaction or within a second; a crash may lose it. Whoever calls bounds how many there are.
   * Raises `store_overloaded` and `store_closed`.
   */
  recordRefusal(fields: AuditFields): void {
    this.#ledger.defer(refuse(fields));
  }

  /**
   * Stores a share as staged; afterwards this node may send its acknowledgement, never before: an acknowledgement without a
   * durable share strands the group. Raises `session_renounced` and `share_exists`.
   */
  async stageKey(record: KeyRecord, acknowledgement: Uint8Array): Promise<void> {
    const { secret, ...key } = record;
    checkKey(key);
    checkPart(acknowledgement);
    const sealedShare = this.#seal(key, secret);
    await this.#ledger.run(stage({ ...key, acknowledgement, state: { kind: "staged" } }, sealedShare));
    this.#keys.forget(key.keyId);
  }

  /**
   * Makes a staged key active with the certificate that its caller verified. Repeating it changes nothing. Raises
   * `share_unknown` and `share_session_differs`.
   */
  async activateKey(keyId: string, sessionId: Uint8Array, certificate: Uint8Array): Promise<KeyFacts> {
    checkPart(certificate);
    const facts = await this.#ledger.run(activate({ keyId, sessionId }, certificate));
    this.#keys.forget(keyId);
    return facts;
  }

  /**
   * Erases a staged share whose certificate has become impossible (t other nodes renounced, so an honest one did). Repeating it
   * changes nothing. Raises `share_unknown`, `share_active` and `share_session_differs`.
   */
  async dropStagedKey(keyId: string, sessionId: Uint8Array): Promise<void> {
    await this.#ledger.run(drop({ keyId, sessionId }));
    this.#keys.forget(keyId);
  }

  /**
   * Promises never to stage a share of the key in that session; afterwards this node may sign its renunciation. Repeating it
   * changes nothing. Raises `share_staged` once this node staged in it, `share_active` when the key is active, and
   * `renunciation_limit` beyond 16 sessions of the key in an hour.
   */
  async renounce(keyId: string, sessionId: Uint8Array): Promise<void> {
    await this.#ledger.run(renounce({ keyId, sessionId }, this.#options.now()));
  }

  /** Everything about a key but its secret; undefined when this node holds no record. The last 4,096 used cost no read. */
  keyFacts(keyId: string): Promise<KeyFacts | undefined> {
    return this.#keys.facts(keyId);
  }

  /**
   * Opens an active key. The secret is the caller's own copy, to wipe after the session. The last 256 shares used stay opened in
   * memory, as exposed there as the data key is; one that falls out is wiped. Raises `share_unknown`, `share_not_active`.
   */
  openKey(keyId: string): Promise<OpenedKey> {
    return this.#keys.open(keyId);
  }

  /** Keys in the order of their ids, after the id `after`; `limit` 1..1,000. */
  keys(limit: number, after?: string): Promise<readonly KeyFacts[]> {
    return this.#keys.list(limit, after);
  }

  /** How many keys this node has records of, staged and active. */
  countKeys(): Promise<number> {
    return this.#keys.count();
  }

  /** The audit chain's durable end. */
  auditHead(): Promise<AuditHead> {
    return this.#ledger.head();
  }

  /** Entries from an index on, at most `limit` (1..1,000). Raises `audit_broken` at one that is no entry. */
  async auditEntries(range: { readonly from: number; readonly limit: number }): Promise<readonly AuditEntry[]> {
    const { from, limit } = range;
    const after = from === 0 ? {} : { after: auditRow(from - 1) };
    const rows = await this.#store.list({ prefix: AUDIT_PREFIX, ...after, limit });
    return rows.map(({ value }, position) => {
      const entry = decodeAuditEntry(value);
      const index = from + position;
      if (entry?.index !== index)
        throw vaultError("audit_broken", `Audit entry ${index} is missing or damaged.`, { details: { index } });
      return entry;
    });
  }

  /** Recomputes the whole chain up to its durable end, in slices that leave the event loop free. */
  async verifyAudit(options: { readonly signal?: AbortSignal } = {}): Promise<AuditVerdict> {
    const { deploymentId, nodeId } = this.#options;
    return verifyAuditChain(this.#store, { deploymentId, nodeId, head: await this.auditHead(), ...options });
  }

  /** Commits waiting outcomes, closes the store and wipes every key in memory. Rejects when the outcomes could not be written. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    try {
      await this.#ledger.close();
    } finally {
      await this.#store.close();
      this.#keys.wipe();
      this.#sealer.wipe();
    }
  }

  #seal(key: Omit<KeyRecord, "secret">, secret: Secret): Uint8Array {
    return this.#sealer.seal(sharePlace(key), secret.expose());
  }
}

const afterTimeout: After = (delayMs, run) => {
  const timer = setTimeout(run, delayMs).unref();
  return () => clearTimeout(timer);
};
