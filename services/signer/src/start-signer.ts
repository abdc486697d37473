import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import { apply, type Descriptor, type DescriptorNode, parseDescriptor, sessionHeads } from "@countersign/authority";
import { decodeHexBytes, equalBytes, hex, Secret } from "@countersign/bytes";
import { connectMesh, connectNats, identityBook, NodeIdentity, systemClock } from "@countersign/mesh";
import { SignerService } from "@countersign/proto/signer";
import { implement, serveRpc } from "@countersign/rpc";
import { type RunningService, readSecret, readTls, type ServiceTools } from "@countersign/runtime";
import { prepareCurves } from "@countersign/threshold";
import { fileKek, type KekProvider, openSqliteStore, passphraseKek, Vault } from "@countersign/vault";
import { checkAudit } from "./check-audit.ts";
import type { SignerConfig } from "./config.ts";
import { signerError } from "./errors.ts";
import type { SignerNode } from "./node.ts";
import { Refusals } from "./refusals.ts";
import { signerCalls } from "./server.ts";
import { Sessions } from "./sessions.ts";
import { markStore, requireStoreIfMarked } from "./store-mark.ts";

/** The largest evidence is half of it. */
const REQUEST_BYTES_MAX = 524_288;

const rng = (size: number): Uint8Array => new Uint8Array(randomBytes(size));

/** Starts a signer: curves and vault first, because nothing may be promised to anyone without them; then the bus, then gRPC. */
export async function startSigner(config: SignerConfig, tools: ServiceTools): Promise<RunningService> {
  const { log, signal } = tools;
  await prepareCurves(rng);
  const descriptor = parseDescriptor(new Uint8Array(await readFile(config.descriptor)));
  const own = ownNode(descriptor, config);
  const identity = await readIdentity(config.identitySeed);
  requirePinned(own, identity);
  const tls = await readTls(config.tls);
  const authority = apply(descriptor);
  const { deploymentId } = descriptor;
  // Closes in reverse order: running sessions end first, because they need the bus and the vault. Also when the start fails.
  await using parts = new AsyncDisposableStack();
  const vault = parts.adopt(await openVault(config, deploymentId), (open) => open.close());
  await markStore(vault, markedStore(config));
  await checkAudit(vault, { nodeId: config.nodeId, ...tools });
  const seed = await readSecret(config.nats.seed);
  const bus = await connectNats({
    servers: config.nats.servers,
    seed,
    name: config.nodeId,
    tls: config.nats.tls && (await readTls(config.nats.tls)),
    onProblem: (problem) => log.warn({ err: problem }, "the bus refused something"),
    signal,
  });
  const wire = parts.adopt(bus, (open) => open.close());
  const nodes = descriptor.nodes.map(({ index, id, identityKey }) => ({ index, id, publicKey: identityKey }));
  const heads = headsOf(descriptor);
  const joined = await connectMesh({ deploymentId, self: own.id, nodes, identity, wire, heads });
  const mesh = parts.adopt(joined, (open) => open.close());
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
    // Not a microtask: what waits on sockets and timers has its turn.
    pause: () => nextTurn(),
  };
  const sessions = new Sessions();
  const refusals = new Refusals(node);
  parts.defer(() => refusals.close());
  parts.defer(() => sessions.drain());
  const server = await serveRpc({
    listen: config.listen,
    tls,
    // A node behind another node's certificate would answer calls meant for that one.
    identity: { deploymentId, role: "signer", name: own.id },
    limits: { requestBytesMax: REQUEST_BYTES_MAX },
    services: [
      implement(SignerService, signerCalls(node, sessions, refusals), { callers: ["orchestrator", "operator"] }),
    ],
    onFailure: (error, call) => log.error({ err: error, method: call.method }, "a call failed"),
  });
  const running = parts.move();
  return {
    address: server.address,
    close: async ({ graceMs }) => {
      await server.close({ graceMs });
      await running.disposeAsync();
    },
  };
}

/** Raises `node_unknown`. */
function ownNode({ nodes }: Descriptor, { nodeId, descriptor }: SignerConfig): DescriptorNode {
  const own = nodes.find(({ id }) => id === nodeId);
  if (own === undefined) throw signerError("node_unknown", `The descriptor ${descriptor} names no node ${nodeId}.`);
  return own;
}

/** Before the vault is opened or made, and before the bus hears of this node. Raises `node_identity_differs`. */
function requirePinned({ id, identityKey }: DescriptorNode, { publicKey }: NodeIdentity): void {
  if (!equalBytes(identityKey, publicKey))
    throw signerError(
      "node_identity_differs",
      `The identity seed is not that of ${id}: the descriptor pins key ${hex(identityKey)}, the seed makes ${hex(publicKey)}.`,
    );
}

async function readIdentity(path: string): Promise<NodeIdentity> {
  using text = await readSecret(path);
  return new NodeIdentity(new Secret(decodeHexBytes(firstLine(text.expose()), path)));
}

async function openVault(config: SignerConfig, deploymentId: string): Promise<Vault> {
  await requireStoreIfMarked(markedStore(config));
  const kek = await openKek(config.kek);
  const store = await openSqliteStore({ path: config.store });
  return Vault.open({ store, kek, deploymentId, nodeId: config.nodeId, now: Date.now, rng });
}

function markedStore({ nodeId, store, storeMark = `${store}.mark` }: SignerConfig) {
  return { nodeId, store, mark: storeMark };
}

async function openKek(kek: SignerConfig["kek"]): Promise<KekProvider> {
  if (kek.provider === "file") return fileKek({ path: kek.path });
  using passphrase = await readPassphrase(kek.passphraseFile);
  return passphraseKek({ passphrase, parametersFile: kek.parametersFile });
}

/** A passphrase is a file's first line: editors end files with a line break that nobody means. */
async function readPassphrase(path: string): Promise<Secret> {
  using content = await readSecret(path);
  return new Secret(firstLine(content.expose()).slice());
}

/** A view, not a copy. */
function firstLine(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0x0a);
  return bytes.subarray(0, end < 0 ? bytes.length : end);
}

function headsOf(descriptor: Descriptor) {
  const authority = apply(descriptor);
  const [orgId = ""] = authority.organisations.keys();
  const { organisationHead, deploymentHead } = sessionHeads(authority, orgId);
  return () => ({ organisation: organisationHead, deployment: deploymentHead });
}
