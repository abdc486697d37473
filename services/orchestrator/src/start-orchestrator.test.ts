import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { hex, Secret, utf8 } from "@countersign/bytes";
import { createNatsKey, NodeIdentity } from "@countersign/mesh";
import { TestNatsServer } from "@countersign/mesh/testing";
import { OrchestratorService } from "@countersign/proto/orchestrator";
import { rpcClient } from "@countersign/rpc";
import { type Authority, createAuthority } from "@countersign/rpc/testing";
import { createLog, TaskGroup } from "@countersign/runtime";
import type { OrchestratorConfig } from "./config.ts";
import { startOrchestrator } from "./start-orchestrator.ts";

const deploymentId = "dep-test";
const NODES = ["node-1", "node-2"].map((id) => ({ id, natsKey: createNatsKey().publicKey }));
const natsKey = createNatsKey();

let folder: string;
let nats: TestNatsServer;
let authority: Authority;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "countersign-orchestrator-"));
  authority = await createAuthority();
  const orchestrators = [{ name: "orchestrator-1", natsKey: natsKey.publicKey }];
  nats = await TestNatsServer.start({ deploymentId, nodes: NODES, orchestrators });
});
after(async () => {
  await nats[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function configure(certificateOf = "orchestrator-1"): Promise<OrchestratorConfig> {
  const home = await mkdtemp(join(folder, "orchestrator-"));
  const file = async (name: string, content: string | Uint8Array) => {
    await writeFile(join(home, name), content, { mode: 0o600 });
    return join(home, name);
  };
  const { ca, certificate, key } = await authority.issue({ deploymentId, role: "orchestrator", name: certificateOf });
  return {
    name: "orchestrator-1",
    descriptor: await file("descriptor.json", descriptorFile()),
    nats: { servers: [nats.url], seed: await file("nats.seed", natsKey.seed.expose()) },
    listen: { host: "127.0.0.1", port: 0 },
    tls: {
      ca: await file("ca.pem", ca),
      certificate: await file("certificate.pem", certificate),
      key: await file("key.pem", key),
    },
    // Nobody listens there: an orchestrator starts without its signers.
    signers: NODES.map(({ id }) => ({ nodeId: id, address: "127.0.0.1:1" })),
    coordination: "memory://",
  };
}

function descriptorFile(): Uint8Array {
  const publicKey = () => new NodeIdentity(new Secret(new Uint8Array(randomBytes(32)))).publicKey;
  const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), publicKey()]);
  return utf8(
    JSON.stringify({
      version: 1,
      deploymentId,
      threshold: 2,
      nodes: NODES.map((node, place) => ({
        ...node,
        index: place + 1,
        region: `region-${place + 1}`,
        identityKey: hex(publicKey()),
      })),
      operators: NODES.map(({ id }) => ({ nodeId: id, publicKey: hex(publicKey()) })),
      organisation: { name: "Test", credentialKey: spki.toString("base64url") },
    }),
  );
}

async function running<T>(
  config: OrchestratorConfig,
  work: (address: string) => Promise<T>,
  signal = new AbortController().signal,
): Promise<T> {
  const tasks = new TaskGroup(() => {});
  const log = createLog({ name: "orchestrator", level: "fatal" });
  const service = await startOrchestrator(config, { log, tasks, signal });
  try {
    return await work(service.address ?? "");
  } finally {
    await service.close({ graceMs: 1_000 });
  }
}

test("an orchestrator starts without its signers and says that it sees none", async () => {
  const tls = await authority.issue({ deploymentId, role: "api", name: "api-1" });

  const status = await running(await configure(), (address) => {
    const server = { deploymentId, role: "orchestrator", name: "orchestrator-1" } as const;
    const client = rpcClient(OrchestratorService, { address, tls, server });
    return client.status({}).finally(() => client.close());
  });

  assert.equal(status.threshold, 2);
  assert.deepEqual(
    status.nodes.map(({ nodeId, present }) => [nodeId, present]),
    [
      ["node-1", false],
      ["node-2", false],
    ],
  );
});

test("an orchestrator whose bus is configured with TLS speaks to a server of that authority and to no other", async () => {
  const config = await configure();
  const servers = await Promise.all([authority, await createAuthority()].map(tlsBus));
  try {
    const [own, foreign] = servers.map(({ url }) => ({
      ...config,
      nats: { ...config.nats, servers: [url], tls: config.tls },
    }));
    assert.ok(own !== undefined && foreign !== undefined);
    assert.match(await running(own, async (address) => address), /^127\.0\.0\.1:\d+$/);
    await assert.rejects(
      running(foreign, async () => {}, AbortSignal.timeout(1_000)),
      { code: "wire_unreachable" },
    );
  } finally {
    for (const server of servers) await server[Symbol.asyncDispose]();
  }
});

/** A bus that speaks TLS alone, with a certificate of the given authority. */
async function tlsBus(of: Authority): Promise<TestNatsServer> {
  const home = await mkdtemp(join(folder, "bus-"));
  const material = await of.issue({ deploymentId, role: "operator", name: "bus" });
  const files = { certificate: join(home, "certificate"), key: join(home, "key"), ca: join(home, "ca") };
  for (const name of ["certificate", "key", "ca"] as const) await writeFile(files[name], material[name]);
  const orchestrators = [{ name: "orchestrator-1", natsKey: natsKey.publicKey }];
  return TestNatsServer.start({ deploymentId, nodes: NODES, orchestrators, tls: files });
}

test("another orchestrator's certificate is refused", async () => {
  await assert.rejects(
    running(await configure("orchestrator-2"), async () => {}),
    { code: "rpc_certificate_invalid" },
  );
});

test("a configuration without an address for a node is refused, and names it", async () => {
  const config = await configure();

  await assert.rejects(
    running({ ...config, signers: config.signers.slice(0, 1) }, async () => {}),
    { code: "signers_incomplete", message: /no address for node node-2/ },
  );
});

test("evidence larger than any request's is refused before anyone reads it", async () => {
  const tls = await authority.issue({ deploymentId, role: "api", name: "api-1" });

  await running(await configure(), async (address) => {
    const server = { deploymentId, role: "orchestrator" } as const;
    const client = rpcClient(OrchestratorService, { address, tls, server });
    try {
      await assert.rejects(client.sign({ evidence: { payload: "x".repeat(524_288) } }), { code: "rpc_too_large" });
    } finally {
      client.close();
    }
  });
});
