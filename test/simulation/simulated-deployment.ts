import { generateKeyPairSync } from "node:crypto";
import { apply, type Evidence, genesisIds, parseDescriptor } from "@countersign/authority";
import { base64url, hex, Secret, sha256, utf8 } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import {
  createNatsKey,
  identityBook,
  NodeIdentity,
  type SeededRandom,
  SimulatedNetwork,
  seededRandom,
  seededRng,
  watchPresence,
} from "@countersign/mesh";
import { approve, KeySigner } from "@countersign/sdk";
import {
  candidatesOf,
  createKey,
  InFlight,
  KeyDirectory,
  memoryCoordination,
  type Network,
  type Signed,
  type SignerClient,
  signRequest,
} from "@countersign/service-orchestrator";
import type { CertifiedKey } from "@countersign/wire";
import { SimulatedSigner } from "./simulated-signer.ts";

/** Where the simulation's wall clock starts. */
const EPOCH_MS = 1_767_225_600_000;
const DEPLOYMENT_ID = "dep-simulation";

const { privateKey } = generateKeyPairSync("ed25519");
/** One credential for all simulations: what varies is the network, not who approves. */
const credential = new KeySigner({ privateKey: privateKey.export({ format: "pem", type: "pkcs8" }).toString() });
/** The bus is simulated; the descriptor wants public nkeys all the same. */
const NATS_KEYS = Array.from({ length: 7 }, () => createNatsKey().publicKey);

/** Latest a plan's blow falls after requests started, with the restart that may follow it. */
const BLOWS_MS_MAX = 1_600;

/** How the simulated disk behaves. */
export interface DiskFaults {
  /** Longest sync, virtual milliseconds. */
  readonly syncMsMax: number;
  /** Probability that a sync fails. */
  readonly syncFails: number;
}

/** A whole deployment in one process: real signers, real orchestrator code; simulated clock, bus, disk. */
export class SimulatedDeployment {
  readonly random: SeededRandom;
  readonly network: SimulatedNetwork;
  readonly signers: readonly SimulatedSigner[];
  readonly orchestrator: Network;
  readonly keys: KeyDirectory;
  disk: DiskFaults = { syncMsMax: 2, syncFails: 0 };
  readonly #ids: ReturnType<typeof genesisIds>;
  readonly #watch: { peers(): readonly never[] } | Awaited<ReturnType<typeof watchPresence>>;
  readonly #nonceRng: (size: number) => Uint8Array;

  private constructor(
    parts: Pick<SimulatedDeployment, "random" | "network" | "signers" | "orchestrator"> & {
      readonly ids: ReturnType<typeof genesisIds>;
      readonly watch: Awaited<ReturnType<typeof watchPresence>>;
      readonly seed: number;
    },
  ) {
    this.random = parts.random;
    this.network = parts.network;
    this.signers = parts.signers;
    this.orchestrator = parts.orchestrator;
    this.keys = new KeyDirectory(parts.orchestrator);
    this.#ids = parts.ids;
    this.#watch = parts.watch;
    this.#nonceRng = seededRng(`client ${parts.seed}`);
  }

