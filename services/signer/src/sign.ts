import { attemptsMax, type Evidence, evidenceHash } from "@countersign/authority";
import { hex } from "@countersign/bytes";
import { interpret, type SignItem } from "@countersign/intent";
import { type KeyShare, type SchnorrPartial, schnorrRounds, sessionDigest, signSchnorr } from "@countersign/threshold";
import type { Session } from "@countersign/wire";
import { checkSession, judgeEvidence } from "./admission.ts";
import { signerError } from "./errors.ts";
import { openShare, signingKey } from "./key-record.ts";
import { pausing, type SessionLimits, type SignerNode, sessionDeadline } from "./node.ts";
import { runSession } from "./run-session.ts";

/**
 * Takes part in one signing session. Everything is judged before any protocol state exists: the evidence under this signer's own
 * state and clock, the key it names, the meaning of the request (no digest is taken from the caller), the session's parties and
 * heads. Only then is the share opened, and one synced transaction records attempt, session id and audit entry; only after
 * it may a nonce exist (architecture 2, step 5).
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
  const { keyId, suite, purpose } = await signingKey(node, intent.keyId, orgId);
  const items = interpret(intent, { keyId, suite, purpose });
  checkSession(node, session, orgId, node.descriptor.threshold);
  const share = await openShare(node, keyId);
  try {
    return await takePart(node, { evidence, session, limits, share, items, c, principalId });
  } finally {
    share.secret.wipe();
  }
}

interface Part {
  readonly evidence: Evidence;
  readonly session: Session;
  readonly limits: SessionLimits;
  readonly share: KeyShare;
  readonly items: readonly SignItem[];
  readonly c: Uint8Array;
  readonly principalId: string;
}

async function takePart(node: SignerNode, part: Part): Promise<readonly SchnorrPartial[]> {
  const { vault, identity, rng, descriptor } = node;
  const { evidence, session, limits, share, items, c, principalId } = part;
  const { keyId, epoch } = share.public;
  const hash = evidenceHash(evidence);
  const { deploymentId } = descriptor;
  const digest = sessionDigest({ ...session, purpose: "sign", deploymentId, keyId, epoch, evidenceHash: hash });
  const { sessionId, parties } = session;
  // Persist before send: an attempt that is not durably counted could be had again after a crash, and nonces with it.
  await vault.beginSession({
    kind: "sign",
    c,
    sessionId,
    attemptsMax: attemptsMax(descriptor),
    expiresAt: evidence.expiresAtMs,
    audit: { keyId, principalId, evidenceHash: hex(hash), parties: parties.join(",") },
  });

  const rounds = schnorrRounds(items.length);
  using deadline = sessionDeadline(node, limits);
  const { signal } = deadline;
  const accepted = { keyId, success: "signed", sessionId, sessionDigest: digest, parties, rounds, signal };
  return await runSession(node, accepted, (delivery) =>
    signSchnorr(delivery, { share, items, sessionDigest: digest, identity, rng, ...pausing(node) }),
  );
}
