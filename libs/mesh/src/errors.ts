import { CountersignError, type ErrorTable, errorsOf } from "@countersign/errors";
import type { PartyIndex, SignedMessage } from "@countersign/threshold";

/** Codes of the mesh. */
export const meshErrors = {
  session_deadline: {
    kind: "outage",
    http: 504,
    grpc: "DEADLINE_EXCEEDED",
    meaning: "A session's deadline passed while messages of the named parties were missing.",
  },
  session_cancelled: {
    kind: "outage",
    http: 503,
    grpc: "CANCELLED",
    meaning: "The session was cancelled by its caller or by shutdown.",
  },
  session_views_differ: {
    kind: "abort",
    http: 502,
    grpc: "ABORTED",
    meaning:
      "A party validly signed another session digest: the orchestrator told the parties different things, or a party lies.",
  },
  message_equivocated: {
    kind: "abort",
    http: 502,
    grpc: "ABORTED",
    meaning: "A party signed two different messages for one round of one session.",
  },
  message_oversized: {
    kind: "abort",
    http: 502,
    grpc: "ABORTED",
    meaning: "A party signed a message for an unknown round or longer than the round allows.",
  },
  session_id_reused: {
    kind: "refusal",
    http: 409,
    grpc: "ALREADY_EXISTS",
    meaning: "A session with this id runs at this node or ran here a moment ago; every session has a fresh id.",
  },
  session_parties_invalid: {
    kind: "refusal",
    http: 400,
    grpc: "INVALID_ARGUMENT",
    meaning: "A session's parties are not strictly ascending known nodes with this node among them.",
  },
  sessions_exhausted: {
    kind: "outage",
    http: 503,
    grpc: "RESOURCE_EXHAUSTED",
    meaning: "The node runs as many sessions as it may; the caller retries with another quorum or later.",
  },
  mesh_name_invalid: {
    kind: "refusal",
    http: 400,
    grpc: "INVALID_ARGUMENT",
    meaning: "A deployment's, node's or watcher's name cannot stand in a subject of the bus.",
  },
  mesh_identity_mismatch: {
    kind: "refusal",
    http: 500,
    grpc: "FAILED_PRECONDITION",
    meaning: "This node's identity key is not the one that the deployment descriptor pins for it.",
  },
  wire_unreachable: {
    kind: "outage",
    http: 503,
    grpc: "UNAVAILABLE",
    meaning: "No server of the bus could be reached before the deadline.",
  },
  wire_unauthorized: {
    kind: "refusal",
    http: 500,
    grpc: "FAILED_PRECONDITION",
    meaning:
      "The bus does not know this node's nkey: its configuration and the node's seed file belong to different networks.",
  },
  wire_permission_denied: {
    kind: "refusal",
    http: 500,
    grpc: "PERMISSION_DENIED",
    meaning: "The bus does not let this participant publish or subscribe on a subject.",
  },
  wire_message_unsent: {
    kind: "outage",
    http: 503,
    grpc: "UNAVAILABLE",
    meaning: "A message could not be handed to the bus, which takes none of its length; it counts as lost.",
  },
  wire_seed_invalid: {
    kind: "refusal",
    http: 500,
    grpc: "FAILED_PRECONDITION",
    meaning: "The nkey seed of this participant is not a user seed.",
  },
} as const satisfies ErrorTable;

export const meshError = errorsOf(meshErrors);

/** A party's validly signed misbehaviour on the wire. Kept beside `ProtocolAbort`: same shape, raised below the protocols. */
export class MeshAbort extends CountersignError {
  readonly culprits: readonly PartyIndex[];
  readonly evidence: { readonly messages: readonly SignedMessage[] };

  constructor(
    code: "session_views_differ" | "message_equivocated" | "message_oversized",
    message: string,
    culprits: readonly PartyIndex[],
    messages: readonly SignedMessage[],
  ) {
    super(code, meshErrors[code], message, { details: { culprits } });
    this.culprits = culprits;
    this.evidence = { messages };
  }
}
