import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { create, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { sessionHeads } from "@countersign/authority";
import { connectMesh, identityBook, type Mesh, systemClock } from "@countersign/mesh";
import { SignerService } from "@countersign/proto/signer";
import {
  InFlight,
  KeyDirectory,
  memoryCoordination,
  type Network,
  type SignerClient,
} from "@countersign/service-orchestrator";
import { Sessions, type SignerNode, signerCalls } from "@countersign/service-signer";
import { prepareCurves } from "@countersign/threshold";
import { createFileKek, fileKek, openSqliteStore, Vault, type VaultStore } from "@countersign/vault";
import { type Deployment, makeDeployment } from "./deployment.ts";
import { MemoryBus } from "./memory-bus.ts";

const rng = (size: number) => new Uint8Array(randomBytes(size));

/** A signer in this process: its real code over its real store; the bus is in memory. */
export interface InProcessSigner {
  readonly nodeId: string;
  /** Its database file; complete only once the signer is closed. */
  readonly storePath: string;
  /** Durable transactions so far. */
  transactions(): number;
}

/** Three signers and an orchestrator in one process, so that their stores can be watched. */
export interface InProcessNetwork {
  readonly deployment: Deployment;
  readonly signers: readonly InProcessSigner[];
  readonly orchestrator: Network;
  readonly keys: KeyDirectory;
  close(): Promise<void>;
}

/** Starts everything with the stores in `folder`. */
export async function startInProcess(folder: string): Promise<InProcessNetwork> {
  await prepareCurves(rng);
  const deployment = makeDeployment("Ed25519");
  const { descriptor, authority } = deployment;
  const bus = new MemoryBus();
  const running = await Promise.all(descriptor.nodes.map((_, place) => startSigner(deployment, bus, place, folder)));
  const inFlight = new InFlight();
  const orchestrator: Network = {
    descriptor,
    authority,
    signers: new Map(running.map(({ client }, place) => [place + 1, client])),
    candidates: () =>
      descriptor.nodes.map(({ index, region }) => ({
        index,
        region,
        present: true,
        roundTripUs: 0,
        sessions: inFlight.count(index),
      })),
    countSession: (parties) => inFlight.start(parties),
    ...identityBook(descriptor.deploymentId, pinned(deployment)),
    coordination: memoryCoordination(() => performance.now()),
    now: Date.now,
    clock: systemClock,
    rng,
  };
  return {
    deployment,
    signers: running.map(({ signer }) => signer),
    orchestrator,
    keys: new KeyDirectory(orchestrator),
    close: async () => {
      for (const { close } of running) await close();
    },
  };
}

async function startSigner(deployment: Deployment, bus: MemoryBus, place: number, folder: string) {
  const { descriptor, authority, identities } = deployment;
  const { deploymentId } = descriptor;
  const [own, identity] = [descriptor.nodes[place], identities[place]];
  if (own === undefined || identity === undefined) throw new Error(`No node ${place + 1}.`);
  const storePath = join(folder, `${own.id}.sqlite`);
  const kekPath = join(folder, `${own.id}.kek`);
  await createFileKek(kekPath);
  const store = countingStore(await openSqliteStore({ path: storePath }));
  const kek = await fileKek({ path: kekPath });
  const vault = await Vault.open({ store, kek, deploymentId, nodeId: own.id, now: Date.now, rng });
  const [orgId = ""] = authority.organisations.keys();
  const { organisationHead, deploymentHead } = sessionHeads(authority, orgId);
  const nodes = pinned(deployment);
  const heads = () => ({ organisation: organisationHead, deployment: deploymentHead });
  const mesh = await connectMesh({ deploymentId, self: own.id, nodes, identity, wire: bus.wire(), heads });
  const book = identityBook(deploymentId, nodes);
  const node: SignerNode = {
    descriptor,
    authority,
    self: own.index,
    identity,
    vault,
    mesh,
    ...book,
    now: Date.now,
    clock: systemClock,
    rng,
  };
  const signer: InProcessSigner = { nodeId: own.id, storePath, transactions: () => store.transactions };
  return { signer, client: directClient(node), close: () => closeSigner(mesh, vault) };
}

async function closeSigner(mesh: Mesh, vault: Vault): Promise<void> {
  mesh.close();
  await vault.close();
}

function pinned({ descriptor }: Deployment) {
  return descriptor.nodes.map(({ index, id, identityKey }) => ({ index, id, publicKey: identityKey }));
}

/** Counts the batches that became durable. The real store may sync several at once, so that this is an upper bound. */
function countingStore(store: VaultStore): VaultStore & { transactions: number } {
  return {
    transactions: 0,
    read: (keys) => store.read(keys),
    list: (range) => store.list(range),
    count: (prefix) => store.count(prefix),
    async commit(batch) {
      const result = await store.commit(batch);
      if (result.kind === "committed") this.transactions++;
      return result;
    },
    close: () => store.close(),
  };
}

/** The signer as the orchestrator calls it, without gRPC in between. */
function directClient(node: SignerNode): SignerClient {
  const calls = signerCalls(node, new Sessions());
  const { method } = SignerService;
  const caller = { deploymentId: node.descriptor.deploymentId, role: "orchestrator", name: "bench" } as const;
  const call =
    <I extends DescMessage, O extends DescMessage>(
      { name, input, output }: { readonly name: string; readonly input: I; readonly output: O },
      handler: (request: MessageShape<I>, context: Parameters<typeof calls.sign>[1]) => Promise<MessageInitShape<O>>,
    ): ((
      request: MessageInitShape<I>,
      options: { signal: AbortSignal; deadlineMs: number },
    ) => Promise<MessageShape<O>>) =>
    async (request, options) =>
      create(output, await handler(create(input, request), { method: name, caller, traceId: undefined, ...options }));
  return {
    generate: call(method.generate, calls.generate),
    sign: call(method.sign, calls.sign),
    keyState: call(method.keyState, calls.keyState),
    settle: call(method.settle, calls.settle),
    renounce: call(method.renounce, calls.renounce),
    status: call(method.status, calls.status),
  };
}
