import { type ErrorTable, errorsOf } from "@countersign/errors";

/** Codes of reading what a request means. */
export const intentErrors = {
  operation_unknown: {
    kind: "refusal",
    http: 404,
    grpc: "NOT_FOUND",
    meaning: "Method and path, taken literally, are no operation that a user action can approve.",
  },
  payload_invalid: {
    kind: "refusal",
    http: 400,
    grpc: "INVALID_ARGUMENT",
    meaning: "The approved body lacks a field, has an unknown one, or a field has the wrong form.",
  },
  scheme_not_supported: {
    kind: "refusal",
    http: 400,
    grpc: "UNIMPLEMENTED",
    meaning: "The scheme and curve of a new key are not a pair that this network generates.",
  },
  option_not_supported: {
    kind: "refusal",
    http: 400,
    grpc: "UNIMPLEMENTED",
    meaning: "The approved body asks for an option of the API that this network does not have.",
  },
  signature_kind_not_supported: {
    kind: "refusal",
    http: 400,
    grpc: "UNIMPLEMENTED",
    meaning: "The signature kind is not one that this network can interpret.",
  },
  key_unfit: {
    kind: "refusal",
    http: 400,
    grpc: "FAILED_PRECONDITION",
    meaning: "The approved body does not fit the scheme of the key it names.",
  },
  key_purpose_unfit: {
    kind: "refusal",
    http: 403,
    grpc: "PERMISSION_DENIED",
    meaning: "The key exists for another purpose than the approved operation.",
  },
} as const satisfies ErrorTable;

export const intentError = errorsOf(intentErrors);
