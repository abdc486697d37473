import { sha256 } from "@countersign/bytes";
import type { Point } from "../curves/curve.ts";
import type { PartyIndex } from "../delivery.ts";
import { ProtocolAbort } from "../errors.ts";
import type { PublicKeyPackage } from "../key-share.ts";
import { runAtOnce, type Steps } from "../steps.ts";
import { T } from "../transcript.ts";
import type { RevealedPackage } from "./checks.ts";
import { packageSteps } from "./public-key-package.ts";
import type { KeygenSession } from "./terms.ts";

/**
 * R3: D_k = sum of C_ik over all parties, and what follows from it. A sum without encoding ends the session with
 * `keygen_result_degenerate` and blames nobody: after the commit round no party can steer it.
 */
export function jointKey(
  session: KeygenSession,
  packages: ReadonlyMap<PartyIndex, RevealedPackage>,
  tau: Uint8Array,
): PublicKeyPackage {
  return runAtOnce(jointKeySteps(session, packages, tau));
}

/** The key's chain code, 32 bytes: from it and the public key whoever holds both derives every child key. The caller wipes it. */
export function jointChainCode(
  session: KeygenSession,
  packages: ReadonlyMap<PartyIndex, RevealedPackage>,
  tau: Uint8Array,
): Uint8Array {
  const dealt = session.parties.flatMap((party) => packages.get(party)?.package ?? []);
  return T("cc", tau, ...dealt.map(({ chainCode }) => chainCode));
}

/** `jointKey` in pieces: with many parties it takes longer than an event loop may stand still. */
export function* jointKeySteps(
  session: KeygenSession,
  packages: ReadonlyMap<PartyIndex, RevealedPackage>,
  tau: Uint8Array,
): Steps<PublicKeyPackage> {
  const { suite, keyId, epoch, threshold } = session.terms;
  const { curve } = session.suite;
  const dealt = session.parties.flatMap((party) => packages.get(party)?.package ?? []);
  try {
    const commitments: Point[] = [];
    while (commitments.length < threshold) {
      commitments.push(curve.sum(dealt.flatMap((one) => one.commitments[commitments.length] ?? [])));
      yield;
    }
    const chainCodeHash = sha256(jointChainCode(session, packages, tau));
    const partyCount = session.parties.length;
    return yield* packageSteps({ suite, keyId, epoch, threshold, partyCount, chainCodeHash, tau }, commitments);
  } catch (cause) {
    if (!(cause instanceof ProtocolAbort)) throw cause;
    throw new ProtocolAbort("keygen_result_degenerate", `The sum of all dealings for key ${keyId} is degenerate.`, {
      cause,
    });
  }
}
