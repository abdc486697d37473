import { randomBytes } from "node:crypto";
import type { DescMethod, Message, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { CountersignError } from "@countersign/errors";
import {
  Client,
  connectivityState,
  type CallOptions as GrpcCallOptions,
  logVerbosity,
  Metadata,
  type ServiceError,
  setLogVerbosity,
} from "@grpc/grpc-js";
import { rpcError } from "./errors.ts";
import type { ExpectedIdentity } from "./identity.ts";
import {
  CONNECT_MS_MAX,
  DEADLINE_DEFAULT_MS,
  KEEPALIVE_MS,
  KEEPALIVE_MS_MAX,
  MESSAGE_BYTES_MAX,
  RECONNECT_MS_MAX,
  RECONNECT_MS_MIN,
} from "./limits.ts";
import { decodeMessage, encodeMessage, sameBytes } from "./messages.ts";
import { pathOf } from "./server.ts";
import type { ServiceDescriptor, ServiceMethods } from "./service.ts";
import { fromStatus } from "./status.ts";
import { clientCredentials, type TlsMaterial } from "./tls.ts";

/** Where and to whom a client speaks. */
export interface RpcClientOptions {
  /** `host:port`. */
  readonly address: string;
  readonly tls: TlsMaterial;
  /** Who must answer there, by the server's certificate: deployment, role and, unless any replica will do, name. Its host name does not matter. */
  readonly server: ExpectedIdentity;
  /** Deadline of a call that names none, milliseconds. Default 10,000. */
  readonly defaultDeadlineMs?: number;
  /** Largest message either way, bytes. Default 4 MiB. */
  readonly messageBytesMax?: number;
}

/** What a call may say. */
export interface CallOptions {
  /** Milliseconds until the call ends with `rpc_deadline`; it travels with the call. */
  readonly deadlineMs?: number;
  /** W3C trace id to send along, 32 hex digits. */
  readonly traceId?: string;
  /** Ends the call with `rpc_cancelled` on both sides. */
  readonly signal?: AbortSignal;
}

/** One method per rpc; `close` ends the connection and every call in flight. */
export type RpcClient<M extends ServiceMethods> = {
  readonly [K in keyof M]: (
    request: MessageInitShape<M[K]["input"]>,
    options?: CallOptions,
  ) => M[K]["methodKind"] extends "unary"
    ? Promise<MessageShape<M[K]["output"]>>
    : M[K]["methodKind"] extends "server_streaming"
      ? AsyncGenerator<MessageShape<M[K]["output"]>, void, undefined>
      : never;
} & { close(): void };

/**
 * Makes a client of a generated service. It connects with the first call and again after a loss; nothing is retried. Calls
 * raise what the other service raised (`RemoteError`) or an `rpc_…` code. Raises `rpc_certificate_invalid`.
 */
export function rpcClient<M extends ServiceMethods>(
  service: ServiceDescriptor<M>,
  options: RpcClientOptions,
): RpcClient<M> {
  setLogVerbosity(logVerbosity.NONE); // It writes to standard error what already reaches callers as errors.
  const connection = new Connection(options);
  const methods = service.methods.map((method) => [
    method.localName,
    (request: unknown, call: CallOptions = {}) =>
      method.methodKind === "unary"
        ? connection.unary(method, request, call)
        : connection.stream(method, request, call),
  ]);
  // The descriptor gives each method its types; what was built from its list of methods has them by construction.
  return Object.assign(Object.fromEntries(methods), { close: () => connection.close() }) as RpcClient<M>;
}

const CHANNEL_OPTIONS = {
  "grpc.initial_reconnect_backoff_ms": RECONNECT_MS_MIN,
  "grpc.max_reconnect_backoff_ms": RECONNECT_MS_MAX,
  "grpc.dns_min_time_between_resolutions_ms": RECONNECT_MS_MAX,
  "grpc.keepalive_time_ms": KEEPALIVE_MS,
  "grpc.keepalive_timeout_ms": KEEPALIVE_MS_MAX,
  "grpc.keepalive_permit_without_calls": 1,
  // A second attempt is the caller's decision: it needs a new session.
  "grpc.enable_retries": 0,
  // Neither DNS nor the environment may change where or how we connect.
  "grpc.service_config_disable_resolution": 1,
  "grpc.enable_http_proxy": 0,
  "grpc.use_local_subchannel_pool": 1,
  "grpc.enable_channelz": 0,
  // Server name indication cannot carry an IP address; the server is known by its identity, not by this name.
  "grpc.ssl_target_name_override": "countersign",
};

/** A call in flight as the connection sees it. */
interface Flight {
  cancel(): void;
  /** Why it was cancelled on this side; stands for the bare status that grpc-js then reports. */
  reason: CountersignError | undefined;
}

class Connection {
  readonly #options: RpcClientOptions;
  readonly #bytesMax: number;
  readonly #flights = new Set<Flight>();
  #client: Client;
  #closed = false;

  constructor(options: RpcClientOptions) {
    this.#options = options;
    this.#bytesMax = options.messageBytesMax ?? MESSAGE_BYTES_MAX;
    this.#client = this.#connect();
  }

  async unary(method: DescMethod, request: unknown, options: CallOptions): Promise<Message> {
    const bytes = this.#prepare(method, request, options);
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const call = this.#client.makeUnaryRequest(
      pathOf(method),
      sameBytes,
      sameBytes,
      bytes,
      metadataOf(options),
      this.#grpcOptions(options),
      (error, response) => (error === null ? resolve(response ?? Buffer.alloc(0)) : reject(error)),
    );
    const { flight, land } = this.#launch(method, call, options);
    try {
      return decodeMessage(method.output, await promise);
    } catch (error) {
      throw this.#failure(error, method, flight);
    } finally {
      land();
    }
  }

  async *stream(method: DescMethod, request: unknown, options: CallOptions): AsyncGenerator<Message, void, undefined> {
    const bytes = this.#prepare(method, request, options);
    const call = this.#client.makeServerStreamRequest(
      pathOf(method),
      sameBytes,
      sameBytes,
      bytes,
      metadataOf(options),
      this.#grpcOptions(options),
    );
    // After an early return nobody reads the stream, and the status of the cancelled call would be an unhandled `error` event.
    call.on("error", () => {});
    const { flight, land } = this.#launch(method, call, options);
    try {
      // A bare `for await` destroys the stream on return, and can hang when the call ended in between.
      for await (const response of call.iterator({ destroyOnReturn: false }))
        yield decodeMessage(method.output, response);
    } catch (error) {
      throw this.#failure(error, method, flight);
    } finally {
      land();
      call.cancel();
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#abort("rpc_cancelled", "The client was closed.");
    this.#client.close();
  }

  #connect(): Client {
    const { address, tls, server } = this.#options;
    return new Client(address, clientCredentials(tls, server), {
      ...CHANNEL_OPTIONS,
      "grpc.max_receive_message_length": this.#bytesMax,
      "grpc.max_send_message_length": -1,
    });
  }

  #prepare(method: DescMethod, request: unknown, { signal }: CallOptions): Buffer {
    if (this.#closed) throw rpcError("rpc_cancelled", `${pathOf(method)}: the client is closed.`);
    if (signal?.aborted) throw cancelled(method, signal);
    return encodeMessage(method.input, request as never, this.#bytesMax);
  }

  #grpcOptions({ deadlineMs = this.#options.defaultDeadlineMs ?? DEADLINE_DEFAULT_MS }: CallOptions): GrpcCallOptions {
    return { deadline: Date.now() + deadlineMs };
  }

  /** Ties a started call to its signal, to `close` and to the bound on connecting. */
  #launch(method: DescMethod, call: { cancel(): void }, { signal }: CallOptions): { flight: Flight; land: () => void } {
    const flight: Flight = { cancel: () => call.cancel(), reason: undefined };
    const onAbort = () => {
      if (signal !== undefined) flight.reason ??= cancelled(method, signal);
      call.cancel();
    };
    const connecting = this.#isConnected() ? undefined : setTimeout(() => this.#giveUpConnecting(), CONNECT_MS_MAX);
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#flights.add(flight);
    const land = () => {
      clearTimeout(connecting);
      signal?.removeEventListener("abort", onAbort);
      this.#flights.delete(flight);
    };
    return { flight, land };
  }

  #isConnected(): boolean {
    return this.#client.getChannel().getConnectivityState(false) === connectivityState.READY;
  }

  /**
   * grpc-js puts no bound on one attempt to connect: towards a host that swallows packets, or a paused process, it would hold
   * every call to its deadline and come back long after the host did. A new channel starts a new attempt.
   */
  #giveUpConnecting(): void {
    if (this.#closed || this.#isConnected()) return;
    this.#abort("rpc_unavailable", `${this.#options.address} did not accept a connection within ${CONNECT_MS_MAX} ms.`);
    this.#client.close();
    this.#client = this.#connect();
  }

  #abort(code: "rpc_unavailable" | "rpc_cancelled", message: string): void {
    for (const flight of this.#flights) {
      flight.reason ??= rpcError(code, message);
      flight.cancel();
    }
  }

  #failure(error: unknown, method: DescMethod, flight: Flight): unknown {
    if (flight.reason !== undefined) return flight.reason;
    if (error instanceof CountersignError || !isServiceError(error)) return error;
    return fromStatus(error, { method: pathOf(method), address: this.#options.address });
  }
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "metadata" in error;
}

function cancelled(method: DescMethod, signal: AbortSignal): CountersignError {
  const cause: unknown = signal.reason;
  // `AbortSignal.timeout` is a deadline by another name; a reason of ours says better what happened than we can.
  if (cause instanceof CountersignError) return cause;
  const code = cause instanceof Error && cause.name === "TimeoutError" ? "rpc_deadline" : "rpc_cancelled";
  return rpcError(code, `${pathOf(method)}: the caller gave up.`, { cause });
}

function metadataOf({ traceId }: CallOptions): Metadata {
  const metadata = new Metadata();
  if (traceId !== undefined) metadata.set("traceparent", `00-${traceId}-${randomBytes(8).toString("hex")}-01`);
  return metadata;
}
