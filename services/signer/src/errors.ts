import { type ErrorTable, errorsOf } from "@countersign/errors";

/** Codes of the signer service. */
export const signerErrors = {
  signer_busy: {
    kind: "outage",
    http: 503,
    grpc: "RESOURCE_EXHAUSTED",
    meaning: "The signer runs as many sessions as it may; another quorum or a later attempt can serve the request.",
  },
  signer_closing: {
    kind: "outage",
    http: 503,
    grpc: "UNAVAILABLE",
    meaning: "The signer is shutting down and takes no new sessions.",
  },
  session_parties_unfit: {
    kind: "refusal",
    http: 400,
    grpc: "INVALID_ARGUMENT",
    meaning:
      "A session's parties are not known nodes, do not include the signer, or are not as many as the purpose demands.",
  },
  session_attempt_invalid: {
    kind: "refusal",
    http: 400,
    grpc: "INVALID_ARGUMENT",
    meaning: "A session's attempt number is outside 1 and the attempt cap.",
  },
  intent_mismatch: {
    kind: "refusal",
    http: 400,
    grpc: "INVALID_ARGUMENT",
    meaning: "The evidence approves something other than what the call asks for.",
  },
  key_id_malformed: {
    kind: "refusal",
    http: 400,
    grpc: "INVALID_ARGUMENT",
    meaning: "A call names something as a key id that has not the form of one.",
  },
  share_not_here: {
    kind: "refusal",
    http: 404,
    grpc: "NOT_FOUND",
    meaning: "The signer holds no active key of this id for the organisation that the evidence names.",
  },
  key_settled: {
    kind: "refusal",
    http: 409,
    grpc: "FAILED_PRECONDITION",
    meaning: "A staged key was asked to move by a proof that is not of its session or its members.",
  },
  node_identity_differs: {
    kind: "refusal",
    http: 500,
    grpc: "FAILED_PRECONDITION",
    meaning: "A signer's identity seed is not that of the key which the deployment descriptor pins for its node.",
  },
  audit_chain_broken: {
    kind: "refusal",
    http: 500,
    grpc: "FAILED_PRECONDITION",
    meaning: "A signer's audit log was edited, reordered or cut; the signer does not start and changes nothing.",
  },
  store_lost: {
    kind: "refusal",
    http: 500,
    grpc: "FAILED_PRECONDITION",
    meaning:
      "A signer had a vault before, and its store is missing or another, newer one; the message says how to go on.",
  },
  node_unknown: {
    kind: "refusal",
    http: 400,
    grpc: "INVALID_ARGUMENT",
    meaning: "A signer's configuration names a node that its deployment descriptor does not have.",
  },
} as const satisfies ErrorTable;

export const signerError = errorsOf(signerErrors);
