import { type Descriptor, type Evidence, genesisIds, parseDescriptor } from "@countersign/authority";
import { sha256, utf8 } from "@countersign/bytes";
import { type SeededRandom, SimulatedNetwork, seededRandom, seededRng } from "@countersign/mesh";
import { seededKey, testDescriptor } from "@countersign/mesh/testing";
import { approve, KeySigner } from "@countersign/sdk";
import { memoryCoordination, type Signed } from "@countersign/service-orchestrator";
import type { CertifiedKey } from "@countersign/wire";
import { CALM_DISK, type DiskFaults, simulatedStore } from "./simulated-disk.ts";
import { SimulatedOrchestrator } from "./simulated-orchestrator.ts";
import { SimulatedSigner, type SimulatedSignerOptions } from "./simulated-signer.ts";
import type { Witness } from "./witness.ts";

/** Where the simulation's wall clock starts. */
const EPOCH_MS = 1_767_225_600_000;
const DEPLOYMENT_ID = "dep-simulation";
/** Virtual time in which a healthy network knows that all its nodes are there. */
const PRESENT_MS_MAX = 8_000;
/** How often a condition is looked at, virtual milliseconds. */
const LOOK_MS = 10;

/** One credential for all simulations: what varies is the network, not who approves. */
const privateKey = seededKey(sha256(utf8("credential of the simulation")));
const credential = new KeySigner({ privateKey: privateKey.export({ format: "pem", type: "pkcs8" }).toString() });
/** The bus is simulated; the descriptor wants public nkeys all the same. */
const NATS_KEYS = [
  "UDTHU55TWJTGNMH4GXH3V4I2DNX4Q6CE7WHZYDMP2NZ322DUVBXLCDB6",
  "UDXJESRLAKRU2KCH4I7VAR76QR5E5TLUCWOG3GDBIJNANCWZIJH2SNSF",
  "UAQRBEOHYDQKYFBRSGJIHQ2IKYTV7JVFU5WF6C634TIQE7LJLWZN4UKA",
  "UCYJCYQX6EZOZ73MNVJKDOLJYTFDL4KPJ3PSDVGZV2CUUNO47B3CDSMR",
  "UCFPSFXGYZLH3GL7NINU2APAMHZOKQEZ6N7CVMDHMXAWWCNMSLTULELU",
  "UAXZZTOHXKIQ334PFY5XI53VCK5FEAC2CFB4XWMQZYEYE3I3WLYLBIEL",
  "UD4ENAIAZ2LDSTYVZ37F74YU3ZHLAMS4PLKVPU37BJ3VY24IM5HD2PGO",
];

export interface DeploymentOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly threshold: number;
  /** Sees everything that a party's signer lets out. Default: nobody. */
  readonly witness?: (party: number) => Witness;
  /** Is told every approval at the moment it is made. Default: nobody. */
  readonly approved?: (evidence: Evidence) => void;
  /** Replaces calls of a party's signer by flawed or hostile ones. Default: none. */
  readonly corrupt?: (party: number) => SimulatedSignerOptions["corrupt"];
}

/** A whole deployment in one process: real signers, real orchestrator code; simulated clock, bus, disk. */
export class SimulatedDeployment {
  readonly random: SeededRandom;
  readonly network: SimulatedNetwork;
  readonly descriptor: Descriptor;
  readonly signers: readonly SimulatedSigner[];
  readonly orchestrator: SimulatedOrchestrator;
  readonly coordination: ReturnType<typeof memoryCoordination>;
  disk: DiskFaults = CALM_DISK;
  readonly #options: DeploymentOptions;
  readonly #clientRng: (size: number) => Uint8Array;

  private constructor(options: DeploymentOptions) {
    const { seed, nodes, threshold, witness, corrupt } = options;
    this.#options = options;
    this.#clientRng = seededRng(`client ${seed}`);
    this.random = seededRandom(seed);
    this.network = new SimulatedNetwork({ seed });
    const { network, random } = this;
    this.descriptor = descriptorOf(nodes, threshold);
    const faults = () => this.disk;
    this.signers = this.descriptor.nodes.map(
      ({ index }) =>
        new SimulatedSigner({
          descriptor: this.descriptor,
          index,
          seed: identitySeed(index),
          network,
          now: () => this.now(),
          rng: (boot) => seededRng(`node ${seed} ${index} ${boot}`),
          openStore: (rows) => simulatedStore({ rows, clock: network.clock, random, faults }),
          witness: witness?.(index),
          corrupt: corrupt?.(index),
        }),
    );
    this.coordination = memoryCoordination(() => network.clock.now());
    this.orchestrator = new SimulatedOrchestrator({
      descriptor: this.descriptor,
      network,
      now: () => this.now(),
      rng: (boot) => seededRng(`orchestrator ${seed} ${boot}`),
      signers: new Map(this.signers.map((signer, place) => [place + 1, signer.client()])),
      coordination: this.coordination,
    });
  }

