import type { Point, Scalar } from "../curves/curve.ts";
import { secp256k1 } from "../curves/secp256k1.ts";
import type { PartyIndex } from "../delivery.ts";
import { thresholdError } from "../errors.ts";
import type { PublicKeyPackage } from "../key-share.ts";
import { acknowledgementStatement } from "../keygen/acknowledgement.ts";
import type { KeygenMember } from "../keygen/terms.ts";
import { checkQuorum } from "../schnorr/quorum.ts";
import { SUITE, WORD_SIZE } from "./parameters.ts";
import { listParts, TH } from "./transcript.ts";

/** A transaction with one signature per input has at most this many (architecture 2). */
export const DIGESTS_MAX = 200;
const PROTOCOL_VERSION = 1;
/** Hashes take integers of four bytes. */
const U32_MAX = 0xffff_ffff;

/** What signers and combiner know of a session, each by itself. Hashes and ids are 32 bytes. */
export interface EcdsaTerms {
  readonly deploymentId: string;
  readonly key: PublicKeyPackage;
  /** `ecdsaKeyContext` of the ceremony that created the key's epoch, from the key's record. */
  readonly keyContext: Uint8Array;
  /** S: exactly t members of the key, strictly ascending. */
  readonly parties: readonly PartyIndex[];
  /** Session id of the orchestrator; no node takes part in two sessions of one id. */
  readonly sessionId: Uint8Array;
  /** 1..2^32-1. */
  readonly attempt: number;
  /** Hash of the evidence that this party verified itself. */
  readonly evidenceHash: Uint8Array;
  readonly organisationHead: Uint8Array;
  readonly deploymentHead: Uint8Array;
  /** Non-hardened BIP-32 indexes below the key. Default: none. */
  readonly path?: readonly number[];
  /**
   * delta, what the key on that path has more than the root. A signer derives it from its chain code; a combiner, which has none, is
   * told it, and finds partials of another session if it is told another. Default: zero.
   */
  readonly tweak?: Uint8Array;
  /** 1..200 digests of 32 bytes, recomputed from the approved intent, in the order the intent gives. */
  readonly digests: readonly Uint8Array[];
}

/** One digest of a session. */
export interface SigningItem {
  /** sid_d: stands wherever the specification says sid. */
  readonly sid: Uint8Array;
  readonly digest: Uint8Array;
}

/** Terms that were checked, with what follows from them. */
export interface SigningSession {
  /** The session's own copy, as far as it is read later. */
  readonly terms: EcdsaTerms;
  /** pk': the key that signatures verify under. */
  readonly publicKey: Point;
  /** delta. */
  readonly tweak: Scalar;
  readonly items: readonly SigningItem[];
}

/**
 * Checks a session's terms and binds them into its ids (ECDSA specification, section 2.2) before anything secret is drawn. Raises
 * `suite_unfit`, `quorum_invalid`, `item_invalid`, `session_terms_invalid`, and for a tweak `scalar_invalid`, `point_identity`.
 */
export function signingSession(given: EcdsaTerms): SigningSession {
  // Copies: what was checked and hashed here is what gets signed many pauses later, whatever the caller does with its bytes.
  const digests = given.digests.map((digest) => new Uint8Array(digest));
  const terms = { ...given, digests, parties: [...given.parties], evidenceHash: new Uint8Array(given.evidenceHash) };
  const { key, parties } = terms;
  if (key.suite !== "DKLS23-secp256k1-SHA256-v1")
    throw thresholdError("suite_unfit", `A ${key.suite} key makes no ECDSA signatures.`);
  checkQuorum(key, parties);
  checkTerms(terms);
  const [root] = key.commitments;
  if (root === undefined) throw new Error(`Key ${key.keyId} has no public key.`);
  const tweak = secp256k1.decodeScalar(terms.tweak ?? secp256k1.scalarFromNumber(0));
  const publicKey = secp256k1.isZero(tweak) ? root : secp256k1.sum([root, secp256k1.multiplyBase(tweak)]);
  const sid = sessionSid(terms, tweak);
  const items = digests.map((digest, index) => ({ sid: TH("sign-item", sid, index, digest), digest }));
  return { terms, publicKey, tweak, items };
}

/**
 * ctxKey: binds every session to its key, epoch, threshold and members with the identities of the ceremony that created the epoch.
 * Computed and recorded by that ceremony: a later rotation of identities does not change it. 32 bytes.
 */
export function ecdsaKeyContext(
  key: Pick<PublicKeyPackage, "keyId" | "epoch" | "threshold">,
  members: readonly KeygenMember[],
): Uint8Array {
  const { keyId, epoch, threshold } = key;
  const rows = members.map(({ index, identityKey }) => [index, identityKey] as const);
  return TH("ctx", SUITE, "secp256k1", keyId, epoch, threshold, members.length, ...listParts(rows));
}

function sessionSid(terms: EcdsaTerms, tweak: Scalar): Uint8Array {
  const { deploymentId, key, path = [], parties, digests } = terms;
  return TH(
    "sign",
    deploymentId,
    PROTOCOL_VERSION,
    terms.evidenceHash,
    terms.organisationHead,
    terms.deploymentHead,
    terms.keyContext,
    acknowledgementStatement(deploymentId, key),
    ...listParts(parties),
    terms.sessionId,
    terms.attempt,
    "interactive",
    ...listParts(path),
    tweak,
    digests.length,
  );
}

function checkTerms(terms: EcdsaTerms): void {
  const { digests, attempt } = terms;
  if (digests.length < 1 || digests.length > DIGESTS_MAX)
    throw thresholdError("item_invalid", `A session signs 1..${DIGESTS_MAX} digests, not ${digests.length}.`);
  if (digests.some((digest) => digest.length !== WORD_SIZE))
    throw thresholdError("item_invalid", "A digest to be signed has 32 bytes.");
  for (const name of ["keyContext", "sessionId", "evidenceHash", "organisationHead", "deploymentHead"] as const)
    if (terms[name].length !== WORD_SIZE)
      throw thresholdError("session_terms_invalid", `A session's ${name} is 32 bytes, not ${terms[name].length}.`);
  if (!Number.isInteger(attempt) || attempt < 1 || attempt > U32_MAX)
    throw thresholdError("session_terms_invalid", `${attempt} is no attempt of a session.`);
}
