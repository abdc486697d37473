import { CountersignError, type ErrorDetails, type ErrorEntry, type ErrorKind } from "@countersign/errors";
import { Metadata, type ServiceError, type StatusObject, status as statuses } from "@grpc/grpc-js";
import { rpcError, type rpcErrors } from "./errors.ts";

/** Carries an error's code and details beside the gRPC status. */
const ERROR_KEY = "countersign-error-bin";
/** A sentence; a longer one is cut so that trailers stay within HTTP/2's header limit. */
const MESSAGE_LENGTH_MAX = 1_000;
/** Ids and numbers; larger details stay in the log of the side that raised them. */
const DETAILS_LENGTH_MAX = 4_000;
const CODE = /^[a-z][a-z0-9_]{1,63}$/;
const KINDS: readonly ErrorKind[] = ["refusal", "abort", "outage", "bug"];

/** An error that the other service raised: its code, kind and details as given there, its message for people. */
export class RemoteError extends CountersignError {
  constructor(code: string, entry: ErrorEntry, message: string, details: ErrorDetails) {
    super(code, entry, message, { details });
    this.name = "RemoteError";
  }
}

/**
 * What goes over the wire for an error. Ours travel with code, kind, HTTP status, message and details; `cause` and stack never
 * do. Anything else becomes `internal` without its message, which may hold anything.
 */
export function toStatus(error: unknown): StatusObject {
  const known = error instanceof CountersignError ? error : rpcError("internal", "The service failed.");
  const { code, kind, http, details } = known;
  // grpc-js passes the message through encodeURI, which throws on half a surrogate pair.
  const message = known.message.slice(0, MESSAGE_LENGTH_MAX).toWellFormed();
  const detailed = JSON.stringify({ code, kind, http, message, details });
  const text =
    detailed.length <= DETAILS_LENGTH_MAX ? detailed : JSON.stringify({ code, kind, http, message, details: {} });
  const metadata = new Metadata();
  metadata.set(ERROR_KEY, Buffer.from(text));
  return { code: statuses[known.grpc], details: message, metadata };
}

/** The error of a call that ended with a status: the other service's own when it sent one, else ours for the bare status. */
export function fromStatus(error: ServiceError, at: { method: string; address: string }): CountersignError {
  return remoteError(error) ?? bareStatus(error, at);
}

function remoteError(error: ServiceError): RemoteError | undefined {
  const [value] = error.metadata.get(ERROR_KEY);
  if (value === undefined) return undefined;
  try {
    const { code, kind, http, message, details }: Record<string, unknown> = JSON.parse(value.toString());
    const known = KINDS.find((candidate) => candidate === kind);
    const grpc = statusName(error.code);
    // A hostile service may send anything here: what is not exactly of the form is treated as a bare status.
    if (typeof code !== "string" || !CODE.test(code) || known === undefined || grpc === undefined) return undefined;
    if (typeof http !== "number" || !Number.isInteger(http) || http < 400 || http > 599) return undefined;
    if (typeof message !== "string" || message.length > MESSAGE_LENGTH_MAX) return undefined;
    const entry: ErrorEntry = { kind: known, http, grpc, meaning: "Raised by another service." };
    return new RemoteError(code, entry, message, readDetails(details));
  } catch {
    // Not JSON, or not an object: the bare status says enough.
    return undefined;
  }
}

function readDetails(details: unknown): ErrorDetails {
  if (typeof details !== "object" || details === null || JSON.stringify(details).length > DETAILS_LENGTH_MAX) return {};
  const atom = (value: unknown) => typeof value === "string" || typeof value === "number";
  return Object.fromEntries(
    Object.entries(details).filter(
      ([, value]) => atom(value) || typeof value === "boolean" || (Array.isArray(value) && value.every(atom)),
    ),
  );
}

const BARE: Partial<Record<number, keyof typeof rpcErrors>> = {
  [statuses.CANCELLED]: "rpc_cancelled",
  [statuses.DEADLINE_EXCEEDED]: "rpc_deadline",
  [statuses.PERMISSION_DENIED]: "rpc_role_refused",
  [statuses.UNIMPLEMENTED]: "rpc_unimplemented",
  [statuses.UNAVAILABLE]: "rpc_unavailable",
  [statuses.UNAUTHENTICATED]: "rpc_unauthenticated",
};

function bareStatus(error: ServiceError, { method, address }: { method: string; address: string }): CountersignError {
  // grpc-js uses one status for its size limits and for a peer that asks to calm down; only its words tell them apart.
  const exhausted = /larger than/.test(error.details) ? "rpc_too_large" : "rpc_overloaded";
  const code = error.code === statuses.RESOURCE_EXHAUSTED ? exhausted : (BARE[error.code] ?? "rpc_failed");
  const details = error.details.slice(0, MESSAGE_LENGTH_MAX);
  return rpcError(code, `${method} at ${address}: ${details}`, { details: { method, address }, cause: error });
}

const NAMES: readonly ErrorEntry["grpc"][] = [
  "INVALID_ARGUMENT",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "UNAUTHENTICATED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DEADLINE_EXCEEDED",
  "CANCELLED",
];

function statusName(code: number): ErrorEntry["grpc"] | undefined {
  return NAMES.find((name) => statuses[name] === code);
}
