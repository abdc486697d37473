import type { AuthorityState, Descriptor } from "@countersign/authority";
import { type Clock, type Deadline, type Mesh, startDeadline } from "@countersign/mesh";
import type { IdentitySigner, OpenSignedMessage, PartyIndex, Rng, VerifyIdentity } from "@countersign/threshold";
import type { Vault } from "@countersign/vault";

/** One signer node with its parts: everything a session needs, no globals. */
export interface SignerNode {
  readonly descriptor: Descriptor;
  readonly authority: AuthorityState;
  /** This node's party index. */
  readonly self: PartyIndex;
  readonly identity: IdentitySigner;
  readonly vault: Vault;
  readonly mesh: Mesh;
  readonly openSignedMessage: OpenSignedMessage;
  readonly verifyIdentity: VerifyIdentity;
  /** Wall clock, milliseconds since 1970: judges expiry. */
  readonly now: () => number;
  /** Timers; real, or a simulation's. */
  readonly clock: Clock;
  readonly rng: Rng;
  /** Gives the event loop a turn between pieces of long work. Default: none, for a simulation, whose time stands still meanwhile. */
  readonly pause?: () => Promise<void>;
}

/** What a caller gives a session: the right to cancel it and the time it may take, milliseconds from now. */
export interface SessionLimits {
  readonly signal: AbortSignal;
  readonly deadlineMs: number;
}

/** A session ends a little before its caller stops listening, so that the caller learns who was silent. */
const ANSWER_MARGIN_MS = 150;

/** How the protocols of this node pause; spread into their options. */
export function pausing({ pause }: SignerNode): Pick<SignerNode, "pause"> {
  return pause === undefined ? {} : { pause };
}

/** The end of a session's time: cancelled by the caller, or shortly before the caller's deadline. Disposed of with the session. */
export function sessionDeadline({ clock }: SignerNode, { signal, deadlineMs }: SessionLimits): Deadline {
  const deadline = startDeadline(clock, Math.max(1, deadlineMs - ANSWER_MARGIN_MS));
  return { ...deadline, signal: AbortSignal.any([signal, deadline.signal]) };
}
