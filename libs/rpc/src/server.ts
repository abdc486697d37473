import { once } from "node:events";
import { isIPv6 } from "node:net";
import type { DescMethod } from "@bufbuild/protobuf";
import { CountersignError } from "@countersign/errors";
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  logVerbosity,
  Server,
  type ServerErrorResponse,
  type ServiceDefinition,
  setLogVerbosity,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { Admission, type AdmittedCall, type CallContext, type ServiceRule } from "./admission.ts";
import { rpcError } from "./errors.ts";
import { HealthBoard } from "./health.ts";
import type { Identity } from "./identity.ts";
import {
  ABORT_MS_MAX,
  DEFAULT_LIMITS,
  FLUSH_MS_MAX,
  KEEPALIVE_MS,
  KEEPALIVE_MS_MAX,
  type RpcLimits,
} from "./limits.ts";
import { decodeRequest, encodeMessage, sameBytes } from "./messages.ts";
import type { AnyHandler, Implementation } from "./service.ts";
import { toStatus } from "./status.ts";
import { ownIdentity, serverCredentials, type TlsMaterial } from "./tls.ts";

/** What a server needs. */
export interface ServeOptions {
  /** Port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly tls: TlsMaterial;
  /** Who the certificate must say this is. Default: whoever it says. */
  readonly identity?: Identity;
  readonly services: readonly Implementation[];
  /** Bounds that differ from the defaults. */
  readonly limits?: Partial<RpcLimits>;
  /** First answer of the health service. Default `true`; `false` for a server that listens before it can serve. */
  readonly serving?: boolean;
  /** Told of every failure that is a bug on this side, because the caller only learns `internal`. Default: nobody. */
  readonly onFailure?: (error: unknown, call: CallContext) => void;
}

/** A running server. */
export interface RpcServer {
  /** `host:port` with the port really bound. */
  readonly address: string;
  readonly port: number;
  /** This server's own identity, from its certificate. */
  readonly identity: Identity;
  /** Sets what health checks answer for a service's full name, or for the server (`OVERALL`). */
  setServing(service: string, serving: boolean): void;
  /**
   * Takes no new call, lets running ones end within `graceMs` milliseconds, aborts the rest. Resolves, within another second,
   * to whether every call ended by itself.
   */
  close(options: { readonly graceMs: number }): Promise<boolean>;
}

/**
 * Serves gRPC over mutual TLS 1.3 to other services of the deployment, with the standard health service beside. Raises
 * `rpc_certificate_invalid` and `rpc_listen_failed`.
 */
export async function serveRpc(options: ServeOptions): Promise<RpcServer> {
  setLogVerbosity(logVerbosity.NONE); // It writes to standard error what already reaches callers as errors.
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const identity = ownIdentity(options.tls, options.identity);
  const health = new HealthBoard(
    options.services.map(({ service }) => service.typeName),
    options.serving ?? true,
  );
  const implementations = [...options.services, health.implementation()];
  const rules = rulesByMethod(implementations, limits);
  const admission = new Admission(identity, limits, (method) => rules.get(method));
  const running = new Set<Promise<void>>();
  const server = new Server({
    interceptors: [admission.interceptor],
    "grpc.max_receive_message_length": limits.requestBytesMax,
    // Ours is checked first and answers with a code; grpc-js would leave the handler's write waiting.
    "grpc.max_send_message_length": -1,
    "grpc.keepalive_time_ms": KEEPALIVE_MS,
    "grpc.keepalive_timeout_ms": KEEPALIVE_MS_MAX,
    "grpc.enable_channelz": 0,
  });
  const serve = { admission, running, limits, onFailure: options.onFailure ?? (() => {}) };
  for (const { service, handlers } of implementations)
    server.addService(definitionOf(service.methods), methodsOf(service.methods, handlers, serve));
  const port = await bind(server, options, limits);
  let ended: Promise<boolean> | undefined;
  const close = (graceMs: number) => {
    health.close();
    return shutDown(server, serve, graceMs);
  };

  return {
    address: `${bracketed(options.listen.host)}:${port}`,
    port,
    identity,
    setServing: (service, serving) => health.set(service, serving),
    close: (closing) => {
      ended ??= close(closing.graceMs);
      return ended;
    },
  };
}

interface Serve {
  readonly admission: Admission;
  readonly running: Set<Promise<void>>;
  readonly limits: RpcLimits;
  readonly onFailure: (error: unknown, call: CallContext) => void;
}

function rulesByMethod(implementations: readonly Implementation[], limits: RpcLimits): Map<string, ServiceRule> {
  return new Map(
    implementations.flatMap(({ service, rule }) => {
      const { deadlineDefaultMs, deadlineMaxMs } = limits;
      const complete = { deadlineDefaultMs, deadlineMaxMs, ...rule };
      return service.methods.map((method): [string, ServiceRule] => [pathOf(method), complete]);
    }),
  );
}

