import { equalBytes } from "@countersign/bytes";
import { authorityError } from "./errors.ts";
import type { AuthorityState } from "./state.ts";

/** The places in both logs that a session is judged by. */
export interface SessionHeads {
  /** 32 bytes. */
  readonly organisationHead: Uint8Array;
  /** 32 bytes. */
  readonly deploymentHead: Uint8Array;
}

/** The newest heads that a state holds for an organisation's sessions; raises `organisation_unknown`. */
export function sessionHeads(state: AuthorityState, orgId: string): SessionHeads {
  const organisation = state.organisations.get(orgId);
  if (organisation === undefined) throw authorityError("organisation_unknown", `Organisation ${orgId} is not known.`);
  return { organisationHead: organisation.head, deploymentHead: state.deploymentHead };
}

/**
 * Refuses a session whose heads are not this node's (threat model 5.3, step 9); raises `heads_differ`, `organisation_unknown`.
 * Parties that know different rights must not sign together: one of them may know a revocation.
 */
export function requireSessionHeads(state: AuthorityState, orgId: string, heads: SessionHeads): void {
  const own = sessionHeads(state, orgId);
  if (!equalBytes(own.organisationHead, heads.organisationHead))
    throw authorityError("heads_differ", "The session's organisation head is not this node's.", { details: { orgId } });
  if (!equalBytes(own.deploymentHead, heads.deploymentHead))
    throw authorityError("heads_differ", "The session's deployment head is not this node's.");
}
