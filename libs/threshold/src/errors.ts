import { CountersignError, type ErrorEntry, type ErrorTable, errorsOf } from "@countersign/errors";
import type { PartyIndex, SignedMessage } from "./delivery.ts";
import type { SignedShare } from "./schnorr/partial.ts";

const refusal = (meaning: string): ErrorEntry => ({ kind: "refusal", http: 400, grpc: "INVALID_ARGUMENT", meaning });
const bug = (meaning: string): ErrorEntry => ({ kind: "bug", http: 500, grpc: "INTERNAL", meaning });
const abort = (meaning: string): ErrorEntry => ({ kind: "abort", http: 502, grpc: "ABORTED", meaning });

/** Codes of the protocols; every abort reason has its line here. */
export const thresholdErrors = {
  scalar_invalid: abort("A received scalar is not a canonical encoding."),
  scalar_zero: abort("A scalar that must not be zero is zero."),
  point_invalid: abort("A received point is not a canonical encoding of a prime-order, non-identity point."),
  point_identity: abort("A point that must not be the identity is the identity."),
  curves_unprepared: bug("A production curve was used before prepareCurves had been awaited."),
  curves_unavailable: bug(
    "A curve library is missing on this platform or fails its known answers; the node must not start.",
  ),
  suite_unfit: bug("A key of one kind was given to a protocol for keys of another kind."),
  quorum_invalid: refusal(
    "The parties of a session are not exactly t members of the key, strictly ascending, with the party itself.",
  ),
  item_invalid: refusal("A session has no items or too many, or an item names a Merkle root that its key cannot have."),
  tweak_invalid: abort("A tweak hash is not below the group order; the key or path must not be used."),
  nonce_spent: bug("Signing nonces were about to be used a second time; the response was not computed."),
  share_faulty: bug("The signer's own signature share did not verify and was not released; suspect its hardware."),
  commitment_invalid: abort("A party signed a round-1 message that is not two valid points for each item."),
  commitment_equivocated: abort("A party signed two different round-1 messages in one session."),
  share_invalid: abort("A party signed a signature share that does not verify in the package it was made for."),
  partial_invalid: abort("A party's reply is missing, malformed, unsigned, or lacks the session's signed commitments."),
  package_differs: abort(
    "A party signed for another package than the combiner formed; somebody's view of the session is wrong.",
  ),
  aggregate_invalid: bug("Every signature share verifies but the signature does not; it was not released."),
  keygen_terms_invalid: refusal(
    "Threshold, members, epoch or session id of a key generation are out of bounds or do not fit the session's parties.",
  ),
  keygen_message_malformed: abort(
    "A party signed a key generation message that does not have the one layout of its round.",
  ),
  keygen_message_misdirected: abort(
    "A key generation message fails its check at its receiver but would not convict its sender elsewhere.",
  ),
  keygen_commitment_mismatch: abort("A party revealed another package in key generation than it had committed to."),
  keygen_degree_wrong: abort("A party dealt a polynomial with another number of coefficients than the threshold."),
  keygen_proof_invalid: abort("A party did not prove knowledge of its constant term for this session and this party."),
  keygen_share_invalid: abort(
    "A party sent a key generation share that is off its committed polynomial or of another dealing.",
  ),
  keygen_equivocated: abort("A party signed two different messages for one round of a key generation session."),
  keygen_views_differ: abort(
    "Parties of a key generation hold different packages and no two signed messages show whose doing it is.",
  ),
  keygen_links_differ: abort(
    "The two ends of a link hold different ones, so that a new key could not be signed with; the link has to be renewed first.",
  ),
  keygen_complaint_false: abort("A party ended a key generation by a complaint that shows nothing wrong."),
  keygen_result_degenerate: abort(
    "The dealings of a key generation add up to a point without encoding; nobody is to blame.",
  ),
  keygen_acknowledgement_invalid: abort("A party ended a key generation with an acknowledgement of something else."),
  certificate_invalid: abort("A key's certificate is not one valid acknowledgement of each of its n nodes."),
  public_key_package_invalid: abort(
    "The public part of a key is malformed or its points are not on one polynomial of degree t-1.",
  ),
  path_invalid: refusal(
    "A derivation path is hardened, malformed, too long, or names one of the few forbidden indexes.",
  ),
  session_terms_invalid: refusal("Hashes, ids or attempt of a signing session are out of bounds."),
  link_missing: refusal("A signing session needs a link that this node does not have; it is set up first."),
  ecdsa_message_malformed: abort(
    "A party signed an ECDSA message of a wrong length or with a value that is not canonical.",
  ),
  ecdsa_views_differ: abort(
    "Parties of an ECDSA session differ about the session, the link or what was said; anyone may have caused it, nobody is banned.",
  ),
  ecdsa_commitment_mismatch: abort("A party opened another nonce point in ECDSA signing than it had committed to."),
  ot_check_failed: abort("A party's OT extension failed CHECK-1; its link was banned before this was reported."),
  multiplication_check_failed: abort(
    "A party's multiplication failed CHECK-2 or CHECK-3; its link was banned before this was reported.",
  ),
  ecdsa_keys_differ: abort(
    "The parties' shares do not add up to the key to sign under; whose fault it is cannot be told.",
  ),
  ecdsa_nonce_degenerate: abort("The parties' nonces add up to a point without encoding; nobody is to blame."),
  partials_differ: abort("The partials of an ECDSA session are of different sessions, requests or nonces."),
  ecdsa_signature_invalid: abort(
    "The partials of an ECDSA session make no valid signature; it was not released, and whose fault it is cannot be told.",
  ),
  link_setup_failed: abort(
    "Setting up a link failed a check; everything drawn for it is discarded and a new setup may start at once.",
  ),
  link_terms_invalid: refusal(
    "Ends or epoch of a link that is to be set up are out of bounds or do not fit the session.",
  ),
  link_record_invalid: bug("A stored link does not decode; the record is damaged and the link has to be renewed."),
  link_banned: refusal(
    "The link of two nodes is banned after a failed consistency check; only its renewal, decided by operators, clears it.",
  ),
  key_share_inconsistent: bug(
    "A key share does not match its public verification share; the stored record is damaged.",
  ),
} as const satisfies ErrorTable;

export const thresholdError = errorsOf(thresholdErrors);

export type ThresholdErrorCode = keyof typeof thresholdErrors;

/** What a third party needs to convict the culprit: signed messages, and for some codes the signed reply they contradict. */
export interface AbortEvidence {
  readonly messages: readonly SignedMessage[];
  /** Signature shares that do not verify in the package made of `messages`. */
  readonly shares?: readonly SignedShare[];
}

/**
 * A protocol ended without a result because of what a party sent. Names culprits only when the evidence convicts them;
 * `suspects` are parties whose own message is unusable, which convinces only who received it from them.
 */
export class ProtocolAbort extends CountersignError {
  declare readonly code: ThresholdErrorCode;
  readonly culprits: readonly PartyIndex[];
  readonly suspects: readonly PartyIndex[];
  readonly evidence: AbortEvidence | undefined;

  constructor(
    code: ThresholdErrorCode,
    message: string,
    options: {
      culprits?: readonly PartyIndex[];
      suspects?: readonly PartyIndex[];
      evidence?: AbortEvidence;
      cause?: unknown;
    } = {},
  ) {
    const { culprits = [], suspects = [], evidence, cause } = options;
    super(code, thresholdErrors[code], message, { details: { culprits, suspects }, cause });
    this.name = "ProtocolAbort";
    this.culprits = culprits;
    this.suspects = suspects;
    this.evidence = evidence;
  }
}
