import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { access, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { hex, Secret, utf8 } from "@countersign/bytes";
import { createNatsKey, type NatsKey, NodeIdentity } from "@countersign/mesh";
import { TestNatsServer } from "@countersign/mesh/testing";
import { SignerService } from "@countersign/proto/signer";
import { rpcClient, type TlsMaterial } from "@countersign/rpc";
import { type Authority, createAuthority } from "@countersign/rpc/testing";
import { createLog, TaskGroup } from "@countersign/runtime";
import { createFileKek } from "@countersign/vault";
import type { SignerConfig } from "./config.ts";
import { startSigner } from "./start-signer.ts";

const deploymentId = "dep-test";
const NODES = ["node-1", "node-2"];

let folder: string;
let nats: TestNatsServer;
let authority: Authority;
let natsKeys: NatsKey[];
const seeds = NODES.map(() => new Uint8Array(randomBytes(32)));
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "countersign-signer-"));
  authority = await createAuthority();
  natsKeys = NODES.map(() => createNatsKey());
  const nodes = NODES.map((id, place) => ({ id, natsKey: natsKeys[place]?.publicKey ?? "" }));
  nats = await TestNatsServer.start({ deploymentId, nodes, orchestrators: [] });
});
after(async () => {
  await nats[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** Writes everything a signer reads into a fresh folder. */
async function configure(
  change: { readonly seed?: Uint8Array; readonly certificateOf?: string } = {},
): Promise<SignerConfig> {
  const home = await mkdtemp(join(folder, "node-"));
  const file = async (name: string, content: string | Uint8Array) => {
    await writeFile(join(home, name), content, { mode: 0o600 });
    return join(home, name);
  };
  const name = change.certificateOf ?? "node-1";
  const { ca, certificate, key } = await authority.issue({ deploymentId, role: "signer", name });
  await createFileKek(join(home, "kek"));
  return {
    nodeId: "node-1",
    descriptor: await file("descriptor.json", descriptorFile()),
    identitySeed: await file("identity.seed", hex(change.seed ?? seeds[0] ?? new Uint8Array(0))),
    nats: { servers: [nats.url], seed: await file("nats.seed", natsKeys[0]?.seed.expose() ?? "") },
    listen: { host: "127.0.0.1", port: 0 },
    tls: {
      ca: await file("ca.pem", ca),
      certificate: await file("certificate.pem", certificate),
      key: await file("key.pem", key),
    },
    store: join(home, "store.sqlite"),
    kek: { provider: "file", path: join(home, "kek") },
  };
}

function descriptorFile(): Uint8Array {
  const publicKey = (seed: Uint8Array) => hex(new NodeIdentity(new Secret(seed.slice())).publicKey);
  const spki = Buffer.concat([
    Buffer.from("302a300506032b6570032100", "hex"),
    new NodeIdentity(new Secret(new Uint8Array(32).fill(1))).publicKey,
  ]);
  return utf8(
    JSON.stringify({
      version: 1,
      deploymentId,
      threshold: 2,
      nodes: NODES.map((id, place) => ({
        index: place + 1,
        id,
        region: `region-${place + 1}`,
        identityKey: publicKey(seeds[place] ?? new Uint8Array(32)),
        natsKey: natsKeys[place]?.publicKey,
      })),
      operators: NODES.map((nodeId, place) => ({ nodeId, publicKey: publicKey(new Uint8Array(32).fill(place + 2)) })),
      organisation: { name: "Test", credentialKey: spki.toString("base64url") },
    }),
  );
}

/** Runs a signer for as long as `work` takes. */
async function running<T>(
  config: SignerConfig,
  work: (address: string) => Promise<T>,
  signal = new AbortController().signal,
): Promise<T> {
  const failures: unknown[] = [];
  const tasks = new TaskGroup((error) => failures.push(error));
  const log = createLog({ name: "signer", level: "fatal" });
  const service = await startSigner(config, { log, tasks, signal });
  try {
    return await work(service.address ?? "");
  } finally {
    await service.close({ graceMs: 1_000 });
    await tasks.close({ graceMs: 1_000 });
    assert.deepEqual(failures, []);
  }
}

function statusOver(address: string, tls: TlsMaterial, name = "node-1") {
  const client = rpcClient(SignerService, { address, tls, server: { deploymentId, role: "signer", name } });
  return client.status({}).finally(() => client.close());
}

function orchestratorTls(): Promise<TlsMaterial> {
  return authority.issue({ deploymentId, role: "orchestrator", name: "orchestrator-1" });
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

test("a signer starts from nothing, tells its status, and starts again on what it left", async () => {
  const config = await configure();
  const tls = await orchestratorTls();

  const first = await running(config, (address) => statusOver(address, tls));
  const second = await running(config, (address) => statusOver(address, tls));

  assert.equal(first.nodeId, "node-1");
  assert.equal(first.auditLength, 1n);
  assert.deepEqual(second.auditHead, first.auditHead);
  assert.match(await readFile(`${config.store}.mark`, "utf8"), /^vault of node-1, made at \d+\n$/);
});

/** A bus that speaks TLS alone, with a certificate of the given authority. */
async function tlsBus(of: Authority): Promise<TestNatsServer> {
  const home = await mkdtemp(join(folder, "bus-"));
  const material = await of.issue({ deploymentId, role: "operator", name: "bus" });
  const files = { certificate: join(home, "certificate"), key: join(home, "key"), ca: join(home, "ca") };
  for (const name of ["certificate", "key", "ca"] as const) await writeFile(files[name], material[name]);
  const nodes = NODES.map((id, place) => ({ id, natsKey: natsKeys[place]?.publicKey ?? "" }));
  return TestNatsServer.start({ deploymentId, nodes, orchestrators: [], tls: files });
}

test("a signer whose bus is configured with TLS speaks to a server of that authority", async () => {
  await using bus = await tlsBus(authority);
  const config = await configure();
  const tls = await orchestratorTls();

  const status = await running(
    { ...config, nats: { ...config.nats, servers: [bus.url], tls: config.tls } },
    (address) => statusOver(address, tls),
  );

  assert.equal(status.nodeId, "node-1");
});

test("a bus of another authority, without TLS where it is configured, or with it where it is not, is not spoken to", async () => {
  await using foreign = await tlsBus(await createAuthority());
  await using own = await tlsBus(authority);
  const config = await configure();
  const { tls } = config;
  const cases = { foreign: { url: foreign.url, tls }, plain: { url: nats.url, tls }, surprising: { url: own.url } };

  for (const [name, { url, ...use }] of Object.entries(cases))
    await assert.rejects(
      running(
        { ...config, nats: { ...config.nats, servers: [url], ...use } },
        async () => {},
        AbortSignal.timeout(1_000),
      ),
      { code: "wire_unreachable" },
      name,
    );
});

test("a seed that is not the pinned one's is refused before a store is made", async () => {
  const config = await configure({ seed: new Uint8Array(32).fill(9) });

  await assert.rejects(
    running(config, async () => {}),
    { code: "node_identity_differs", message: /The identity seed is not that of node-1/ },
  );
  assert.equal(await exists(config.store), false);
});

test("a node that the descriptor does not have is refused", async () => {
  await assert.rejects(
    running({ ...(await configure()), nodeId: "node-9" }, async () => {}),
    { code: "node_unknown" },
  );
});

test("another node's certificate is refused, and the store is free afterwards", async () => {
  const config = await configure({ certificateOf: "node-2" });

  await assert.rejects(
    running(config, async () => {}),
    { code: "rpc_certificate_invalid" },
  );

  const own = await configure();
  const tls = await orchestratorTls();
  const { nodeId } = await running({ ...own, store: config.store, kek: config.kek }, (at) => statusOver(at, tls));
  assert.equal(nodeId, "node-1");
});

test("requests above 512 KiB are refused before anyone reads them", async () => {
  const tls = await orchestratorTls();

  await running(await configure(), async (address) => {
    const server = { deploymentId, role: "signer", name: "node-1" } as const;
    const client = rpcClient(SignerService, { address, tls, server });
    try {
      const evidence = (size: number) => ({ evidence: { payload: "x".repeat(size) } });
      await assert.rejects(client.sign(evidence(524_288)), { code: "rpc_too_large" });
      await assert.rejects(client.sign(evidence(500_000)), { code: "message_malformed" });
    } finally {
      client.close();
    }
  });
});

test("an edited audit log keeps the signer from starting, with the place of the break", async () => {
  const config = await configure();
  const tls = await orchestratorTls();
  await running(config, (address) =>
    Promise.all(
      Array.from({ length: 3 }, () => {
        const server = { deploymentId, role: "signer", name: "node-1" } as const;
        const client = rpcClient(SignerService, { address, tls, server });
        const refused = assert.rejects(client.keyState({ keyId: "no id" }), { code: "key_id_malformed" });
        return refused.finally(() => client.close());
      }),
    ),
  );
  const store = new DatabaseSync(config.store);
  const table = store.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
  const changed = editEntry(store, table);
  store.close();

  await assert.rejects(
    running(config, async () => {}),
    (error: { code?: string; message?: string }) =>
      error.code === "audit_chain_broken" && /entry 1 is broken.*Nothing was changed/s.test(error.message ?? ""),
  );
  assert.equal(changed, 1);
});

/** Changes the time in audit entry 1 as an intruder with the disk would; gives how many rows that was. */
function editEntry(store: DatabaseSync, tables: readonly Record<string, unknown>[]): number {
  const name = "audit/0000000000000001";
  let changed = 0;
  for (const { name: table } of tables) {
    const columns = store.prepare(`SELECT name FROM pragma_table_info('${table}')`).all();
    if (!columns.some((column) => column["name"] === "value")) continue;
    const row = store.prepare(`SELECT value FROM "${table}" WHERE key = ?`).get(name);
    if (row === undefined) continue;
    const text = Buffer.from(row["value"] as Uint8Array).toString();
    const edited = Buffer.from(text.replace(/"time":\d/, '"time":9'));
    changed += Number(store.prepare(`UPDATE "${table}" SET value = ? WHERE key = ?`).run(edited, name).changes);
  }
  return changed;
}

test("a store that is gone, or was made anew, keeps the signer from starting until someone decides", async () => {
  const config = await configure();
  const mark = join(folder, "elsewhere.mark");
  const marked = { ...config, storeMark: mark };
  await running(marked, async () => {});
  await rm(config.store);

  const lost = { code: "store_lost", message: new RegExp(`node-1 had a vault before[\\s\\S]*${mark}`) };
  await assert.rejects(
    running(marked, async () => {}),
    lost,
  );
  assert.equal(await exists(config.store), false, "nothing was made");

  await running({ ...config, storeMark: join(folder, "other.mark") }, async () => {});
  await assert.rejects(
    running(marked, async () => {}),
    lost,
  );

  await rm(mark);
  await running(marked, async () => {});
});
