import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createKey, signRequest } from "@countersign/service-orchestrator";
import { randomMessage } from "./deployment.ts";
import { type InProcessNetwork, startInProcess } from "./in-process-network.ts";
import { type Plan, repeat } from "./plan.ts";
import type { RecordSamples, RowName } from "./rows.ts";

/** Signatures per sample of the count. */
const SIGNATURES_PER_SAMPLE = 20;
const CREATE_MS = 60_000;
const SIGN_MS = 10_000;

const KEY_ROWS: readonly RowName[] = ["store.bytes_per_key", "store.file_bytes_per_key"];
/** Rows of a store that are no key's: every other kind, also one that is still to come, counts as the key's. */
const OTHER_ROWS = ["audit/", "session/", "expiry/"];

/** Rows that need real stores. */
export const STORE_ROWS: readonly RowName[] = [...KEY_ROWS, "store.transactions_per_signature"];

/** Measures what keys and signatures leave behind, in the real stores of three signers that generate and sign for real. */
export async function measureStore(plan: Plan, record: RecordSamples): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), "countersign-bench-"));
  try {
    if (KEY_ROWS.some((row) => plan.wanted.has(row))) await measureKeys(plan, scratch, record);
    if (plan.wanted.has("store.transactions_per_signature"))
      record("store.transactions_per_signature", await transactionsPerSignature(plan, scratch));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Generates keys and records what they added to each node's store, by the number of keys: one sample per node. */
async function measureKeys(plan: Plan, scratch: string, record: RecordSamples): Promise<void> {
  const keys = plan.quick ? 10 : 50;
  const before = await contentsAfter(join(scratch, "empty"), async () => {});
  const after = await contentsAfter(join(scratch, "keys"), async (network) => {
    for (let k = 0; k < keys; k++) {
      plan.signal.throwIfAborted();
      await newKey(network);
    }
  });
  const perKey = (part: keyof Contents) => after.map((one, place) => (one[part] - (before[place]?.[part] ?? 0)) / keys);
  if (plan.wanted.has("store.bytes_per_key")) record("store.bytes_per_key", perKey("keyBytes"));
  if (plan.wanted.has("store.file_bytes_per_key")) record("store.file_bytes_per_key", perKey("fileBytes"));
}

/** What a closed store holds. */
interface Contents {
  /** Names and values of all rows but the audit chain's and those that are forgotten a day after their session. */
  readonly keyBytes: number;
  readonly fileBytes: number;
}

/** What the signers' stores hold after `use`, once everything waiting was written and the files are closed. */
async function contentsAfter(folder: string, use: (network: InProcessNetwork) => Promise<void>): Promise<Contents[]> {
  const paths = await withNetwork(folder, async (network) => {
    await use(network);
    return network.signers.map(({ storePath }) => storePath);
  });
  return Promise.all(paths.map(contentsOf));
}

async function contentsOf(path: string): Promise<Contents> {
  using database = new DatabaseSync(path, { readOnly: true });
  const others = OTHER_ROWS.map((prefix) => `key NOT LIKE '${prefix}%'`).join(" AND ");
  const sum = database.prepare(
    `SELECT sum(length(CAST(key AS BLOB)) + length(value)) AS bytes FROM record WHERE ${others}`,
  );
  return { keyBytes: Number(sum.get()?.["bytes"] ?? 0), fileBytes: (await stat(path)).size };
}

/** Each sample: transactions of all signers, by the signatures that each took part in. */
async function transactionsPerSignature(plan: Plan, scratch: string): Promise<readonly number[]> {
  return withNetwork(join(scratch, "signatures"), async (network) => {
    const keyId = await newKey(network);
    const { threshold } = network.deployment.descriptor;
    const total = () => network.signers.reduce((sum, signer) => sum + signer.transactions(), 0);
    return repeat(plan, plan.quick ? { runsMax: 3, msMax: 1_000 } : { runsMax: 10, msMax: 4_000 }, async () => {
      const before = total();
      for (let k = 0; k < SIGNATURES_PER_SAMPLE; k++) await sign(network, keyId);
      return (total() - before) / (SIGNATURES_PER_SAMPLE * threshold);
    });
  });
}

async function withNetwork<T>(folder: string, use: (network: InProcessNetwork) => Promise<T>): Promise<T> {
  await mkdir(folder);
  const network = await startInProcess(folder);
  try {
    return await use(network);
  } finally {
    await network.close();
  }
}

async function newKey({ deployment, orchestrator, keys }: InProcessNetwork): Promise<string> {
  const evidence = await deployment.approve("/keys", { scheme: "EdDSA", curve: "ed25519" });
  const limits = { signal: new AbortController().signal, deadlineMs: CREATE_MS };
  return (await createKey(orchestrator, keys, evidence, limits)).package.keyId;
}

async function sign({ deployment, orchestrator, keys }: InProcessNetwork, keyId: string): Promise<void> {
  const evidence = await deployment.approve(`/keys/${keyId}/signatures`, randomMessage());
  await signRequest(orchestrator, keys, evidence, { signal: new AbortController().signal, deadlineMs: SIGN_MS });
}
