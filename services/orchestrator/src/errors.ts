import { type ErrorTable, errorsOf } from "@countersign/errors";

/** Codes of the orchestrator. */
export const orchestratorErrors = {
  nodes_missing: {
    kind: "outage",
    http: 503,
    grpc: "UNAVAILABLE",
    meaning: "Creating a key needs all nodes and some are away; the message names their regions. Nothing was started.",
  },
  quorum_unavailable: {
    kind: "outage",
    http: 503,
    grpc: "UNAVAILABLE",
    meaning: "Fewer nodes than the threshold can take part now; the message names what keeps the others away.",
  },
  attempts_failed: {
    kind: "outage",
    http: 503,
    grpc: "UNAVAILABLE",
    meaning:
      "Every attempt that the request's deadline and the attempt cap allow has failed; approve the request again to retry.",
  },
  request_busy: {
    kind: "outage",
    http: 409,
    grpc: "ABORTED",
    meaning: "Another orchestrator or call is running this very request; retry to get its result.",
  },
  orchestrator_busy: {
    kind: "outage",
    http: 429,
    grpc: "RESOURCE_EXHAUSTED",
    meaning: "The orchestrator runs as many requests as it may; retry later.",
  },
  key_not_active: {
    kind: "refusal",
    http: 404,
    grpc: "NOT_FOUND",
    meaning: "No quorum of nodes holds an active key of this id.",
  },
  key_half_made: {
    kind: "refusal",
    http: 409,
    grpc: "FAILED_PRECONDITION",
    meaning: "A key's generation ended at some nodes only and too few can promise to give it up; approve a new key.",
  },
  certificate_differs: {
    kind: "abort",
    http: 502,
    grpc: "ABORTED",
    meaning: "A node presented a public key whose certificate does not verify against the deployment descriptor.",
  },
  signers_incomplete: {
    kind: "refusal",
    http: 400,
    grpc: "INVALID_ARGUMENT",
    meaning: "An orchestrator's configuration names no address for a node of its deployment descriptor.",
  },
} as const satisfies ErrorTable;

export const orchestratorError = errorsOf(orchestratorErrors);
