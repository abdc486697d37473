import { create } from "@bufbuild/protobuf";
import { SessionDescriptorSchema, type SessionDescriptor as WireSession } from "@countersign/proto/session";
import type { PartyIndex } from "@countersign/threshold";
import { ascending, fixedBytes, present } from "./fields.ts";

/** What the orchestrator tells every party of a session (architecture 2, step 4). Shapes are checked, nothing is believed yet. */
export interface Session {
  /** 32 bytes, never used twice. */
  readonly sessionId: Uint8Array;
  /** From 1. */
  readonly attempt: number;
  /** Strictly ascending. */
  readonly parties: readonly PartyIndex[];
  /** 32 bytes. */
  readonly organisationHead: Uint8Array;
  /** 32 bytes. */
  readonly deploymentHead: Uint8Array;
}

/** Reads a session descriptor; raises `message_malformed`. */
export function sessionFromWire(message: WireSession | undefined): Session {
  const session = present(message, "session");
  return {
    sessionId: fixedBytes(session.sessionId, 32, "session_id"),
    attempt: session.attempt,
    parties: ascending(session.parties, "parties"),
    organisationHead: fixedBytes(session.organisationHead, 32, "organisation_head"),
    deploymentHead: fixedBytes(session.deploymentHead, 32, "deployment_head"),
  };
}

/** Writes a session descriptor. */
export function sessionToWire(session: Session): WireSession {
  return create(SessionDescriptorSchema, { ...session, parties: [...session.parties] });
}
