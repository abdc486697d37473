import type { Evidence } from "@countersign/authority";
import { CountersignError } from "@countersign/errors";
import {
  type CreateKeyResponse,
  OrchestratorService,
  type SignResponse,
  type StatusResponse,
} from "@countersign/proto/orchestrator";
import { type CallOptions, type RpcClient, rpcClient, type TlsMaterial } from "@countersign/rpc";
import { evidenceToWire } from "@countersign/wire";
import { toNetworkError } from "./network-error.ts";

/** Time a call is given. */
export interface Deadline {
  /** Milliseconds from now. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

type Client = RpcClient<(typeof OrchestratorService)["method"]>;

/**
 * The orchestrators of a deployment, any of which may take any request. One that cannot be reached is passed over: signers count
 * attempts per approval, so asking a second one is safe. Raises what they raise for the request itself; what went wrong between
 * the services becomes `network_unavailable`, `network_deadline` or `network_failed`.
 */
export class Orchestrators {
  readonly #clients: readonly Client[];
  /** Where the next request begins: they take turns. */
  #turn = 0;

  /** `addresses` are `host:port`, one or more. */
  constructor(addresses: readonly string[], { deploymentId, tls }: { deploymentId: string; tls: TlsMaterial }) {
    const server = { deploymentId, role: "orchestrator" } as const;
    this.#clients = addresses.map((address) => rpcClient(OrchestratorService, { address, tls, server }));
  }

  createKey(evidence: Evidence, deadline: Deadline): Promise<CreateKeyResponse> {
    return this.#call(deadline, (client, options) => client.createKey({ evidence: evidenceToWire(evidence) }, options));
  }

  sign(evidence: Evidence, deadline: Deadline): Promise<SignResponse> {
    return this.#call(deadline, (client, options) => client.sign({ evidence: evidenceToWire(evidence) }, options));
  }

  status(deadline: Deadline): Promise<StatusResponse> {
    return this.#call(deadline, (client, options) => client.status({}, options));
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  async #call<T>(
    { deadlineMs, signal }: Deadline,
    call: (client: Client, options: CallOptions) => Promise<T>,
  ): Promise<T> {
    const endsAt = performance.now() + deadlineMs;
    const first = this.#turn++ % this.#clients.length;
    let last: unknown;
    for (const client of [...this.#clients.slice(first), ...this.#clients.slice(0, first)]) {
      const leftMs = Math.floor(endsAt - performance.now());
      if (leftMs < 1) break;
      try {
        return await call(client, { deadlineMs: leftMs, signal });
      } catch (error) {
        last = error;
        if (!(error instanceof CountersignError && error.code === "rpc_unavailable")) break;
      }
    }
    throw toNetworkError(last);
  }
}
