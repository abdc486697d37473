import { u16be, u32be } from "@countersign/bytes";
import type { PartyIndex, VerifyIdentity } from "../delivery.ts";
import { ProtocolAbort } from "../errors.ts";
import type { Acknowledgement, PublicKeyPackage } from "../key-share.ts";
import { T } from "../transcript.ts";

/** A party's signed promise never to acknowledge a generation session: a certificate of that session would convict it. */
export interface Renunciation {
  readonly party: PartyIndex;
  /** 32 bytes. */
  readonly sessionId: Uint8Array;
  /** Identity signature over the renunciation statement, 64 bytes. */
  readonly signature: Uint8Array;
}

/**
 * What a node signs once its share is durable: everything public about the key (Schnorr specification, section 3, R3).
 * 32 bytes. `tau` commits to the session and the members' identities.
 */
export function acknowledgementStatement(deploymentId: string, key: PublicKeyPackage): Uint8Array {
  const { tau, keyId, suite, epoch, threshold, verificationShares, chainCodeHash } = key;
  return T(
    "dkg-out",
    tau,
    deploymentId,
    keyId,
    suite,
    u32be(epoch),
    u16be(threshold),
    publicKeyOf(key),
    ...verificationShares,
    chainCodeHash,
  );
}

/** Checks that all n nodes acknowledged the key, each once, ascending; raises `certificate_invalid`. */
export function verifyCertificate(
  deploymentId: string,
  key: PublicKeyPackage,
  certificate: readonly Acknowledgement[],
  verifyIdentity: VerifyIdentity,
): void {
  const { partyCount } = key;
  if (certificate.length !== partyCount)
    throw new ProtocolAbort(
      "certificate_invalid",
      `Key ${key.keyId} needs ${partyCount} acknowledgements, the certificate holds ${certificate.length}.`,
    );
  const statement = acknowledgementStatement(deploymentId, key);
  for (const [k, { party, signature }] of certificate.entries()) {
    if (party !== k + 1 || !verifyIdentity(party, statement, signature))
      throw new ProtocolAbort(
        "certificate_invalid",
        `Place ${k + 1} is no acknowledgement of key ${key.keyId} by party ${k + 1}.`,
      );
  }
}

/** What a node signs to promise that it never acknowledges a session's key. 32 bytes. */
export function renunciationStatement(deploymentId: string, keyId: string, sessionId: Uint8Array): Uint8Array {
  return T("dkg-renounce", deploymentId, keyId, sessionId);
}

/** Whether a renunciation is the named party's, for this key and session. */
export function verifyRenunciation(
  deploymentId: string,
  keyId: string,
  { party, sessionId, signature }: Renunciation,
  verifyIdentity: VerifyIdentity,
): boolean {
  return verifyIdentity(party, renunciationStatement(deploymentId, keyId, sessionId), signature);
}

/** D_0. */
function publicKeyOf({ commitments: [publicKey], keyId }: PublicKeyPackage) {
  if (publicKey === undefined) throw new ProtocolAbort("public_key_package_invalid", `Key ${keyId} has no public key.`);
  return publicKey;
}
