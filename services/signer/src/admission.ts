import { type Approval, attemptsMax, authorize, type Evidence, requireSessionHeads } from "@countersign/authority";
import type { Session } from "@countersign/wire";
import { signerError } from "./errors.ts";
import type { SignerNode } from "./node.ts";

/** Judges evidence by this signer's own state and clock (threat model 5.3, steps 1 to 7). */
export function judgeEvidence(node: SignerNode, evidence: Evidence): Approval {
  const now = node.now();
  return authorize(evidence, node.authority, { now, seenAt: now });
}

/**
 * Judges evidence like `judgeEvidence`, but takes one that has expired: for what may be asked about a request afterwards and grants
 * nothing. It still has to be no further ahead than any, by a credential that is active now.
 */
export function judgePastEvidence(node: SignerNode, evidence: Evidence): Approval {
  const now = node.now();
  return authorize(evidence, node.authority, { now, seenAt: Math.min(now, evidence.expiresAtMs - 1) });
}

/**
 * Checks what the orchestrator says about a session (threat model 5.3, step 9): known parties, as many as the purpose demands, this
 * node among them, and heads on this signer's own chain.
 */
export function checkSession(node: SignerNode, session: Session, orgId: string, partyCount: number): void {
  const { descriptor, self, authority } = node;
  const { parties, attempt } = session;
  const known = parties.every((party) => descriptor.nodes.some(({ index }) => index === party));
  if (parties.length !== partyCount || !known || !parties.includes(self)) {
    const text = `Parties ${parties.join(", ")} are not ${partyCount} nodes of the descriptor that include node ${self}.`;
    throw signerError("session_parties_unfit", text);
  }
  const most = attemptsMax(descriptor);
  if (attempt < 1 || attempt > most)
    throw signerError("session_attempt_invalid", `Attempt ${attempt} is outside 1 and ${most}.`);
  requireSessionHeads(authority, orgId, session);
}
