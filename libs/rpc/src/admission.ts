import type { CountersignError } from "@countersign/errors";
import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
} from "@grpc/grpc-js";
import { rpcError } from "./errors.ts";
import { type Identity, identityOf, type Role } from "./identity.ts";
import type { RpcLimits } from "./limits.ts";
import { toStatus } from "./status.ts";

/** What a handler knows about its call. */
export interface CallContext {
  /** Full method, for example `/countersign.signer.v1.SignerService/Sign`. */
  readonly method: string;
  /** Who calls, from the certificate that the connection was made with. */
  readonly caller: Identity;
  /** Aborts when the caller gives up, the deadline passes or the server shuts down; its reason is the error to raise. */
  readonly signal: AbortSignal;
  /** Milliseconds left, for the calls made on behalf of this one; 0 once the deadline passed. */
  readonly deadlineMs: number;
  /** W3C trace id, 32 hex digits, when the caller sent one. */
  readonly traceId: string | undefined;
}

/** Who may call a service, and for how long. */
export interface ServiceRule {
  readonly callers: readonly Role[];
  readonly deadlineDefaultMs: number;
  readonly deadlineMaxMs: number;
}

/**
 * Judges every call before its body is read: identity, role, number in flight, deadline. A caller that may not call, or that
 * opens calls and sends nothing, costs a stream and a timer, and its own share of streams only.
 */
export class Admission {
  readonly #deploymentId: string;
  readonly #callsPerCallerMax: number;
  readonly #rule: (method: string) => ServiceRule | undefined;
  readonly #calls = new WeakMap<Metadata, AdmittedCall>();
  readonly #open = new Set<AdmittedCall>();
  readonly #openPerCaller = new Map<string, number>();

  constructor(own: Identity, limits: RpcLimits, rule: (method: string) => ServiceRule | undefined) {
    this.#deploymentId = own.deploymentId;
    this.#callsPerCallerMax = limits.callsPerCallerMax;
    this.#rule = rule;
  }

  /** The call that this metadata object arrived with: the interceptor hands grpc-js the same object that it judged. */
  find(metadata: Metadata): AdmittedCall {
    const call = this.#calls.get(metadata);
    if (call === undefined) throw new Error("A call reached its handler without admission.");
    return call;
  }

