import { type ErrorTable, errorsOf } from "@countersign/errors";

/** Codes of reading protobuf messages into domain types. */
export const wireErrors = {
  message_malformed: {
    kind: "refusal",
    http: 400,
    grpc: "INVALID_ARGUMENT",
    meaning: "A gRPC message lacks a field, or a field has the wrong length or range.",
  },
} as const satisfies ErrorTable;

export const wireError = errorsOf(wireErrors);