  /** Starts n nodes and lets presence and channels form on a calm network. */
  static async start(options: {
    readonly seed: number;
    readonly nodes: number;
    readonly threshold: number;
    /** Wraps each signer as the orchestrator sees it. Default: nothing. */
    readonly observe?: (client: SignerClient, party: number) => SignerClient;
  }): Promise<SimulatedDeployment> {
    const { seed, nodes, threshold, observe = (client: SignerClient) => client } = options;
    const random = seededRandom(seed);
    const network = new SimulatedNetwork({ seed });
    const now = () => EPOCH_MS + Math.floor(network.clock.now());
    const seeds = Array.from({ length: nodes }, (_, place) => sha256(utf8(`identity ${seed} ${place + 1}`)));
    const descriptor = parseDescriptor(descriptorFile(seeds, threshold));
    const holder: { disk: () => DiskFaults } = { disk: () => ({ syncMsMax: 0, syncFails: 0 }) };
    const sync = () => syncDisk(network, random, holder.disk());
    const signers = descriptor.nodes.map(({ index }, place) => {
      const rng = (boot: number) => seededRng(`node ${seed} ${index} ${boot}`);
      return new SimulatedSigner({
        descriptor,
        index,
        seed: seeds[place] ?? new Uint8Array(32),
        network,
        now,
        rng,
        sync,
      });
    });
    await network.clock.settle(Promise.all(signers.map((signer) => signer.start())), 1_000);
    const pinned = descriptor.nodes.map(({ index, id, identityKey }) => ({ index, id, publicKey: identityKey }));
    const wire = network.wire("orchestrator-1");
    const { clock } = network;
    const rng = seededRng(`orchestrator ${seed}`);
    const watch = await watchPresence({
      deploymentId: DEPLOYMENT_ID,
      name: "orchestrator-1",
      nodes: pinned,
      wire,
      clock,
      rng,
    });
    const inFlight = new InFlight();
    const orchestrator: Network = {
      descriptor,
      authority: apply(descriptor),
      signers: new Map(signers.map((signer, place) => [place + 1, observe(signer.client(), place + 1)])),
      candidates: () => candidatesOf(descriptor, watch, inFlight),
      countSession: (parties) => inFlight.start(parties),
      ...identityBook(DEPLOYMENT_ID, pinned),
      coordination: memoryCoordination(() => network.clock.now()),
      now,
      clock,
      rng,
    };
    const ids = genesisIds(descriptor);
    const deployment = new SimulatedDeployment({ random, network, signers, orchestrator, ids, watch, seed });
    holder.disk = () => deployment.disk;
    await network.clock.advance(1_500);
    return deployment;
  }

  /** Approves a request with the pinned credential. */
  approve(method: string, path: string, body: unknown): Promise<Evidence> {
    const { orgId, principalId, appId } = this.#ids;
    const payload = JSON.stringify(body);
    const nonce = this.#nonceRng(32);
    const expiresAtMs = this.orchestrator.now() + 240_000;
    const fields = {
      deploymentId: DEPLOYMENT_ID,
      orgId,
      principalId,
      appId,
      method,
      path,
      payload,
      nonce,
      expiresAtMs,
    };
    return approve(fields, credential);
  }

  createKey(evidence: Evidence, deadlineMs = 60_000): Promise<CertifiedKey> {
    const signal = new AbortController().signal;
    return createKey(this.orchestrator, this.keys, evidence, { signal, deadlineMs });
  }

  sign(evidence: Evidence, deadlineMs = 10_000): Promise<Signed> {
    const signal = new AbortController().signal;
    return signRequest(this.orchestrator, this.keys, evidence, { signal, deadlineMs });
  }

  /** Ends every fault: the bus heals, the disk behaves, every node runs, presence and channels are back. */
  async heal(): Promise<void> {
    // Blows that are still to come fall first, or they would undo the healing.
    await this.network.clock.advance(BLOWS_MS_MAX);
    this.network.heal();
    this.disk = { syncMsMax: 2, syncFails: 0 };
    for (const signer of this.signers) if (!signer.isUp) await this.network.clock.settle(signer.start(), 5_000);
    await this.network.clock.advance(6_000);
  }

  stop(): void {
    for (const signer of this.signers) signer.crash();
    if ("close" in this.#watch) this.#watch.close();
  }
}

async function syncDisk(
  network: SimulatedNetwork,
  random: SeededRandom,
  { syncMsMax, syncFails }: DiskFaults,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  network.clock.setTimer(random.next() * syncMsMax, resolve);
  await promise;
  if (syncFails > 0 && random.next() < syncFails) {
    // What the SQLite store raises for an I/O error of its disk.
    const entry = { kind: "outage", http: 503, grpc: "UNAVAILABLE", meaning: "" } as const;
    throw new CountersignError("store_failed", entry, "The simulated disk did not sync.");
  }
}

function descriptorFile(seeds: readonly Uint8Array[], threshold: number): Uint8Array {
  const key = (seed: Uint8Array) => hex(new NodeIdentity(new Secret(seed.slice())).publicKey);
  return utf8(
    JSON.stringify({
      version: 1,
      deploymentId: DEPLOYMENT_ID,
      threshold,
      nodes: seeds.map((seed, place) => ({
        index: place + 1,
        id: `node-${place + 1}`,
        region: `region-${place + 1}`,
        identityKey: key(seed),
        natsKey: NATS_KEYS[place],
      })),
      operators: seeds.map((seed, place) => ({ nodeId: `node-${place + 1}`, publicKey: key(sha256(seed)) })),
      organisation: { name: "Simulation", credentialKey: base64url(credential.publicKey) },
    }),
  );
}
