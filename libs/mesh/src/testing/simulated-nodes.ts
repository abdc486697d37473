import { Secret, sha256, utf8 } from "@countersign/bytes";
import type { PartyIndex } from "@countersign/threshold";
import { NodeIdentity } from "../identity.ts";
import { connectMesh, type Mesh, type MeshNode } from "../mesh.ts";
import { seededRng } from "../simulation/seeded-random.ts";
import { type NetworkFaults, SimulatedNetwork } from "../simulation/simulated-network.ts";
import type { Wire } from "../wire/wire.ts";

export const DEPLOYMENT = "dep-test";

/** A node of a test deployment with its secrets. */
export interface TestNode extends MeshNode {
  readonly seed: Uint8Array;
  readonly identity: NodeIdentity;
}

/** The same identities in every run. */
export function testNode(index: PartyIndex): TestNode {
  const seed = sha256(utf8(`test identity ${index}`));
  const identity = new NodeIdentity(new Secret(seed.slice()));
  return { index, id: `node-${index}`, seed, identity, publicKey: identity.publicKey };
}

export function testNodes(count: number): TestNode[] {
  return Array.from({ length: count }, (_, at) => testNode(at + 1));
}

/** What a node says its log heads are. */
export const HEADS = { organisation: new Uint8Array(32).fill(7), deployment: new Uint8Array(32).fill(8) };

/** A mesh of nodes over a simulated network, everything decided by the seed. */
export class SimulatedNodes {
  readonly network: SimulatedNetwork;
  readonly nodes: readonly TestNode[];
  readonly #seed: number;
  #boots = 0;

  constructor(options: { readonly count: number; readonly seed: number; readonly faults?: Partial<NetworkFaults> }) {
    const { count, seed, faults = {} } = options;
    this.network = new SimulatedNetwork({ seed, faults });
    this.nodes = testNodes(count);
    this.#seed = seed;
  }

  /** Starts a process of this node, on a wire of its own unless one is given. */
  async boot(index: PartyIndex, options: { readonly wire?: Wire; readonly sessionsMax?: number } = {}): Promise<Mesh> {
    const node = this.node(index);
    const { wire = this.network.wire(node.id), sessionsMax } = options;
    return connectMesh({
      deploymentId: DEPLOYMENT,
      self: node.id,
      nodes: this.nodes,
      identity: node.identity,
      wire,
      heads: () => HEADS,
      clock: this.network.clock,
      rng: seededRng(`${this.#seed} ${node.id} ${this.#boots++}`),
      ...(sessionsMax === undefined ? {} : { sessionsMax }),
    });
  }

  /** Starts all nodes, in ascending order. */
  async bootAll(): Promise<Mesh[]> {
    const meshes: Mesh[] = [];
    for (const { index } of this.nodes) meshes.push(await this.boot(index));
    return meshes;
  }

  node(index: PartyIndex): TestNode {
    const node = this.nodes[index - 1];
    if (node === undefined) throw new Error(`There is no node ${index}.`);
    return node;
  }
}
