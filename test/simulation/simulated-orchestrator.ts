import { apply, type Descriptor, type Evidence } from "@countersign/authority";
import { identityBook, type SimulatedNetwork, watchPresence } from "@countersign/mesh";
import {
  candidatesOf,
  createKey,
  InFlight,
  KeyDirectory,
  type memoryCoordination,
  type Network,
  type Signed,
  type SignerClient,
  signRequest,
} from "@countersign/service-orchestrator";
import type { Rng } from "@countersign/threshold";
import type { CertifiedKey } from "@countersign/wire";
import { unavailable } from "./simulated-signer.ts";

type Coordination = ReturnType<typeof memoryCoordination>;
type Call<T> = (network: Network, keys: KeyDirectory, signal: AbortSignal) => Promise<T>;

export interface SimulatedOrchestratorOptions {
  readonly descriptor: Descriptor;
  readonly network: SimulatedNetwork;
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number;
  readonly rng: (boot: number) => Rng;
  readonly signers: ReadonlyMap<number, SignerClient>;
  /** Survives the orchestrator's process, as Redis does. */
  readonly coordination: Coordination;
}

interface Process {
  readonly network: Network;
  readonly keys: KeyDirectory;
  readonly ended: AbortController;
  readonly leave: () => void;
}

const NAME = "orchestrator-1";

/** An orchestrator with its real code, without gRPC. A crash forgets everything but the leases that it held. */
export class SimulatedOrchestrator {
  readonly #options: SimulatedOrchestratorOptions;
  #process: Process | undefined;
  #boots = 0;

  constructor(options: SimulatedOrchestratorOptions) {
    this.#options = options;
  }

  get isUp(): boolean {
    return this.#process !== undefined;
  }

  /** The running orchestrator's view of the network. */
  get network(): Network {
    return this.#running().network;
  }

  async start(): Promise<void> {
    if (this.#process !== undefined) return;
    const { descriptor, network, now, signers } = this.#options;
    const { deploymentId, nodes } = descriptor;
    const { clock } = network;
    const rng = this.#options.rng(this.#boots++);
    const ended = new AbortController();
    const pinned = nodes.map(({ index, id, identityKey }) => ({ index, id, publicKey: identityKey }));
    const wire = network.wire(NAME);
    const watch = await watchPresence({ deploymentId, name: NAME, nodes: pinned, wire, clock, rng });
    const inFlight = new InFlight();
    const view: Network = {
      descriptor,
      authority: apply(descriptor),
      signers,
      candidates: () => candidatesOf(descriptor, watch, inFlight),
      countSession: (parties) => inFlight.start(parties),
      ...identityBook(deploymentId, pinned),
      coordination: heldUntil(this.#options.coordination, ended.signal),
      now,
      clock,
      rng,
    };
    const leave = () => {
      watch.close();
      void wire.close();
    };
    this.#process = { network: view, keys: new KeyDirectory(view), ended, leave };
  }

  crash(): void {
    const process = this.#process;
    if (process === undefined) return;
    this.#process = undefined;
    process.ended.abort(unavailable("The orchestrator"));
    process.leave();
  }

  createKey(evidence: Evidence, deadlineMs: number): Promise<CertifiedKey> {
    return this.#call((network, keys, signal) => createKey(network, keys, evidence, { signal, deadlineMs }));
  }

  sign(evidence: Evidence, deadlineMs: number): Promise<Signed> {
    return this.#call((network, keys, signal) => signRequest(network, keys, evidence, { signal, deadlineMs }));
  }

  #running(): Process {
    if (this.#process === undefined) throw unavailable("The orchestrator");
    return this.#process;
  }

  async #call<T>(call: Call<T>): Promise<T> {
    const { network, keys, ended } = this.#running();
    const { promise: gone, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(ended.signal.reason);
    ended.signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await Promise.race([call(network, keys, ended.signal), gone]);
    } finally {
      ended.signal.removeEventListener("abort", onAbort);
    }
  }
}

/** Leases as a process holds them: one that has died gives none back, so that they only expire. */
function heldUntil(coordination: Coordination, ended: AbortSignal): Coordination {
  return {
    ...coordination,
    acquire: async (name, ttlMs) => {
      const lease = await coordination.acquire(name, ttlMs);
      if (lease === undefined) return undefined;
      return { ...lease, release: async () => (ended.aborted ? undefined : lease.release()) };
    },
  };
}
