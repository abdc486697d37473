import { type ErrorTable, errorsOf } from "@countersign/errors";

/** Codes of starting and stopping a service. */
export const runtimeErrors = {
  command_line_invalid: {
    kind: "refusal",
    http: 500,
    grpc: "INVALID_ARGUMENT",
    meaning: "A service was started with arguments it does not have, or without its configuration file.",
  },
  config_invalid: {
    kind: "refusal",
    http: 500,
    grpc: "INVALID_ARGUMENT",
    meaning: "A configuration file is not strict JSON, or a setting is missing, unknown or of the wrong form.",
  },
  file_unreadable: {
    kind: "refusal",
    http: 500,
    grpc: "FAILED_PRECONDITION",
    meaning: "A file that the configuration names does not exist, is too large or cannot be read.",
  },
  file_exposed: {
    kind: "refusal",
    http: 500,
    grpc: "FAILED_PRECONDITION",
    meaning: "A file with a secret can be read or written by other users of the machine.",
  },
  debugger_refused: {
    kind: "refusal",
    http: 500,
    grpc: "FAILED_PRECONDITION",
    meaning: "A service that holds secrets was started with a debugger, a profiler or options that can load one.",
  },
} as const satisfies ErrorTable;

export const runtimeError = errorsOf(runtimeErrors);
