import { type ErrorTable, errorsOf } from "@countersign/errors";

/** Codes of the public API. */
export const apiErrors = {
  api_internal: {
    kind: "bug",
    http: 500,
    grpc: "INTERNAL",
    meaning: "The API failed in a way it did not foresee; its log has the cause under the error's id.",
  },
  route_unknown: {
    kind: "refusal",
    http: 404,
    grpc: "NOT_FOUND",
    meaning: "Method and path, taken literally, are no operation of the API.",
  },
  request_invalid: {
    kind: "refusal",
    http: 400,
    grpc: "INVALID_ARGUMENT",
    meaning:
      "The request is not HTTP as the API reads it, or its query or body lacks a field, has an unknown one, or a wrong form.",
  },
  body_too_large: {
    kind: "refusal",
    http: 413,
    grpc: "INVALID_ARGUMENT",
    meaning: "The request body is larger than any the API takes.",
  },
  content_type_unsupported: {
    kind: "refusal",
    http: 415,
    grpc: "INVALID_ARGUMENT",
    meaning: "A request body is not declared as application/json in UTF-8.",
  },
  text_not_storable: {
    kind: "refusal",
    http: 400,
    grpc: "INVALID_ARGUMENT",
    meaning: "A name or external id holds the character U+0000, which the database cannot store.",
  },
  token_invalid: {
    kind: "refusal",
    http: 401,
    grpc: "UNAUTHENTICATED",
    meaning:
      "The bearer token is missing, expired, of another type, not signed by this deployment, or its holder is not active.",
  },
  application_refused: {
    kind: "refusal",
    http: 401,
    grpc: "UNAUTHENTICATED",
    meaning: "The application named by x-dfns-appid is not an active one of the caller's organisation.",
  },
  challenge_token_invalid: {
    kind: "refusal",
    http: 401,
    grpc: "UNAUTHENTICATED",
    meaning: "The challengeIdentifier is a token of another type, of another caller, or not signed by this deployment.",
  },
  challenge_unknown: {
    kind: "refusal",
    http: 400,
    grpc: "FAILED_PRECONDITION",
    meaning: "The challenge has expired or was used already; ask for a new one.",
  },
  challenges_too_many: {
    kind: "outage",
    http: 429,
    grpc: "RESOURCE_EXHAUSTED",
    meaning:
      "The caller has as many open challenges, or as many bytes of requests in them, as one may have; they expire after four minutes.",
  },
  user_action_missing: {
    kind: "refusal",
    http: 403,
    grpc: "PERMISSION_DENIED",
    meaning: "The operation needs a user action token in the header x-dfns-useraction.",
  },
  user_action_invalid: {
    kind: "refusal",
    http: 401,
    grpc: "UNAUTHENTICATED",
    meaning:
      "The user action token has expired, is of another type or another caller, or not signed by this deployment.",
  },
  user_action_mismatch: {
    kind: "refusal",
    http: 401,
    grpc: "UNAUTHENTICATED",
    meaning: "Method, path or body of the request are not what the user action approved.",
  },
  user_action_used: {
    kind: "refusal",
    http: 400,
    grpc: "FAILED_PRECONDITION",
    meaning: "The user action token was used before.",
  },
  key_unknown: {
    kind: "refusal",
    http: 404,
    grpc: "NOT_FOUND",
    meaning: "The caller's organisation has no key of this id.",
  },
  signature_unknown: {
    kind: "refusal",
    http: 404,
    grpc: "NOT_FOUND",
    meaning: "The key has no signature of this id.",
  },
  page_unknown: {
    kind: "refusal",
    http: 404,
    grpc: "NOT_FOUND",
    meaning: "The paginationToken is not one that this list answered to this organisation.",
  },
  external_id_conflict: {
    kind: "refusal",
    http: 409,
    grpc: "ALREADY_EXISTS",
    meaning: "Another signature request of the caller has the same externalId but another key or body.",
  },
  signature_in_progress: {
    kind: "outage",
    http: 409,
    grpc: "ABORTED",
    meaning: "The signature with this externalId is being made by another call; retry to get it.",
  },
  requests_too_many: {
    kind: "outage",
    http: 429,
    grpc: "RESOURCE_EXHAUSTED",
    meaning:
      "As many operations of this kind run as may run at once; nothing was started and the user action token is still good.",
  },
  api_overloaded: {
    kind: "outage",
    http: 503,
    grpc: "RESOURCE_EXHAUSTED",
    meaning: "The API serves as many requests as it may at once.",
  },
  api_stopping: {
    kind: "outage",
    http: 503,
    grpc: "UNAVAILABLE",
    meaning: "The API is shutting down; what it runs is ended in an orderly way, new requests go elsewhere.",
  },
  not_ready: {
    kind: "outage",
    http: 503,
    grpc: "UNAVAILABLE",
    meaning: "The readiness check found the database or every orchestrator away; the details say which.",
  },
  network_unavailable: {
    kind: "outage",
    http: 503,
    grpc: "UNAVAILABLE",
    meaning: "No orchestrator could be reached, or the call to it was cut off.",
  },
  network_deadline: {
    kind: "outage",
    http: 504,
    grpc: "DEADLINE_EXCEEDED",
    meaning: "The signing network did not finish within the request's deadline.",
  },
  network_failed: {
    kind: "outage",
    http: 502,
    grpc: "INTERNAL",
    meaning: "An orchestrator refused this API, failed, or answered something that is no answer to the request.",
  },
  database_failed: {
    kind: "outage",
    http: 503,
    grpc: "UNAVAILABLE",
    meaning: "The API's database did not do what it was asked; the log has the cause.",
  },
  database_url_invalid: {
    kind: "refusal",
    http: 500,
    grpc: "FAILED_PRECONDITION",
    meaning: "The configured database is not of a form this version can open; known is pglite:<absolute folder>.",
  },
  database_in_use: {
    kind: "outage",
    http: 503,
    grpc: "UNAVAILABLE",
    meaning: "Another process has the database folder open; only one may.",
  },
  database_damaged: {
    kind: "outage",
    http: 500,
    grpc: "FAILED_PRECONDITION",
    meaning: "The database folder is incomplete or damaged and was left as it is; the message says how to go on.",
  },
  database_newer: {
    kind: "refusal",
    http: 500,
    grpc: "FAILED_PRECONDITION",
    meaning: "The database was written by a newer version of Countersign.",
  },
  http_listen_failed: {
    kind: "outage",
    http: 500,
    grpc: "UNAVAILABLE",
    meaning: "The configured address cannot be listened on, usually because another program has the port.",
  },
  token_key_invalid: {
    kind: "refusal",
    http: 500,
    grpc: "FAILED_PRECONDITION",
    meaning: "The configured token key is not an Ed25519 private key in PKCS#8 PEM.",
  },
} as const satisfies ErrorTable;

export const apiError = errorsOf(apiErrors);
