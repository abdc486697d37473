import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { Secret, sha256, utf8 } from "@countersign/bytes";
import { createFileKek, fileKek } from "../kek/file-kek.ts";
import type { KekProvider } from "../kek/kek-provider.ts";
import type { KeyRecord } from "../key-record.ts";
import type { GenerationStart, SigningStart } from "../session-operations.ts";
import { type MemoryStore, memoryStore } from "../store/memory-store.ts";
import { openSqliteStore } from "../store/sqlite-store.ts";
import type { VaultStore } from "../store/vault-store.ts";
import { Vault, type VaultOptions } from "../vault.ts";
import { inTemporaryFolder } from "./temporary-folder.ts";

/** A place for vaults: a folder, a KEK, and a clock and timers that the test moves. */
export interface VaultFixture {
  readonly folder: string;
  readonly kek: KekProvider;
  /** Milliseconds since 1970. */
  readonly clock: { ms: number };
  /** Timers that wait, in the order they were started. */
  readonly timers: Set<() => void>;
  /** Opens a vault of node `node-1` in deployment `dep-1`; the fixture closes it. */
  open(store: VaultStore, options?: Partial<VaultOptions>): Promise<Vault>;
}

/** Runs a test with a fixture and closes every vault it opened, also when the test fails. */
export function withVaults(body: (fixture: VaultFixture) => Promise<void>): Promise<void> {
  return inTemporaryFolder(async (folder) => {
    const path = join(folder, "kek");
    await createFileKek(path);
    const opened: Vault[] = [];
    const clock = { ms: 1_767_225_600_000 };
    const timers = new Set<() => void>();
    const kek = await fileKek({ path });
    const after = (_delayMs: number, run: () => void) => {
      const timer = () => {
        timers.delete(timer);
        run();
      };
      timers.add(timer);
      return () => timers.delete(timer);
    };
    const open = async (store: VaultStore, options: Partial<VaultOptions> = {}) => {
      const ids = { deploymentId: "dep-1", nodeId: "node-1" };
      const vault = await Vault.open({ store, kek, ...ids, now: () => clock.ms, rng: randomBytes, after, ...options });
      opened.push(vault);
      return vault;
    };
    const fixture = { folder, kek, clock, timers, open };
    try {
      await body(fixture);
    } finally {
      // A test that broke its store on purpose cannot flush it.
      for (const vault of opened) await vault.close().catch(() => undefined);
    }
  });
}

/** A store that outlives the vault that closes it: `open` gives the same rows again. */
export interface Disk {
  readonly name: string;
  open(fixture: VaultFixture): Promise<VaultStore>;
}

/** Both kinds of disk, for tests that every store must pass; each fixture has one of its own. */
export function disks(): readonly Disk[] {
  const memories = new WeakMap<VaultFixture, MemoryStore>();
  return [
    {
      name: "memory",
      async open(fixture) {
        const last = memories.get(fixture);
        const store = memoryStore(last === undefined ? {} : { rows: last.durableRows() });
        memories.set(fixture, store);
        return store;
      },
    },
    { name: "SQLite", open: ({ folder }) => openSqliteStore({ path: join(folder, "store.sqlite") }) },
  ];
}

/** 32 bytes that a test names. */
export function bytes32(name: string): Uint8Array {
  return sha256(utf8(name));
}

/** A signing session as a test names it: its own C unless given, valid for four minutes. */
export function signing(name: string, fixture: VaultFixture, change: Partial<SigningStart> = {}): SigningStart {
  const { ms } = fixture.clock;
  const audit = { evidence: "ab", keyId: "key-1" };
  return {
    kind: "sign",
    sessionId: bytes32(name),
    c: bytes32(`c of ${name}`),
    attemptsMax: 3,
    expiresAt: ms + 240_000,
    audit,
    ...change,
  };
}

/** A generation session of `key-1` as a test names it, with a deadline in a minute. */
export function generating(
  name: string,
  fixture: VaultFixture,
  change: Partial<GenerationStart> = {},
): GenerationStart {
  const { ms } = fixture.clock;
  const named = { keyId: "key-1", c: bytes32("c of key-1"), sessionId: bytes32(name) };
  return { kind: "generate", ...named, expiresAt: ms + 60_000, audit: { evidence: "ab" }, ...change };
}

/** A key record as a test names it. */
export function keyRecord(keyId: string, change: Partial<KeyRecord> = {}): KeyRecord {
  return {
    keyId,
    c: bytes32(`c of ${keyId}`),
    owner: "or-1",
    purpose: "wallet",
    suite: "FROST-ED25519-SHA512-v1",
    epoch: 0,
    sessionId: bytes32(`session of ${keyId}`),
    publicPart: utf8(`public part of ${keyId}`),
    secret: new Secret(bytes32(`share of ${keyId}`)),
    ...change,
  };
}

/** The code of the error that a promise rejects with. */
export async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    assert(
      error instanceof Error && "code" in error && typeof error.code === "string",
      `An error with a code, not ${error}.`,
    );
    return error.code;
  }
}
