import { u16be, u32be } from "@countersign/bytes";
import type { PartyIndex } from "./delivery.ts";
import { T } from "./transcript.ts";

/** Everything a party holds true about a session before it creates protocol state. */
export interface SessionFacts {
  readonly purpose: "sign" | "keygen";
  readonly deploymentId: string;
  /** 32 bytes of the orchestrator. */
  readonly sessionId: Uint8Array;
  /** From 1. */
  readonly attempt: number;
  /** Strictly ascending. */
  readonly parties: readonly PartyIndex[];
  readonly keyId: string;
  readonly epoch: number;
  /** Hash of the evidence this party verified, 32 bytes. */
  readonly evidenceHash: Uint8Array;
  /** Head of the organisation log as named by the session, 32 bytes. */
  readonly organisationHead: Uint8Array;
  /** Head of the deployment log as named by the session, 32 bytes. */
  readonly deploymentHead: Uint8Array;
}

/**
 * The digest that stands in every header of the session: parties whose views differ in anything (another evidence, head, quorum,
 * attempt) never exchange a message (architecture 6, "In a session"; threat model 5.3, step 9). 32 bytes.
 */
export function sessionDigest(facts: SessionFacts): Uint8Array {
  const { purpose, deploymentId, sessionId, attempt, parties, keyId, epoch } = facts;
  return T(
    "session",
    purpose,
    deploymentId,
    sessionId,
    u32be(attempt),
    u32be(parties.length),
    ...parties.map(u16be),
    keyId,
    u32be(epoch),
    facts.evidenceHash,
    facts.organisationHead,
    facts.deploymentHead,
  );
}
