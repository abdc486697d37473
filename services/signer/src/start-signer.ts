import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { apply, type Descriptor, parseDescriptor, sessionHeads } from "@countersign/authority";
import { decodeHex, decodeUtf8, Secret } from "@countersign/bytes";
import { connectMesh, connectNats, identityBook, NodeIdentity, systemClock } from "@countersign/mesh";
import { SignerService } from "@countersign/proto/signer";
import { implement, serveRpc } from "@countersign/rpc";
import { type RunningService, readSecret, readTls, type ServiceTools } from "@countersign/runtime";
import { prepareCurves } from "@countersign/threshold";
import { fileKek, type KekProvider, openSqliteStore, passphraseKek, Vault } from "@countersign/vault";
import type { SignerConfig } from "./config.ts";
import { signerError } from "./errors.ts";
import type { SignerNode } from "./node.ts";
import { signerCalls } from "./server.ts";
import { Sessions } from "./sessions.ts";

const rng = (size: number): Uint8Array => new Uint8Array(randomBytes(size));

/** Starts a signer: curves and vault first, because nothing may be promised to anyone without them; then the bus, then gRPC. */
export async function startSigner(config: SignerConfig, tools: ServiceTools): Promise<RunningService> {
  const { log, signal } = tools;
  await prepareCurves(rng);
  const descriptor = parseDescriptor(new Uint8Array(await readFile(config.descriptor)));
  const own = descriptor.nodes.find(({ id }) => id === config.nodeId);
  if (own === undefined)
    throw signerError("node_unknown", `The descriptor ${config.descriptor} names no node ${config.nodeId}.`);
  const identity = await readIdentity(config.identitySeed);
  const authority = apply(descriptor);
  const { deploymentId } = descriptor;
  const vault = await openVault(config, deploymentId);
  const seed = await readSecret(config.nats.seed);
  const wire = await connectNats({
    servers: config.nats.servers,
    seed,
    name: config.nodeId,
    onProblem: (problem) => log.warn({ err: problem }, "the bus refused something"),
    signal,
  });
  const nodes = descriptor.nodes.map(({ index, id, identityKey }) => ({ index, id, publicKey: identityKey }));
  const heads = headsOf(descriptor);
  const mesh = await connectMesh({ deploymentId, self: own.id, nodes, identity, wire, heads });
  const node: SignerNode = {
    descriptor,
    authority,
    self: own.index,
    identity,
    vault,
    mesh,
    ...identityBook(deploymentId, nodes),
    now: Date.now,
    clock: systemClock,
    rng,
  };
  const sessions = new Sessions();
  const server = await serveRpc({
    listen: config.listen,
    tls: await readTls(config.tls),
    services: [implement(SignerService, signerCalls(node, sessions), { callers: ["orchestrator", "operator"] })],
    onFailure: (error, call) => log.error({ err: error, method: call.method }, "a call failed"),
  });
  return {
    address: server.address,
    close: async ({ graceMs }) => {
      // Running sessions end first: they need the bus and the vault that close after them.
      await server.close({ graceMs });
      await sessions.drain();
      mesh.close();
      await wire.close();
      await vault.close();
    },
  };
}

async function readIdentity(path: string): Promise<NodeIdentity> {
  using text = await readSecret(path);
  return new NodeIdentity(new Secret(decodeHex(decodeUtf8(text.expose(), path).trim(), path)));
}

async function openVault(config: SignerConfig, deploymentId: string): Promise<Vault> {
  const kek = await openKek(config.kek);
  const store = await openSqliteStore({ path: config.store });
  return Vault.open({ store, kek, deploymentId, nodeId: config.nodeId, now: Date.now, rng });
}

async function openKek(kek: SignerConfig["kek"]): Promise<KekProvider> {
  if (kek.provider === "file") return fileKek({ path: kek.path });
  using passphrase = await readPassphrase(kek.passphraseFile);
  return passphraseKek({ passphrase, parametersFile: kek.parametersFile });
}

/** A passphrase is a file's first line: editors end files with a line break that nobody means. */
async function readPassphrase(path: string): Promise<Secret> {
  using content = await readSecret(path);
  const bytes = content.expose();
  const end = bytes.indexOf(0x0a);
  return new Secret(bytes.slice(0, end < 0 ? bytes.length : end));
}

function headsOf(descriptor: Descriptor) {
  const authority = apply(descriptor);
  const [orgId = ""] = authority.organisations.keys();
  const { organisationHead, deploymentHead } = sessionHeads(authority, orgId);
  return () => ({ organisation: organisationHead, deployment: deploymentHead });
}
