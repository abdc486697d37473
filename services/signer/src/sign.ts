import { type Evidence, evidenceHash } from "@countersign/authority";
import { hex } from "@countersign/bytes";
import { interpret, type Sign } from "@countersign/intent";
import { type KeyShare, type SchnorrPartial, schnorrRounds, sessionDigest, signSchnorr } from "@countersign/threshold";
import type { Session } from "@countersign/wire";
import { attemptsMax, checkSession, judgeEvidence } from "./admission.ts";
import { signerError } from "./errors.ts";
import { openShare } from "./key-record.ts";
import { pausing, type SessionLimits, type SignerNode, sessionSignal } from "./node.ts";
import { outcomeOf } from "./outcome.ts";

/**
 * Takes part in one signing session. Everything is judged before any protocol state exists: the evidence under this signer's own
 * state and clock, the meaning of the request (no digest is taken from the caller), the session's parties and heads. Then one synced
 * transaction records attempt, session id and audit entry; only after it may a nonce exist (architecture 2, step 5).
 */
export async function sign(
  node: SignerNode,
  evidence: Evidence,
  session: Session,
  limits: SessionLimits,
): Promise<readonly SchnorrPartial[]> {
  const { c, intent, orgId, principalId } = judgeEvidence(node, evidence);
  if (intent.kind !== "sign")
    throw signerError("intent_mismatch", `${evidence.method} ${evidence.path} approves no signature.`);
  checkSession(node, session, orgId, node.descriptor.threshold);
  const share = await openShare(node, intent.keyId, orgId);
  try {
    return await takePart(node, { evidence, session, limits, share, approval: { c, principalId, intent } });
  } finally {
    share.secret.wipe();
  }
}

interface Part {
  readonly evidence: Evidence;
  readonly session: Session;
  readonly limits: SessionLimits;
  readonly share: KeyShare;
  readonly approval: { readonly c: Uint8Array; readonly principalId: string; readonly intent: Sign };
}

async function takePart(node: SignerNode, part: Part): Promise<readonly SchnorrPartial[]> {
  const { vault, mesh, identity, rng, descriptor } = node;
  const { evidence, session, limits, share, approval } = part;
  const { keyId, suite, epoch } = share.public;
  const items = interpret(approval.intent, { keyId, suite, purpose: "wallet" });
  const hash = evidenceHash(evidence);
  const { deploymentId } = descriptor;
  const digest = sessionDigest({ ...session, purpose: "sign", deploymentId, keyId, epoch, evidenceHash: hash });
  const { sessionId, parties } = session;
  const { principalId } = approval;
  // Persist before send: an attempt that is not durably counted could be had again after a crash, and nonces with it.
  await vault.beginSession({
    kind: "sign",
    c: approval.c,
    sessionId,
    attemptsMax: attemptsMax(node),
    expiresAt: evidence.expiresAtMs,
    audit: { keyId, principalId, evidenceHash: hex(hash), parties: parties.join(",") },
  });

  const rounds = schnorrRounds(items.length);
  const signal = sessionSignal(node, limits);
  const delivery = mesh.openSession({ sessionId, sessionDigest: digest, parties, rounds, signal });
  let ended: ReturnType<typeof outcomeOf> = { outcome: "signed", audit: {} };
  try {
    return await signSchnorr(delivery, { share, items, sessionDigest: digest, identity, rng, ...pausing(node) });
  } catch (error) {
    ended = outcomeOf(error);
    throw error;
  } finally {
    vault.recordOutcome({ sessionId, keyId, ...ended });
    delivery.close();
  }
}
