import type { DescMessage, DescService, Message, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { CallContext } from "./admission.ts";
import type { Role } from "./identity.ts";

/** The methods of a generated service (`GenService`), as its types carry them. */
export type ServiceMethods = Readonly<
  Record<string, { readonly methodKind: string; readonly input: DescMessage; readonly output: DescMessage }>
>;

/** A generated service descriptor. */
export type ServiceDescriptor<M extends ServiceMethods = ServiceMethods> = Omit<DescService, "method"> & {
  readonly method: M;
};

/** One function per method; a method that streams its responses is an async generator. Client streams are not supported. */
export type Handlers<M extends ServiceMethods> = {
  readonly [K in keyof M]: M[K]["methodKind"] extends "unary"
    ? (request: MessageShape<M[K]["input"]>, context: CallContext) => Promise<MessageInitShape<M[K]["output"]>>
    : M[K]["methodKind"] extends "server_streaming"
      ? (request: MessageShape<M[K]["input"]>, context: CallContext) => AsyncIterable<MessageInitShape<M[K]["output"]>>
      : never;
};

/** What is served for one service. */
export interface Implementation {
  readonly service: Omit<DescService, "method">;
  readonly handlers: Readonly<Record<string, AnyHandler>>;
  readonly rule: ImplementationRule;
}

/** Who may call, and bounds that differ from the server's. */
export interface ImplementationRule {
  /** Roles that may call any method of the service. */
  readonly callers: readonly Role[];
  /** Deadline of a call that brings none, milliseconds. Default: the server's. */
  readonly deadlineDefaultMs?: number;
  /** Longest deadline, milliseconds. Default: the server's. */
  readonly deadlineMaxMs?: number;
}

/** A handler without its types, as the transport sees it. */
export type AnyHandler = (request: Message, context: CallContext) => Promise<unknown> | AsyncIterable<unknown>;

/** Ties handlers to a service. Handlers may raise any `CountersignError`; it reaches the caller with code and details. */
export function implement<M extends ServiceMethods>(
  service: ServiceDescriptor<M>,
  handlers: Handlers<M>,
  rule: ImplementationRule,
): Implementation {
  for (const method of service.methods)
    if (method.methodKind !== "unary" && method.methodKind !== "server_streaming")
      throw new Error(`${service.typeName}.${method.name}: client streams are not supported.`);
  // The types above already tied each handler to its method; past this point only bytes and descriptors matter.
  return { service, handlers: handlers as unknown as Implementation["handlers"], rule };
}
