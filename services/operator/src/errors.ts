import { type ErrorTable, errorsOf } from "@countersign/errors";

/** Codes of the command line. Every message says what to do next. */
export const operatorErrors = {
  usage_wrong: {
    kind: "refusal",
    http: 400,
    grpc: "INVALID_ARGUMENT",
    meaning: "A verb, flag or value on the command line is not one that exists; the exit code is 2.",
  },
  port_busy: {
    kind: "refusal",
    http: 409,
    grpc: "FAILED_PRECONDITION",
    meaning: "The port that the API should listen on is in use by another program.",
  },
  program_missing: {
    kind: "refusal",
    http: 412,
    grpc: "FAILED_PRECONDITION",
    meaning: "nats-server or redis-server is not installed and could not be installed; the message has the commands.",
  },
  data_folder_incomplete: {
    kind: "refusal",
    http: 409,
    grpc: "FAILED_PRECONDITION",
    meaning: "The data folder was left half-written by an interrupted first start, or files were removed from it.",
  },
  data_folder_foreign: {
    kind: "refusal",
    http: 409,
    grpc: "FAILED_PRECONDITION",
    meaning: "The data folder holds files that Countersign did not write; nothing in it was touched.",
  },
  deployment_differs: {
    kind: "refusal",
    http: 409,
    grpc: "FAILED_PRECONDITION",
    meaning:
      "The data folder or the running network has another number of nodes, threshold or port than was asked for.",
  },
  service_not_ready: {
    kind: "outage",
    http: 503,
    grpc: "UNAVAILABLE",
    meaning: "A service of the local network stopped or was not ready in time; the message has its last log lines.",
  },
  supervisor_silent: {
    kind: "outage",
    http: 503,
    grpc: "UNAVAILABLE",
    meaning: "The process that supervises the local network holds the data folder but does not answer.",
  },
  network_not_running: {
    kind: "refusal",
    http: 409,
    grpc: "FAILED_PRECONDITION",
    meaning: "The command needs a running network and none runs with this data folder.",
  },
  interrupted: {
    kind: "outage",
    http: 503,
    grpc: "CANCELLED",
    meaning: "The command was stopped with Ctrl-C or a signal; what it had started was stopped.",
  },
  demo_failed: {
    kind: "bug",
    http: 500,
    grpc: "INTERNAL",
    meaning: "The demo saw something that must never happen; the network it ran on is already stopped.",
  },
} as const satisfies ErrorTable;

export const operatorError = errorsOf(operatorErrors);
