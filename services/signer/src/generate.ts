import { type Evidence, evidenceHash } from "@countersign/authority";
import { hex } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import { generateKey, keygenRounds, sessionDigest } from "@countersign/threshold";
import type { CertifiedKey, Session } from "@countersign/wire";
import { checkSession, judgeEvidence } from "./admission.ts";
import { signerError } from "./errors.ts";
import { encodeCertificate, encodePackage } from "./key-record.ts";
import { pausing, type SessionLimits, type SignerNode, sessionDeadline } from "./node.ts";
import { outcomeOf } from "./outcome.ts";
import { runSession } from "./run-session.ts";

/** Refresh generation of a new key. */
const FIRST_EPOCH = 0;

/**
 * Takes part in generating the key that the evidence creates. The share is staged durably before this node's acknowledgement leaves,
 * and becomes active with all n acknowledgements; in between it survives a crash and `settle` decides about it
 * (Schnorr specification, section 3, R3).
 */
export async function generate(
  node: SignerNode,
  evidence: Evidence,
  session: Session,
  limits: SessionLimits,
): Promise<CertifiedKey> {
  const { vault, descriptor, identity, openSignedMessage, verifyIdentity, rng } = node;
  const { c, intent, orgId, principalId } = judgeEvidence(node, evidence);
  if (intent.kind !== "create-key")
    throw signerError("intent_mismatch", `${evidence.method} ${evidence.path} creates no key.`);
  checkSession(node, session, orgId, descriptor.nodes.length);

  const { keyId, suite, purpose } = intent;
  const { sessionId } = session;
  const hash = evidenceHash(evidence);
  const { deploymentId, threshold } = descriptor;
  const facts = { ...session, deploymentId, keyId, epoch: FIRST_EPOCH, evidenceHash: hash };
  const digest = sessionDigest({ ...facts, purpose: "keygen" });
  const start = {
    kind: "generate",
    c,
    keyId,
    sessionId,
    // Counts as running until its own deadline, then another may start.
    expiresAt: node.now() + Math.ceil(limits.deadlineMs),
    audit: { keyId, principalId, evidenceHash: hex(hash), parties: session.parties.join(",") },
  } as const;
  await vault.beginSession(start).catch((error) => {
    // Whether the disk took it is unknown. If it did, the session would count as running although nobody runs it.
    if (isOutage(error)) vault.recordOutcome({ sessionId, keyId, ...outcomeOf(error) });
    throw error;
  });

  const { parties } = session;
  const rounds = keygenRounds(descriptor.nodes.length, threshold);
  using deadline = sessionDeadline(node, limits);
  const { signal } = deadline;
  const accepted = { keyId, success: "generated", sessionId, sessionDigest: digest, parties, rounds, signal };
  return await runSession(node, accepted, async (delivery) => {
    const { share, certificate } = await generateKey(delivery, {
      deploymentId,
      suite,
      keyId,
      epoch: FIRST_EPOCH,
      threshold,
      sessionId,
      sessionDigest: digest,
      members: descriptor.nodes.map(({ index, identityKey }) => ({ index, identityKey })),
      identity,
      verifyIdentity,
      openSignedMessage,
      rng,
      ...pausing(node),
      stage: async (share, acknowledgement, chainCode) => {
        const record = { keyId, c, owner: orgId, purpose, suite, epoch: FIRST_EPOCH, sessionId };
        const publicPart = encodePackage(share.public, chainCode);
        await vault.stageKey({ ...record, publicPart, secret: share.secret }, encodeCertificate([acknowledgement]));
      },
    });
    // The vault holds the share; this copy goes, whether the key becomes active or not.
    share.secret.wipe();
    await vault.activateKey(keyId, sessionId, encodeCertificate(certificate));
    return { package: share.public, certificate };
  });
}

function isOutage(error: unknown): boolean {
  return error instanceof CountersignError && error.kind === "outage";
}
