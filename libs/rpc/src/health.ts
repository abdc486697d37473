import { Health, HealthCheckResponse_ServingStatus as ServingStatus } from "@countersign/proto/health";
import { rpcError } from "./errors.ts";
import { WATCH_MS_MAX } from "./limits.ts";
import { type Implementation, implement } from "./service.ts";

/** The server as a whole, in the words of the health protocol. */
export const OVERALL = "";

/** The standard health service (grpc.health.v1) of one server. */
export class HealthBoard {
  readonly #statuses: Map<string, ServingStatus>;
  readonly #watchers = new Set<() => void>();
  #closed = false;

  constructor(services: readonly string[], serving: boolean) {
    this.#statuses = new Map([OVERALL, ...services].map((service) => [service, statusOf(serving)]));
  }

  /** Sets one service or, with `OVERALL`, the server. Unknown services are a bug. */
  set(service: string, serving: boolean): void {
    if (!this.#statuses.has(service)) throw new Error(`This server has no service ${JSON.stringify(service)}.`);
    if (this.#closed) return;
    this.#statuses.set(service, statusOf(serving));
    this.#notify();
  }

  /** Tells everyone that nothing is served any more and ends the watches, which would keep a drain waiting. */
  close(): void {
    for (const service of this.#statuses.keys()) this.#statuses.set(service, ServingStatus.NOT_SERVING);
    this.#closed = true;
    this.#notify();
  }

  /** The service to serve; every role of the deployment may ask. */
  implementation(): Implementation {
    return implement(
      Health,
      {
        check: async ({ service }) => {
          const status = this.#statuses.get(service);
          if (status === undefined)
            throw rpcError("rpc_service_unknown", `There is no service ${JSON.stringify(service)}.`);
          return { status };
        },
        watch: ({ service }, { signal }) => this.#watch(service, signal),
      },
      {
        callers: ["api", "orchestrator", "signer", "operator"],
        deadlineDefaultMs: WATCH_MS_MAX,
        deadlineMaxMs: WATCH_MS_MAX,
      },
    );
  }

  async *#watch(service: string, signal: AbortSignal): AsyncGenerator<{ status: ServingStatus }> {
    let told: ServingStatus | undefined;
    let wake = () => {};
    const notified = () => wake();
    this.#watchers.add(notified);
    signal.addEventListener("abort", notified);
    try {
      while (!signal.aborted) {
        const status = this.#statuses.get(service) ?? ServingStatus.SERVICE_UNKNOWN;
        const changed = new Promise<void>((resolve) => {
          wake = resolve;
        });
        if (status !== told) {
          told = status;
          yield { status };
        } else if (this.#closed) return;
        else await changed; // Only the newest status is worth sending, so nothing is queued.
      }
    } finally {
      this.#watchers.delete(notified);
      signal.removeEventListener("abort", notified);
    }
  }

  #notify(): void {
    for (const notified of this.#watchers) notified();
  }
}

function statusOf(serving: boolean): ServingStatus {
  return serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
}
