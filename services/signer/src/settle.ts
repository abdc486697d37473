import { fromBinary } from "@bufbuild/protobuf";
import type { Evidence } from "@countersign/authority";
import { equalBytes } from "@countersign/bytes";
import { PublicKeyPackageSchema } from "@countersign/proto/session";
import {
  type Acknowledgement,
  type PublicKeyPackage,
  type Renunciation,
  renunciationStatement,
  verifyCertificate,
  verifyRenunciation,
} from "@countersign/threshold";
import type { KeyFacts } from "@countersign/vault";
import { certificateFromWire } from "@countersign/wire";
import { judgePastEvidence } from "./admission.ts";
import { signerError } from "./errors.ts";
import { encodeCertificate, packageOf } from "./key-record.ts";
import type { SignerNode } from "./node.ts";

/** What a node holds for a key. */
export interface HeldKey {
  readonly state: "staged" | "active";
  readonly sessionId: Uint8Array;
  readonly package: PublicKeyPackage;
  /** Staged: this node's own acknowledgement; active: all n. */
  readonly certificate: readonly Acknowledgement[];
}

/** Tells what this node holds for a key; undefined for nothing. Public facts only. */
export async function keyState(node: SignerNode, keyId: string): Promise<HeldKey | undefined> {
  const facts = await node.vault.keyFacts(keyId);
  return facts === undefined ? undefined : heldKey(node, facts);
}

/**
 * Activates a staged key by its complete certificate. The certificate may come from anyone: it proves itself. Idempotent.
 * Raises `key_settled` when nothing is held, and what `verifyCertificate` raises.
 */
export async function settleByCertificate(
  node: SignerNode,
  keyId: string,
  certificate: readonly Acknowledgement[],
): Promise<HeldKey> {
  const { vault, descriptor, verifyIdentity } = node;
  const facts = await vault.keyFacts(keyId);
  if (facts === undefined) throw signerError("key_settled", `This node holds nothing for key ${keyId}.`);
  if (facts.state.kind === "active") return heldKey(node, facts);
  verifyCertificate(descriptor.deploymentId, packageOf(node, facts), certificate, verifyIdentity);
  return heldKey(node, await vault.activateKey(keyId, facts.sessionId, encodeCertificate(certificate)));
}

/**
 * Wipes a staged share once exactly `threshold` other members, each once, promised never to acknowledge its session. At most `threshold - 1` members lie, so
 * one of the promises is honest and no certificate can ever exist: nobody is stranded. With fewer, a member that acknowledges to
 * one node and renounces to another could make two honest nodes disagree for good. Idempotent. Raises `key_settled`.
 */
export async function settleByRenunciations(
  node: SignerNode,
  keyId: string,
  renunciations: readonly Renunciation[],
): Promise<HeldKey | undefined> {
  const { vault, descriptor, verifyIdentity, self } = node;
  const { deploymentId, threshold } = descriptor;
  const [first] = renunciations;
  const parties = new Set(renunciations.map(({ party }) => party));
  // Exactly so many, before any is verified: each costs a verification, and a message has room for thousands.
  const isExact = renunciations.length === threshold && parties.size === threshold;
  if (first === undefined || !isExact || parties.has(self))
    throw signerError("key_settled", `Giving up a session takes one promise each of ${threshold} other nodes.`);
  const { sessionId } = first;
  for (const renunciation of renunciations) {
    const isOfSession = equalBytes(renunciation.sessionId, sessionId);
    if (!isOfSession || !verifyRenunciation(deploymentId, keyId, renunciation, verifyIdentity))
      throw signerError("key_settled", `Party ${renunciation.party} did not promise to give up that session.`);
  }
  await vault.dropStagedKey(keyId, sessionId);
  return keyState(node, keyId);
}

/**
 * Promises, durably before the promise leaves, never to acknowledge a generation session of the key that the evidence creates. The
 * evidence may have expired: a half-made key is given up when its nodes are back. A promise makes and moves nothing by itself, so old
 * evidence lets its holder no more than end sessions of this one key. Raises `intent_mismatch`, and what the vault raises when this
 * node acknowledged it already or gave up too many.
 */
export async function renounce(
  node: SignerNode,
  evidence: Evidence,
  { keyId, sessionId }: { readonly keyId: string; readonly sessionId: Uint8Array },
): Promise<Uint8Array> {
  const { vault, identity, descriptor } = node;
  const { intent } = judgePastEvidence(node, evidence);
  if (intent.kind !== "create-key" || intent.keyId !== keyId)
    throw signerError("intent_mismatch", `${evidence.method} ${evidence.path} does not create key ${keyId}.`);
  // Persist before sign: a promise that a crash forgets could be followed by the acknowledgement it excludes.
  await vault.renounce(keyId, sessionId);
  return identity.sign(renunciationStatement(descriptor.deploymentId, keyId, sessionId));
}

function heldKey(node: SignerNode, facts: KeyFacts): HeldKey {
  const { state, sessionId, acknowledgement } = facts;
  const stored = state.kind === "active" ? state.certificate : acknowledgement;
  const { certificate } = fromBinary(PublicKeyPackageSchema, stored);
  return {
    state: state.kind,
    sessionId,
    package: packageOf(node, facts),
    certificate: certificateFromWire(certificate),
  };
}
