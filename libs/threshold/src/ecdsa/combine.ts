import { equalBytes } from "@countersign/bytes";
import type { Point, Scalar } from "../curves/curve.ts";
import { secp256k1 } from "../curves/secp256k1.ts";
import type { PartyIndex } from "../delivery.ts";
import { ProtocolAbort } from "../errors.ts";
import { ecdsaAbort } from "./failures.ts";
import { decodePartial, type EcdsaPartial, messageScalar, requestDigest } from "./partial.ts";
import { type EcdsaTerms, type SigningItem, signingSession } from "./signing-session.ts";
import { type EcdsaSignature, verifyEcdsa } from "./verify.ts";

/** One digest of a session as its combiner knows it, and what the parties returned for it. */
export interface CombineEcdsaOptions extends EcdsaTerms {
  /** k of the session's digests, from 0. */
  readonly itemIndex: number;
  readonly partials: ReadonlyMap<PartyIndex, Uint8Array>;
}

/**
 * Combines the quorum's partials to a signature that verifies under the derived key (ECDSA specification, section 3.d). What does not
 * verify is never returned, and the partials say nothing about whose fault it is.
 *
 * Raises what `signingSession` raises, `item_invalid`, `partial_invalid` (suspects), `partials_differ`, `ecdsa_signature_invalid`.
 */
export function combineEcdsa(options: CombineEcdsaOptions): EcdsaSignature {
  const { itemIndex, evidenceHash } = options;
  const session = signingSession(options);
  const item = session.items[itemIndex];
  if (item === undefined) throw new RangeError(`The session has no item ${itemIndex}.`);
  const partials = options.parties.map((party) => readPartial(party, options.partials.get(party)));
  const R = agreedNonce(item, partials, evidenceHash);

  const u = total(partials.map((partial) => partial.u));
  const w = total(partials.map((partial) => partial.w));
  if (secp256k1.isZero(u) || secp256k1.isZero(w)) throw invalid();
  const signature = normalise(R, secp256k1.multiply(w, secp256k1.invert(u)));
  if (!verifyEcdsa(session.publicKey, item.digest, signature)) throw invalid();
  return signature;
}

function readPartial(party: PartyIndex, bytes: Uint8Array | undefined): EcdsaPartial {
  try {
    return decodePartial(bytes ?? new Uint8Array(0));
  } catch (error) {
    if (!(error instanceof ProtocolAbort)) throw error;
    throw ecdsaAbort("partial_invalid", [
      { peer: party, why: `The partial of party ${party} is unusable.`, messages: [] },
    ]);
  }
}

/** R, once all partials name the combiner's own session and request, and the same D and R. */
function agreedNonce(item: SigningItem, partials: readonly EcdsaPartial[], evidenceHash: Uint8Array): Point {
  const [first] = partials;
  if (first === undefined) throw new Error("A quorum has parties.");
  const expected = requestDigest(item.sid, first.D, messageScalar(item.digest), evidenceHash);
  const isAgreed = partials.every(
    ({ sid, D, requestDigest: request, R }) =>
      equalBytes(sid, item.sid) &&
      equalBytes(D, first.D) &&
      equalBytes(request, expected) &&
      secp256k1.equalPoints(R, first.R),
  );
  if (isAgreed) return first.R;
  throw new ProtocolAbort("partials_differ", "The partials are of different sessions, requests or nonces.");
}

/** recid = (y of R is odd) | 2 * (x of R is not below q); the lower of s and -s, which flips the parity. */
function normalise(R: Point, s: Scalar): EcdsaSignature {
  const r = messageScalar(R.subarray(1));
  const overflow = equalBytes(r, R.subarray(1)) ? 0 : 2;
  const parity = R[0] === 3 ? 1 : 0;
  const negated = secp256k1.negate(s);
  // Both are public, and one of them is below q/2.
  const isLow = Buffer.compare(s, negated) <= 0;
  return { r, s: isLow ? s : negated, recid: overflow | (isLow ? parity : 1 - parity) };
}

function total(scalars: readonly Scalar[]): Scalar {
  return scalars.reduce((sum, scalar) => secp256k1.add(sum, scalar));
}

function invalid(): ProtocolAbort {
  return new ProtocolAbort("ecdsa_signature_invalid", "The partials make no valid signature; nothing was released.");
}
