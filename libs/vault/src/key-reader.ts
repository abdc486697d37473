import { Secret } from "@countersign/bytes";
import { vaultError } from "./errors.ts";
import { decodeFacts, factsPlace, KEY_PREFIX, type KeyFacts, sharePlace } from "./key-record.ts";
import { LruCache } from "./lru-cache.ts";
import type { Sealer } from "./record/sealer.ts";
import type { VaultStore } from "./store/vault-store.ts";

/** Facts of a key are about a kilobyte. */
const FACTS_MAX = 4096;
/** Opened shares in memory: what a busy node signs with within minutes, and no more exposed than that. */
const SHARES_MAX = 256;

/** A key opened for signing. */
export interface OpenedKey {
  readonly facts: KeyFacts;
  /** A copy of the caller's own: wipe it when the session ends. */
  readonly secret: Secret;
}

/** Reads key records; keeps what was used last in memory, so that signing again with a key costs no read. */
export class KeyReader {
  readonly #store: VaultStore;
  readonly #sealer: Sealer;
  readonly #facts = new LruCache<KeyFacts>(FACTS_MAX);
  readonly #shares = new LruCache<Secret>(SHARES_MAX, (share) => share.wipe());
  /** Counts changes: what was read before one must not enter the cache after it. */
  #changes = 0;

  constructor(options: { readonly store: VaultStore; readonly sealer: Sealer }) {
    this.#store = options.store;
    this.#sealer = options.sealer;
  }

  /** Facts of a key, or undefined. Raises `record_rejected`. */
  async facts(keyId: string): Promise<KeyFacts | undefined> {
    const place = factsPlace(keyId);
    const cached = this.#facts.get(keyId);
    if (cached !== undefined) return cached;
    const changes = this.#changes;
    const [sealed] = await this.#store.read([place.row]);
    if (sealed === undefined) return undefined;
    const facts = decodeFacts(this.#sealer.open(place, sealed));
    if (changes === this.#changes) this.#facts.set(keyId, facts);
    return facts;
  }

  /** Opens an active key. Raises `share_unknown`, `share_not_active` and `record_rejected`. */
  async open(keyId: string): Promise<OpenedKey> {
    const facts = await this.facts(keyId);
    if (facts === undefined)
      throw vaultError("share_unknown", `This node holds no record of ${keyId}.`, { details: { keyId } });
    if (facts.state.kind !== "active")
      throw vaultError("share_not_active", `${keyId} is staged and not active.`, { details: { keyId } });
    const cached = this.#shares.get(keyId);
    if (cached !== undefined) return { facts, secret: new Secret(new Uint8Array(cached.expose())) };
    const changes = this.#changes;
    const place = sharePlace(facts);
    const [sealed] = await this.#store.read([place.row]);
    if (sealed === undefined)
      throw vaultError("record_rejected", `The share of ${keyId} is missing.`, { details: { row: place.row } });
    const share = this.#sealer.open(place, sealed);
    if (changes === this.#changes) this.#shares.set(keyId, new Secret(new Uint8Array(share)));
    return { facts, secret: new Secret(share) };
  }

  /** Keys in the order of their ids. */
  async list(limit: number, after: string | undefined): Promise<readonly KeyFacts[]> {
    const range = { prefix: KEY_PREFIX, limit, ...(after === undefined ? {} : { after: factsPlace(after).row }) };
    const rows = await this.#store.list(range);
    return rows.map(({ key, value }) =>
      decodeFacts(this.#sealer.open(factsPlace(key.slice(KEY_PREFIX.length)), value)),
    );
  }

  count(): Promise<number> {
    return this.#store.count(KEY_PREFIX);
  }

  /** Drops what is cached of a key whose record changed. */
  forget(keyId: string): void {
    this.#changes++;
    this.#facts.delete(keyId);
    this.#shares.delete(keyId);
  }

  /** Wipes every opened share. */
  wipe(): void {
    this.#changes++;
    this.#facts.clear();
    this.#shares.clear();
  }
}
