import { create, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { apply, type Descriptor, sessionHeads } from "@countersign/authority";
import { Secret } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import {
  connectMesh,
  identityBook,
  type Mesh,
  NodeIdentity,
  type SimulatedNetwork,
  startDeadline,
} from "@countersign/mesh";
import { SignerService } from "@countersign/proto/signer";
import type { CallOptions, SignerClient } from "@countersign/service-orchestrator";
import { Sessions, type SignerNode, signerCalls } from "@countersign/service-signer";
import type { Rng } from "@countersign/threshold";
import { type KekProvider, Vault } from "@countersign/vault";
import type { SimulatedStore } from "./simulated-disk.ts";
import type { Witness } from "./witness.ts";

type Rows = ReadonlyMap<string, Uint8Array>;
export type SignerCalls = ReturnType<typeof signerCalls>;

/** What a simulated node keeps while its process comes and goes. */
export interface SimulatedSignerOptions {
  readonly descriptor: Descriptor;
  readonly index: number;
  /** Seed of the node's identity, 32 bytes. */
  readonly seed: Uint8Array;
  readonly network: SimulatedNetwork;
  /** True time, milliseconds since 1970; the node's clock is off by `skewMs`. */
  readonly now: () => number;
  /** Fresh randomness per boot: a restarted process must not draw the same numbers. */
  readonly rng: (boot: number) => Rng;
  readonly openStore: (rows: Rows) => SimulatedStore;
  /** Default: nobody looks. */
  readonly witness?: Witness | undefined;
  /** Replaces calls of the real signer by flawed or hostile ones. Default: none. */
  readonly corrupt?: ((node: SignerNode, calls: SignerCalls) => Partial<SignerCalls>) | undefined;
}

/** What a call to a process that is down raises; the same code as over gRPC. */
export function unavailable(who: string): CountersignError {
  const entry = { kind: "outage", http: 503, grpc: "UNAVAILABLE", meaning: "" } as const;
  return new CountersignError("rpc_unavailable", entry, `${who} does not answer.`);
}

interface Process {
  readonly node: SignerNode;
  readonly calls: SignerCalls;
  readonly sessions: Sessions;
  readonly store: SimulatedStore;
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
  #rows: Rows = new Map();
  #boots = 0;
  #starting: Promise<void> | undefined;
  /** How far this node's wall clock is off, milliseconds; may jump at any time. */
  skewMs = 0;

  constructor(options: SimulatedSignerOptions) {
    this.#options = options;
  }

  get isUp(): boolean {
    return this.#process !== undefined;
  }

  /** The running node's parts. */
  get node(): SignerNode {
    return this.#running().node;
  }

  /** Sessions that the running node's calls hold open. */
  get sessionCount(): number {
    return this.#running().sessions.count;
  }

  /** What the disk holds now; for `restore`. */
  snapshot(): Rows {
    return this.#process?.store.durableRows() ?? this.#rows;
  }

  /** Puts an earlier disk under the node, as a careless restore of a backup does. The node must be down. */
  restore(rows: Rows): void {
    if (this.#process !== undefined) throw new Error("A running node's disk is not exchanged.");
    this.#rows = rows;
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
    const { descriptor, index, seed, network, openStore, corrupt } = this.#options;
    const now = () => this.#options.now() + this.skewMs;
    const rng = this.#options.rng(this.#boots++);
    const own = descriptor.nodes.find((node) => node.index === index);
    if (own === undefined) throw new Error(`No node ${index}.`);
    const { deploymentId } = descriptor;
    const { clock } = network;
    const identity = new NodeIdentity(new Secret(seed.slice()));
    const store = openStore(this.#rows);
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
    const ended = new AbortController();
    this.#watchSessions(mesh, store, ended.signal);
    const book = identityBook(deploymentId, nodes);
    const node: SignerNode = { descriptor, authority, self: index, identity, vault, mesh, ...book, now, clock, rng };
    const sessions = new Sessions();
    const honest = signerCalls(node, sessions);
    const calls = { ...honest, ...corrupt?.(node, honest) };
    const leave = () => {
      mesh.close();
      void wire.close();
    };
    this.#process = { node, calls, sessions, store, ended, leave };
  }

  crash(): void {
    const process = this.#process;
    if (process === undefined) return;
    this.#process = undefined;
    this.#rows = process.store.durableRows();
    process.ended.abort(unavailable(`Node ${this.#options.index}`));
    process.leave();
  }

  /** The node as an orchestrator calls it, without gRPC: a crash loses the answer. */
  client(): SignerClient {
    const { method } = SignerService;
    return {
      generate: this.#call(method.generate, ({ calls }) => calls.generate),
      sign: this.#call(method.sign, (process) => this.#witnessed(process)),
      keyState: this.#call(method.keyState, ({ calls }) => calls.keyState),
      settle: this.#call(method.settle, ({ calls }) => calls.settle),
      renounce: this.#call(method.renounce, ({ calls }) => calls.renounce),
      status: this.#call(method.status, ({ calls }) => calls.status),
    };
  }

  #running(): Process {
    if (this.#process === undefined) throw unavailable(`Node ${this.#options.index}`);
    return this.#process;
  }

  #witnessed({ calls, node, ended }: Process): SignerCalls["sign"] {
    const { witness } = this.#options;
    return async (request, context) => {
      const askedAt = node.now();
      const answer = create(SignerService.method.sign.output, await calls.sign(request, context));
      // Also when the caller has gone: the answer was on its way. What a dead process would have said never leaves it.
      if (!ended.signal.aborted) witness?.released({ request, answer, askedAt });
      return answer;
    };
  }

  #watchSessions(mesh: Mesh, store: SimulatedStore, ended: AbortSignal): void {
    const { witness } = this.#options;
    if (witness === undefined) return;
    const open = mesh.openSession.bind(mesh);
    mesh.openSession = (options) => {
      const session = open(options);
      const send = session.send.bind(session);
      session.send = (round, to, body) => {
        const entriesOnDisk = [...store.durableRows().keys()].filter((row) => row.startsWith("audit/")).length;
        if (!ended.aborted) witness.sent({ session: options, round, body: body.slice(), entriesOnDisk });
        return send(round, to, body);
      };
      return session;
    };
  }

  #call<I extends DescMessage, O extends DescMessage>(
    method: { readonly name: string; readonly input: I; readonly output: O },
    handler: (process: Process) => (request: MessageShape<I>, context: never) => Promise<MessageInitShape<O>>,
  ): (request: MessageInitShape<I>, options: CallOptions) => Promise<MessageShape<O>> {
    const { network, descriptor } = this.#options;
    const caller = { deploymentId: descriptor.deploymentId, role: "orchestrator", name: "orchestrator-1" };
    return async (init, { signal, deadlineMs }) => {
      const process = this.#running();
      using deadline = startDeadline(network.clock, deadlineMs);
      const ended = AbortSignal.any([signal, process.ended.signal, deadline.signal]);
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
