import { randomBytes } from "node:crypto";
import { type Evidence, evidenceHash } from "@countersign/authority";
import { identityBook } from "@countersign/mesh";
import type { SignResponse } from "@countersign/proto/signer";
import {
  combineSchnorr,
  type PartyIndex,
  type PublicKeyPackage,
  prepareCurves,
  type SchnorrItem,
  sessionDigest,
} from "@countersign/threshold";
import { evidenceToWire, keyFromWire, partialFromWire, type Session, sessionToWire } from "@countersign/wire";
import type { RealNetwork } from "./real-network.ts";

await prepareCurves((size) => new Uint8Array(randomBytes(size)));

/** A new session as an honest orchestrator describes it. */
export function newSession({ descriptor }: RealNetwork, parties: readonly PartyIndex[]): Session {
  return {
    sessionId: new Uint8Array(randomBytes(32)),
    attempt: 1,
    parties,
    // Until the logs exist, both heads are the descriptor's hash.
    organisationHead: descriptor.hash,
    deploymentHead: descriptor.hash,
  };
}

/** Asks the signers of a session over gRPC, with the orchestrator's certificate; raises what the first one that fails raises. */
export async function askSigners(
  network: RealNetwork,
  session: Session,
  evidence: Evidence,
): Promise<ReadonlyMap<PartyIndex, SignResponse>> {
  const request = { session: sessionToWire(session), evidence: evidenceToWire(evidence) };
  const answers = session.parties.map(
    async (party) => [party, await network.signerClient(party).sign(request)] as const,
  );
  return new Map(await Promise.all(answers));
}

/** Joins what the signers of a session answered for its first item: 64 bytes. Raises what `combineSchnorr` raises. */
export function combine(
  { descriptor }: RealNetwork,
  request: {
    readonly session: Session;
    readonly evidence: Evidence;
    readonly key: PublicKeyPackage;
    readonly item: SchnorrItem;
    readonly answers: ReadonlyMap<PartyIndex, SignResponse>;
  },
): Uint8Array {
  const { session, evidence, key, item, answers } = request;
  const { deploymentId, nodes } = descriptor;
  const { keyId, epoch } = key;
  const hash = evidenceHash(evidence);
  const digest = sessionDigest({ ...session, purpose: "sign", deploymentId, keyId, epoch, evidenceHash: hash });
  const partials = [...answers].flatMap(([party, { partials }]) =>
    partials.slice(0, 1).map((partial) => [party, partialFromWire(partial)] as const),
  );
  const { r, s } = combineSchnorr({
    publicKey: key,
    item,
    itemIndex: 0,
    sessionId: session.sessionId,
    sessionDigest: digest,
    parties: session.parties,
    partials: new Map(partials),
    ...identityBook(
      deploymentId,
      nodes.map(({ index, identityKey }) => ({ index, publicKey: identityKey })),
    ),
  });
  return new Uint8Array([...r, ...s]);
}

/** Public part of an active key, as a signer holds it. */
export async function publicKeyOf(network: RealNetwork, keyId: string, party = 1): Promise<PublicKeyPackage> {
  const { key } = await network.signerClient(party).keyState({ keyId });
  return keyFromWire(key, network.descriptor.nodes.length).package;
}
