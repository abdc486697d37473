import { concatBytes, u16be, u32be } from "@countersign/bytes";
import type { Delivery, OpenSignedMessage, PartyIndex, VerifyIdentity } from "../delivery.ts";
import { thresholdError } from "../errors.ts";
import type { SuiteName } from "../key-share.ts";
import { type KeySuite, keySuiteOf } from "../suites.ts";
import { T } from "../transcript.ts";

/** Most parties of a key: messages stay far below the bus' limit of 1 MiB, and no round costs more than a second of CPU. */
export const PARTIES_MAX = 32;
/** Below two of n there is nothing to share. */
export const THRESHOLD_MIN = 2;
const EPOCH_MAX = 0xffff_ffff;
const DIGEST_SIZE = 32;

/** A node that takes part in generating a key. */
export interface KeygenMember {
  /** Its Shamir x coordinate. */
  readonly index: PartyIndex;
  /** Pinned identity, 32 bytes. */
  readonly identityKey: Uint8Array;
}

/** What all parties of a generation agree on before it starts. */
export interface KeygenTerms {
  readonly deploymentId: string;
  readonly suite: SuiteName;
  /** Derived key id, `key-…`. */
  readonly keyId: string;
  /** 0 for a new key. */
  readonly epoch: number;
  /** t: 2..n. */
  readonly threshold: number;
  /** 32 bytes of the orchestrator; no node takes part in two sessions of one id. */
  readonly sessionId: Uint8Array;
  /** All n members, exactly 1..n ascending; at most `PARTIES_MAX`. */
  readonly members: readonly KeygenMember[];
  /** Digest in the headers of the session's messages, 32 bytes. Default: `keygenSessionDigest` of these terms. */
  readonly sessionDigest?: Uint8Array;
}

/** How signatures of the members are checked. */
export interface KeygenVerifiers {
  readonly openSignedMessage: OpenSignedMessage;
  readonly verifyIdentity: VerifyIdentity;
}

/** Terms that were checked, with what follows from them. */
export interface KeygenSession extends KeygenVerifiers {
  readonly terms: KeygenTerms;
  readonly suite: KeySuite;
  /** ctx of the Schnorr specification, section 2. */
  readonly context: Uint8Array;
  readonly sessionDigest: Uint8Array;
  /** 1..n. */
  readonly parties: readonly PartyIndex[];
}

/** Checks the terms before anything is drawn, sent or judged; raises `keygen_terms_invalid`. */
export function keygenSession(options: KeygenTerms & KeygenVerifiers): KeygenSession {
  checkTerms(options);
  const { openSignedMessage, verifyIdentity } = options;
  const context = keygenSessionDigest(options);
  return {
    terms: options,
    suite: keySuiteOf(options.suite),
    context,
    sessionDigest: options.sessionDigest ?? context,
    parties: options.members.map((member) => member.index),
    openSignedMessage,
    verifyIdentity,
  };
}

/** Refuses a delivery whose parties are not exactly the members; raises `keygen_terms_invalid`. */
export function checkDelivery(session: KeygenSession, delivery: Delivery): void {
  const { parties } = session;
  const isSame =
    delivery.parties.length === parties.length && delivery.parties.every((party, k) => party === parties[k]);
  if (!isSame)
    throw refuse(`The session joins parties ${delivery.parties.join(", ")}, its members are ${parties.join(", ")}.`);
  if (!parties.includes(delivery.self)) throw refuse(`Party ${delivery.self} is not a member.`);
}

/**
 * ctx of the Schnorr specification, section 2: binds every proof, commitment and digest of a generation to its session, key,
 * threshold and members with their identities. 32 bytes.
 */
export function keygenSessionDigest(terms: KeygenTerms): Uint8Array {
  const { suite, keyId, epoch, sessionId, threshold, members } = terms;
  const { curve } = keySuiteOf(suite);
  const rows = members.map((member) => concatBytes(curve.scalarFromNumber(member.index), member.identityKey));
  const { length: partyCount } = members;
  return T("dkg-ctx", suite, "keygen", keyId, u32be(epoch), sessionId, u16be(threshold), u16be(partyCount), ...rows);
}

/** Bounds of t and n, for whoever takes them from outside; raises `keygen_terms_invalid`. */
export function checkThreshold(threshold: number, partyCount: number): void {
  if (!Number.isInteger(partyCount) || partyCount > PARTIES_MAX)
    throw refuse(`A key has at most ${PARTIES_MAX} parties, not ${partyCount}.`);
  if (!Number.isInteger(threshold) || threshold < THRESHOLD_MIN || threshold > partyCount)
    throw refuse(`A threshold is ${THRESHOLD_MIN}..n, not ${threshold} of ${partyCount}.`);
}

function checkTerms(terms: KeygenTerms): void {
  const { members, threshold, epoch, sessionId, sessionDigest } = terms;
  checkThreshold(threshold, members.length);
  // One rule refuses zero, duplicates, gaps, disorder and anything that is congruent to another index mod q.
  for (const [k, { index, identityKey }] of members.entries()) {
    if (index !== k + 1) throw refuse(`Members are 1..n in order; place ${k + 1} holds ${index}.`);
    if (identityKey.length !== DIGEST_SIZE) throw refuse(`Member ${index} has no 32-byte identity key.`);
  }
  if (!Number.isInteger(epoch) || epoch < 0 || epoch > EPOCH_MAX) throw refuse(`${epoch} is no epoch.`);
  if (sessionId.length !== DIGEST_SIZE) throw refuse("A session id is 32 bytes.");
  if (sessionDigest !== undefined && sessionDigest.length !== DIGEST_SIZE)
    throw refuse("A session digest is 32 bytes.");
}

function refuse(message: string) {
  return thresholdError("keygen_terms_invalid", message);
}