/** Path of a method on the wire. */
export function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function definitionOf(methods: readonly DescMethod[]): ServiceDefinition {
  return Object.fromEntries(
    methods.map((method) => [
      method.localName,
      {
        path: pathOf(method),
        requestStream: false,
        responseStream: method.methodKind === "server_streaming",
        requestSerialize: sameBytes,
        requestDeserialize: sameBytes,
        responseSerialize: sameBytes,
        responseDeserialize: sameBytes,
      },
    ]),
  );
}

function methodsOf(
  methods: readonly DescMethod[],
  handlers: Readonly<Record<string, AnyHandler>>,
  serve: Serve,
): UntypedServiceImplementation {
  return Object.fromEntries(
    methods.map((method) => {
      const handler = handlers[method.localName];
      if (handler === undefined) throw new Error(`${pathOf(method)} has no handler.`);
      return [
        method.localName,
        method.methodKind === "unary" ? unary(method, handler, serve) : streaming(method, handler, serve),
      ];
    }),
  );
}

function unary(method: DescMethod, handler: AnyHandler, serve: Serve): handleUnaryCall<Buffer, Buffer> {
  return (call, answer) => {
    const context = serve.admission.find(call.metadata);
    track(serve, async () => {
      try {
        const response = await Promise.resolve(handler(decodeRequest(method.input, call.request), context));
        answer(null, encodeMessage(method.output, asInit(response), serve.limits.responseBytesMax));
      } catch (error) {
        answer(failure(error, context, serve));
      }
    });
  };
}

function streaming(method: DescMethod, handler: AnyHandler, serve: Serve): handleServerStreamingCall<Buffer, Buffer> {
  return (call) => {
    const context = serve.admission.find(call.metadata);
    track(serve, async () => {
      try {
        const responses = asIterable(handler(decodeRequest(method.input, call.request), context));
        for await (const response of responses) {
          context.signal.throwIfAborted();
          const bytes = encodeMessage(method.output, asInit(response), serve.limits.responseBytesMax);
          // The caller reads slower than the handler writes: wait, so that at most grpc-js's window is held.
          if (!call.write(bytes)) await once(call, "drain", { signal: context.signal });
        }
        context.signal.throwIfAborted();
        call.end();
      } catch (error) {
        // grpc-js turns an `error` event into the final status, after what was written before it.
        call.emit("error", failure(context.signal.aborted ? context.signal.reason : error, context, serve));
      }
    });
  };
}

function track({ running }: Serve, work: () => Promise<void>): void {
  const done = work().finally(() => running.delete(done));
  running.add(done);
}

function failure(error: unknown, call: AdmittedCall, { onFailure }: Serve): ServerErrorResponse {
  // A handler that passed its signal on gets it back as the rejection of whatever it waited for.
  const raised = call.signal.aborted && isAbort(error) ? call.signal.reason : error;
  if (!(raised instanceof CountersignError) || raised.kind === "bug") onFailure(raised, call);
  return Object.assign(new Error("answered with a status"), toStatus(raised));
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

/** Handlers are typed where they are implemented (`Handlers`); here their results are only passed to the encoder. */
function asInit(response: unknown): never {
  return response as never;
}

function asIterable(responses: Promise<unknown> | AsyncIterable<unknown>): AsyncIterable<unknown> {
  if (Symbol.asyncIterator in responses) return responses;
  throw new Error("A streaming handler must return an async iterable.");
}

async function bind(server: Server, { listen, tls }: ServeOptions, limits: RpcLimits): Promise<number> {
  const address = `${bracketed(listen.host)}:${listen.port}`;
  // The connection's own bound is the caller's: a second connection gains nothing because admission counts by identity.
  const credentials = serverCredentials(tls, limits.callsPerCallerMax);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync(address, credentials, (cause, port) => {
    if (cause === null) resolve(port);
    else reject(rpcError("rpc_listen_failed", `Cannot listen on ${address}: ${cause.message}`, { cause }));
  });
  return promise;
}

function bracketed(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

async function shutDown(server: Server, { admission, running }: Serve, graceMs: number): Promise<boolean> {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  server.tryShutdown(() => resolve());
  // Calls are waited for, not sockets: one that never shook hands would hold the drain for as long as it likes.
  const idle = admission.idle().then(() => Promise.all(running));
  const drained = await within(graceMs, idle);
  if (!drained) {
    admission.refuseAll(rpcError("rpc_unavailable", "The service is shutting down."));
    await within(ABORT_MS_MAX, idle);
  }
  await within(FLUSH_MS_MAX, closed);
  server.forceShutdown();
  return drained;
}

async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), ms);
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
