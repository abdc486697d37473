import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { RealNetwork } from "./real-network.ts";

const SIGNER = fileURLToPath(new URL("../../services/signer/src/main.ts", import.meta.url));
/** A signer that cannot start says so within a second or two; one that waits for ever is a failure of its own. */
const START_MS_MAX = 30_000;

/** A copy of a node's folder to be damaged. */
interface NodeCopy {
  readonly file: (name: string) => string;
  /** Changes the signer's settings. */
  readonly set: (changes: object) => void;
}

/** What is broken, with the code that the signer ends with and its exit code. */
export interface Damage {
  readonly what: string;
  readonly code: string;
  readonly exit: number;
  readonly inflict: (copy: NodeCopy) => void;
}

/** How a signer's start ended. */
export interface FailedStart {
  readonly exit: number | null;
  readonly said: string;
  /** Files that the failed start changed, made or removed. */
  readonly changed: readonly string[];
}

/** Ways in which a node's folder is unusable; `another` is the folder of another node of the network. */
export function damages(another: string): Damage[] {
  const overwrite = (name: string, content: string) => (copy: NodeCopy) => writeFileSync(copy.file(name), content);
  const swap = (name: string) => (copy: NodeCopy) => cpSync(join(another, name), copy.file(name));
  const expose = (name: string) => (copy: NodeCopy) => chmodSync(copy.file(name), 0o644);
  return [
    { what: "settings with an unknown member", code: "config_invalid", exit: 2, inflict: ({ set }) => set({ x: 1 }) },
    {
      what: "a cut descriptor",
      code: "encoding_invalid",
      exit: 2,
      inflict: overwrite("descriptor.json", '{"version":'),
    },
    {
      what: "a descriptor of nothing",
      code: "descriptor_invalid",
      exit: 2,
      inflict: overwrite("descriptor.json", "{}"),
    },
    { what: "a seed that is none", code: "encoding_invalid", exit: 2, inflict: overwrite("identity.seed", "not hex") },
    { what: "another node's seed", code: "node_identity_differs", exit: 2, inflict: swap("identity.seed") },
    { what: "a seed for all to read", code: "file_exposed", exit: 2, inflict: expose("identity.seed") },
    { what: "a key-encryption key that is none", code: "kek_file_invalid", exit: 1, inflict: overwrite("kek", "00") },
    { what: "another node's key-encryption key", code: "kek_rejected", exit: 1, inflict: swap("kek") },
    { what: "a key-encryption key for all to read", code: "kek_file_exposed", exit: 1, inflict: expose("kek") },
    {
      what: "a store of noise",
      code: "store_foreign",
      exit: 1,
      inflict: overwrite("store/signer.sqlite", "x".repeat(9_000)),
    },
    {
      what: "a cut store",
      code: "store_corrupt",
      exit: 1,
      inflict: (copy) => truncateSync(copy.file("store/signer.sqlite"), 5_000),
    },
    { what: "another node's store", code: "vault_foreign", exit: 1, inflict: swap("store/signer.sqlite") },
    {
      what: "no store where there was one",
      code: "store_lost",
      exit: 2,
      inflict: (copy) => rmSync(copy.file("store"), { recursive: true }),
    },
  ];
}

/** Starts the signer on a damaged copy of a stopped node's folder and waits for its end. */
export async function startDamaged(network: RealNetwork, nodeId: string, { inflict }: Damage): Promise<FailedStart> {
  const folder = mkdtempSync(join(tmpdir(), "countersign-damaged-"));
  try {
    const file = (name: string) => join(folder, name);
    cpSync(join(network.data, "nodes", nodeId), folder, { recursive: true });
    cpSync(join(network.data, "descriptor.json"), file("descriptor.json"));
    const set = (changes: object) => {
      const settings: Record<string, unknown> = JSON.parse(readFileSync(file("signer.json"), "utf8"));
      writeFileSync(file("signer.json"), JSON.stringify({ ...settings, ...changes }));
    };
    const settings = readFileSync(file("signer.json"), "utf8");
    writeFileSync(file("signer.json"), settings.replaceAll(join(network.data, "nodes", nodeId), folder));
    set({ descriptor: file("descriptor.json"), listen: { host: "127.0.0.1", port: 0 } });
    inflict({ file, set });

    const before = fingerprints(folder);
    const ended = await run(file("signer.json"));
    const after = fingerprints(folder);
    const names = new Set([...before.keys(), ...after.keys()]);
    return { ...ended, changed: [...names].filter((name) => before.get(name) !== after.get(name)) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function run(settings: string): Promise<{ exit: number | null; said: string }> {
  const child = spawn(process.execPath, [SIGNER, "--config", settings], {
    cwd: "/",
    env: { PATH: process.env["PATH"] },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: START_MS_MAX,
    killSignal: "SIGKILL",
  });
  const { promise, resolve } = Promise.withResolvers<number | null>();
  child.once("exit", resolve);
  const [exit, out, notes] = await Promise.all([promise, text(child.stdout), text(child.stderr)]);
  return { exit, said: out + notes };
}

function fingerprints(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files.map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      return [path.slice(folder.length + 1), createHash("sha256").update(readFileSync(path)).digest("hex")];
    }),
  );
}
