import { type ErrorTable, errorsOf } from "@countersign/errors";

/** Codes of calls between services. */
export const rpcErrors = {
  internal: {
    kind: "bug",
    http: 500,
    grpc: "INTERNAL",
    meaning: "A service failed in a way it did not foresee; its own log has the cause.",
  },
  rpc_unavailable: {
    kind: "outage",
    http: 503,
    grpc: "UNAVAILABLE",
    meaning: "The other service is not reachable, is shutting down, or is not who its address should lead to.",
  },
  rpc_deadline: {
    kind: "outage",
    http: 504,
    grpc: "DEADLINE_EXCEEDED",
    meaning: "A call did not end before its deadline.",
  },
  rpc_cancelled: {
    kind: "outage",
    http: 503,
    grpc: "CANCELLED",
    meaning: "The caller gave up on a call, or one side shut down during it.",
  },
  rpc_overloaded: {
    kind: "outage",
    http: 503,
    grpc: "RESOURCE_EXHAUSTED",
    meaning: "One caller has more calls in flight than a service serves it at once.",
  },
  rpc_too_large: {
    kind: "refusal",
    http: 413,
    grpc: "RESOURCE_EXHAUSTED",
    meaning: "A request or response is larger than the limit of its service.",
  },
  rpc_malformed: {
    kind: "refusal",
    http: 400,
    grpc: "INVALID_ARGUMENT",
    meaning: "A message between services is not an encoding of its type.",
  },
  rpc_unauthenticated: {
    kind: "refusal",
    http: 401,
    grpc: "UNAUTHENTICATED",
    meaning: "A caller's certificate does not name a service of this deployment.",
  },
  rpc_role_refused: {
    kind: "refusal",
    http: 403,
    grpc: "PERMISSION_DENIED",
    meaning: "A caller's role may not use the service it called.",
  },
  rpc_unimplemented: {
    kind: "refusal",
    http: 501,
    grpc: "UNIMPLEMENTED",
    meaning: "The other service does not have the called method; versions differ.",
  },
  rpc_service_unknown: {
    kind: "refusal",
    http: 404,
    grpc: "NOT_FOUND",
    meaning: "A health check asks about a service that the server does not have.",
  },
  rpc_failed: {
    kind: "outage",
    http: 502,
    grpc: "INTERNAL",
    meaning: "A call failed without saying why: the other side is foreign, or the connection broke the protocol.",
  },
  rpc_certificate_invalid: {
    kind: "refusal",
    http: 500,
    grpc: "FAILED_PRECONDITION",
    meaning: "The configured certificate, key or authority cannot be used or does not name this service.",
  },
  rpc_listen_failed: {
    kind: "outage",
    http: 500,
    grpc: "UNAVAILABLE",
    meaning: "The configured address cannot be listened on, usually because another program has the port.",
  },
} as const satisfies ErrorTable;

export const rpcError = errorsOf(rpcErrors);