  /** Starts n nodes and an orchestrator and lets presence form on a calm network. */
  static async start(options: DeploymentOptions): Promise<SimulatedDeployment> {
    const deployment = new SimulatedDeployment(options);
    const { clock } = deployment.network;
    await clock.settle(Promise.all(deployment.signers.map((signer) => signer.start())), 1_000);
    // Last, so that its first probes find somebody.
    await deployment.orchestrator.start();
    await deployment.until(() => deployment.isPresent(), PRESENT_MS_MAX);
    return deployment;
  }

  /** True time, milliseconds since 1970. */
  now(): number {
    return EPOCH_MS + Math.floor(this.network.clock.now());
  }

  /** Approves a request with the pinned credential; it expires after `validMs`. */
  async approve(method: string, path: string, body: unknown, validMs = 240_000): Promise<Evidence> {
    const { orgId, principalId, appId } = genesisIds(this.descriptor);
    const payload = JSON.stringify(body);
    const nonce = this.#clientRng(32);
    const ids = { deploymentId: DEPLOYMENT_ID, orgId, principalId, appId };
    const fields = { ...ids, method, path, payload, nonce, expiresAtMs: this.now() + validMs };
    const evidence = await approve(fields, credential);
    this.#options.approved?.(evidence);
    return evidence;
  }

  createKey(evidence: Evidence, deadlineMs = 60_000): Promise<CertifiedKey> {
    return this.orchestrator.createKey(evidence, deadlineMs);
  }

  sign(evidence: Evidence, deadlineMs = 10_000): Promise<Signed> {
    return this.orchestrator.sign(evidence, deadlineMs);
  }

  /** Lets time pass until the condition holds; throws when it does not within `withinMs` of virtual time. */
  async until(condition: () => boolean, withinMs: number): Promise<void> {
    const { clock } = this.network;
    const end = clock.now() + withinMs;
    while (!condition()) {
      if (clock.now() >= end) throw new Error(`The condition did not come true within ${withinMs} virtual ms.`);
      await clock.advance(LOOK_MS);
    }
  }

  /** Whether the orchestrator and every node see all nodes. */
  isPresent(): boolean {
    const isSeen = (peers: readonly { readonly present: boolean }[]) => peers.every(({ present }) => present);
    return (
      isSeen(this.orchestrator.network.candidates()) && this.signers.every(({ node }) => isSeen(node.mesh.peers()))
    );
  }

  /** Ends every fault: the bus heals, disks and clocks behave, every process runs and sees all others. */
  async heal(): Promise<void> {
    const { network, signers } = this;
    network.heal();
    this.disk = CALM_DISK;
    for (const signer of signers) {
      signer.skewMs = 0;
      // A start that is under way may have met the failing disk; the next one does not.
      for (let tries = 0; !signer.isUp; tries++)
        await network.clock.settle(signer.start(), 5_000).catch((error) => {
          if (tries > 0) throw error;
        });
    }
    await this.orchestrator.start();
    await this.until(() => this.isPresent(), PRESENT_MS_MAX);
  }

  stop(): void {
    for (const process of [...this.signers, this.orchestrator]) process.crash();
  }
}

const descriptors = new Map<string, Descriptor>();

/** The descriptor of n nodes; parsed once, because the same nodes meet in every simulation. */
function descriptorOf(nodes: number, threshold: number): Descriptor {
  const name = `${threshold} of ${nodes}`;
  const known =
    descriptors.get(name) ??
    parseDescriptor(
      testDescriptor({
        deploymentId: DEPLOYMENT_ID,
        threshold,
        seeds: Array.from({ length: nodes }, (_, place) => identitySeed(place + 1)),
        credential: privateKey,
        organisation: "Simulation",
        natsKeys: NATS_KEYS,
      }),
    );
  descriptors.set(name, known);
  return known;
}

function identitySeed(index: number): Uint8Array {
  return sha256(utf8(`identity of node ${index}`));
}