  /** Answers every call in flight with an error and aborts its signal. */
  refuseAll(reason: CountersignError): void {
    for (const call of this.#open) call.refuse(reason);
  }

  /** Resolves once no call is in flight. */
  async idle(): Promise<void> {
    while (this.#open.size > 0) await Promise.race([...this.#open].map((call) => call.ended));
  }

  readonly interceptor: ServerInterceptor = (definition, call) => {
    let admitted: AdmittedCall | undefined;
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, deliver) => {
            const verdict = this.#judge(definition.path, metadata, certifiedNames(call));
            if ("refusal" in verdict) return call.sendStatus(toStatus(verdict.refusal));
            admitted = this.#admit(definition.path, metadata, verdict, Number(call.getDeadline()), (error) =>
              call.sendStatus(toStatus(error)),
            );
            deliver(metadata);
          },
          onCancel: () => admitted?.end(),
        }),
      sendStatus: (status, next) => {
        // Before the status leaves: grpc-js reports a finished call as cancelled, and a handler's signal must not fire for that.
        admitted?.finish();
        next(status);
      },
    });
  };

  #judge(path: string, metadata: Metadata, names: string | undefined): Verdict | { refusal: CountersignError } {
    const caller = identityOf(names);
    const rule = this.#rule(path);
    if (caller === undefined)
      return { refusal: rpcError("rpc_unauthenticated", "The caller's certificate names no countersign:// identity.") };
    if (caller.deploymentId !== this.#deploymentId)
      return {
        refusal: rpcError(
          "rpc_unauthenticated",
          `The caller belongs to deployment ${caller.deploymentId}, expected ${this.#deploymentId}.`,
        ),
      };
    if (rule === undefined || !rule.callers.includes(caller.role))
      return { refusal: rpcError("rpc_role_refused", `Role ${caller.role} may not call ${path}.`) };
    if ((this.#openPerCaller.get(keyOf(caller)) ?? 0) >= this.#callsPerCallerMax)
      return {
        refusal: rpcError("rpc_overloaded", `${keyOf(caller)} has ${this.#callsPerCallerMax} calls in flight already.`),
      };
    return { caller, rule, traceId: traceId(metadata) };
  }

  #admit(
    method: string,
    metadata: Metadata,
    { caller, rule, traceId }: Verdict,
    callerDeadline: number,
    answer: (error: CountersignError) => void,
  ): AdmittedCall {
    const key = keyOf(caller);
    const wanted = Number.isFinite(callerDeadline) ? callerDeadline - Date.now() : rule.deadlineDefaultMs;
    const call = new AdmittedCall({
      method,
      caller,
      traceId,
      deadlineMs: Math.max(0, Math.min(wanted, rule.deadlineMaxMs)),
      answer,
      onEnd: () => {
        this.#open.delete(call);
        const left = (this.#openPerCaller.get(key) ?? 1) - 1;
        if (left === 0) this.#openPerCaller.delete(key);
        else this.#openPerCaller.set(key, left);
      },
    });
    this.#open.add(call);
    this.#openPerCaller.set(key, (this.#openPerCaller.get(key) ?? 0) + 1);
    this.#calls.set(metadata, call);
    return call;
  }
}

interface Verdict {
  readonly caller: Identity;
  readonly rule: ServiceRule;
  readonly traceId: string | undefined;
}

interface AdmittedCallOptions {
  readonly method: string;
  readonly caller: Identity;
  readonly traceId: string | undefined;
  readonly deadlineMs: number;
  readonly answer: (error: CountersignError) => void;
  readonly onEnd: () => void;
}

/** One call from its headers to its status. */
export class AdmittedCall implements CallContext {
  readonly method: string;
  readonly caller: Identity;
  readonly traceId: string | undefined;
  readonly #deadline: number;
  readonly #abort = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #answer: (error: CountersignError) => void;
  readonly #onEnd: () => void;
  readonly #ending = Promise.withResolvers<void>();
  #ended = false;

  constructor(options: AdmittedCallOptions) {
    this.method = options.method;
    this.caller = options.caller;
    this.traceId = options.traceId;
    this.#answer = options.answer;
    this.#onEnd = options.onEnd;
    this.#deadline = performance.now() + options.deadlineMs;
    this.#timer = setTimeout(
      () => this.refuse(rpcError("rpc_deadline", `${this.method} did not end within its deadline.`)),
      options.deadlineMs,
    );
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get deadlineMs(): number {
    return Math.max(0, this.#deadline - performance.now());
  }

  /** Resolves when the call has its answer or lost its stream; its handler may still run. */
  get ended(): Promise<void> {
    return this.#ending.promise;
  }

  /** Ends the call with an error without waiting for its handler, which learns it from the signal. */
  refuse(error: CountersignError): void {
    if (this.#ended) return;
    this.#abort.abort(error);
    this.#answer(error);
    this.finish();
  }

  /** The call got its answer: its signal stays quiet from here on. */
  finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#onEnd();
    this.#ending.resolve();
  }

  /** The stream is gone. Without an answer that means: cancelled, or grpc-js's own deadline timer came first. */
  end(): void {
    if (this.#ended) return;
    const code = this.deadlineMs <= DEADLINE_SLACK_MS ? "rpc_deadline" : "rpc_cancelled";
    this.#abort.abort(rpcError(code, `${this.method} ended before its answer.`));
    this.finish();
  }
}

/** grpc-js counts the deadline from the same header, a few milliseconds earlier. */
const DEADLINE_SLACK_MS = 20;

/** Names in the certificate that each connection was made with: a connection's certificate never changes under TLS 1.3. */
const namesByConnection = new WeakMap<object, string>();

/** Subject alternative names of the caller. grpc-js describes the whole certificate for every call, at 0.1 ms; once is enough. */
function certifiedNames(call: ServerInterceptingCallInterface): string | undefined {
  const connection = connectionOf(call);
  const known = connection && namesByConnection.get(connection);
  if (known !== undefined) return known;
  const names = call.getAuthContext().sslPeerCertificate?.subjectaltname;
  if (connection !== undefined && names !== undefined) namesByConnection.set(connection, names);
  return names;
}

/** The call's connection, by a field of grpc-js's own; undefined, and the names are asked for anew, should it ever be gone. */
function connectionOf(call: object): object | undefined {
  const stream: unknown = Reflect.get(call, "stream");
  const connection = typeof stream === "object" && stream !== null ? Reflect.get(stream, "session") : undefined;
  return typeof connection === "object" && connection !== null ? connection : undefined;
}

function keyOf(caller: Identity): string {
  return `${caller.role}/${caller.name}`;
}

const TRACE_PARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/;

function traceId(metadata: Metadata): string | undefined {
  const [value] = metadata.get("traceparent");
  return typeof value === "string" ? TRACE_PARENT.exec(value)?.[1] : undefined;
}
