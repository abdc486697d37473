import { create, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { apply, type Descriptor, sessionHeads } from "@countersign/authority";
import { Secret } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import { connectMesh, deadlineSignal, identityBook, NodeIdentity, type SimulatedNetwork } from "@countersign/mesh";
import { SignerService } from "@countersign/proto/signer";
import type { CallOptions, SignerClient } from "@countersign/service-orchestrator";
import { Sessions, type SignerNode, signerCalls } from "@countersign/service-signer";
import type { Rng } from "@countersign/threshold";
import { type KekProvider, type MemoryStore, memoryStore, Vault } from "@countersign/vault";

/** What a simulated node keeps while its process comes and goes. */
export interface SimulatedSignerOptions {
  readonly descriptor: Descriptor;
  readonly index: number;
  /** Seed of the node's identity, 32 bytes. */
  readonly seed: Uint8Array;
  readonly network: SimulatedNetwork;
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number;
  /** Fresh randomness per boot: a restarted process must not draw the same numbers. */
  readonly rng: (boot: number) => Rng;
  /** The disk: resolves when a group is durable, rejects when the sync failed. */
  readonly sync: () => Promise<void>;
}

/** What a call to a node that is down raises; the same code as over gRPC. */
function unavailable(index: number): CountersignError {
  const entry = { kind: "outage", http: 503, grpc: "UNAVAILABLE", meaning: "" } as const;
  return new CountersignError("rpc_unavailable", entry, `Node ${index} does not answer.`);
}

interface Process {
  readonly node: SignerNode;
  readonly calls: ReturnType<typeof signerCalls>;
  readonly store: MemoryStore;
  readonly ended: AbortController;
  readonly leave: () => void;
}

/**
 * A signer with its real code on a simulated network, disk and clock. `crash` is a power loss: only what the disk acknowledged is
 * there after `start`.
 */
export class SimulatedSigner {
  readonly #options: SimulatedSignerOptions;
  #process: Process | undefined;
  #rows: ReadonlyMap<string, Uint8Array> = new Map();
  #boots = 0;
  #starting: Promise<void> | undefined;

  constructor(options: SimulatedSignerOptions) {
    this.#options = options;
  }

  get isUp(): boolean {
    return this.#process !== undefined;
  }

  /** The running node's parts. */
  get node(): SignerNode {
    if (this.#process === undefined) throw unavailable(this.#options.index);
    return this.#process.node;
  }

  /** Boots the node; a node that is up or booting stays as it is, because two live copies of one identity are another drill. */
  start(): Promise<void> {
    if (this.#process !== undefined) return Promise.resolve();
    this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  async #start(): Promise<void> {
    const { descriptor, index, seed, network, now, sync } = this.#options;
    const rng = this.#options.rng(this.#boots++);
    const own = descriptor.nodes.find((node) => node.index === index);
    if (own === undefined) throw new Error(`No node ${index}.`);
    const { deploymentId } = descriptor;
    const { clock } = network;
    const identity = new NodeIdentity(new Secret(seed.slice()));
    const store = memoryStore({ rows: this.#rows, sync });
    const after = (delayMs: number, run: () => void) => clock.setTimer(delayMs, run);
    const vault = await Vault.open({ store, kek: plainKek, deploymentId, nodeId: own.id, now, rng, after });
    const authority = apply(descriptor);
    const [orgId = ""] = authority.organisations.keys();
    const heads = sessionHeads(authority, orgId);
    const wire = network.wire(own.id);
    const nodes = descriptor.nodes.map(({ index, id, identityKey }) => ({ index, id, publicKey: identityKey }));
    const mesh = await connectMesh({
      deploymentId,
      self: own.id,
      nodes,
      identity,
      wire,
      heads: () => ({ organisation: heads.organisationHead, deployment: heads.deploymentHead }),
      clock,
      rng,
    });
    const book = identityBook(deploymentId, nodes);
    const node: SignerNode = { descriptor, authority, self: index, identity, vault, mesh, ...book, now, clock, rng };
    const leave = () => {
      mesh.close();
      void wire.close();
    };
    this.#process = { node, calls: signerCalls(node, new Sessions()), store, ended: new AbortController(), leave };
  }

  crash(): void {
    const process = this.#process;
    if (process === undefined) return;
    this.#process = undefined;
    this.#rows = process.store.durableRows();
    process.ended.abort(unavailable(this.#options.index));
    process.leave();
  }

  /** The node as an orchestrator calls it, without gRPC: a crash loses the answer. */
  client(): SignerClient {
    const { method } = SignerService;
    return {
      generate: this.#call(method.generate, ({ calls }) => calls.generate),
      sign: this.#call(method.sign, ({ calls }) => calls.sign),
      keyState: this.#call(method.keyState, ({ calls }) => calls.keyState),
      settle: this.#call(method.settle, ({ calls }) => calls.settle),
      renounce: this.#call(method.renounce, ({ calls }) => calls.renounce),
      status: this.#call(method.status, ({ calls }) => calls.status),
    };
  }

  #call<I extends DescMessage, O extends DescMessage>(
    method: { readonly name: string; readonly input: I; readonly output: O },
    handler: (process: Process) => (request: MessageShape<I>, context: never) => Promise<MessageInitShape<O>>,
  ): (request: MessageInitShape<I>, options: CallOptions) => Promise<MessageShape<O>> {
    const { network, descriptor, index } = this.#options;
    const caller = { deploymentId: descriptor.deploymentId, role: "orchestrator", name: "orchestrator-1" };
    return async (init, { signal, deadlineMs }) => {
      const process = this.#process;
      if (process === undefined) throw unavailable(index);
      const ended = AbortSignal.any([signal, process.ended.signal, deadlineSignal(network.clock, deadlineMs)]);
      const context = { method: method.name, caller, signal: ended, deadlineMs, traceId: undefined };
      const { promise: gone, reject } = Promise.withResolvers<never>();
      const onAbort = () =>
        reject(process.ended.signal.aborted ? process.ended.signal.reason : cancelled(ended.reason));
      ended.addEventListener("abort", onAbort, { once: true });
      if (ended.aborted) onAbort();
      const answer = handler(process)(create(method.input, init), context as never);
      const shape = await Promise.race([answer, gone]);
      return create(method.output, shape);
    };
  }
}

function cancelled(cause: unknown): CountersignError {
  const timeout = cause instanceof DOMException && cause.name === "TimeoutError";
  const entry = { kind: "outage", http: 504, grpc: timeout ? "DEADLINE_EXCEEDED" : "CANCELLED", meaning: "" } as const;
  return new CountersignError(timeout ? "rpc_deadline" : "rpc_cancelled", entry, "The call ended.", { cause });
}

/** The KEK's strength is tested where it lives; here it would only cost time. */
const plainKek: KekProvider = {
  kind: "simulation",
  wrap: async (dataKey) => dataKey.expose().slice(),
  unwrap: async (wrapped) => new Secret(wrapped.slice()),
};
