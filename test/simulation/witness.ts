import type { SessionOptions } from "@countersign/mesh";
import type { SignRequest, SignResponse } from "@countersign/proto/signer";

/** A protocol message at the moment it leaves a signer's protocol, before it is sealed. */
export interface Departure {
  readonly session: Pick<SessionOptions, "sessionId" | "parties" | "rounds">;
  readonly round: string;
  readonly body: Uint8Array;
  /** Audit entries that a power loss at this moment would leave at this node. */
  readonly entriesOnDisk: number;
}

/** A partial signature at the moment it leaves a signer, whether or not its caller still listens. */
export interface Release {
  readonly request: SignRequest;
  readonly answer: SignResponse;
  /** The signer's own wall clock when it was asked, milliseconds since 1970. */
  readonly askedAt: number;
}

/** Sees what leaves one signer; changes nothing. What it throws is the witness's to report later: the signer must not notice. */
export interface Witness {
  sent(departure: Departure): void;
  released(release: Release): void;
}
