import type { Scalar } from "../curves/curve.ts";
import { ProtocolAbort } from "../errors.ts";
import { type Binding, bind } from "./binding.ts";
import type { CombineOptions } from "./combine-options.ts";
import { assumeCommitment } from "./commitments.ts";
import { findFault } from "./find-fault.ts";
import { verifySignature } from "./gate.ts";
import { checkQuorum } from "./quorum.ts";
import { signingKey } from "./signing-key.ts";
import type { SigningKey } from "./tweak.ts";

/** r and s are 32 bytes each, as the suite's signature carries them (plain secp256k1, a test suite: r has 33). */
export interface SchnorrSignature {
  readonly r: Uint8Array;
  readonly s: Uint8Array;
}

/**
 * Combines the quorum's partials to a signature that the release gate accepted (Schnorr specification, section 6). Shares are looked
 * at one by one only when the sum does not verify. What does not verify is never returned.
 *
 * Raises `quorum_invalid`, `item_invalid`, or the fault that `findFault` finds: culprits are named only with evidence that convinces a
 * third party; `suspects` are parties whose own reply is unusable, which convinces only who received it.
 */
export function combineSchnorr(options: CombineOptions): SchnorrSignature {
  checkQuorum(options.publicKey, options.parties);
  const key = signingKey(options.publicKey, options.item);
  const signature = combineUnchecked(options, key);
  if (signature !== undefined && verifySignature({ ...claimOf(options, key), ...signature })) return signature;
  throw findFault(options, key);
}

function claimOf({ item }: CombineOptions, key: SigningKey) {
  return { suite: key.suite.name, publicKey: key.point, message: item.message };
}

/** The sum on the word of the first reply's commitment list; undefined when something does not even decode. */
function combineUnchecked(options: CombineOptions, key: SigningKey): SchnorrSignature | undefined {
  const { parties, partials, item, itemIndex } = options;
  const [first] = parties.map((party) => partials.get(party));
  try {
    const commitments = parties.map((party, place) => {
      const message = first?.commitments[place];
      if (message === undefined) throw new ProtocolAbort("partial_invalid", `No commitments of party ${party}.`);
      // Not their order: a commitment off the prime-order group makes an R that no gate accepts, and then findFault names it.
      return assumeCommitment(key.suite, party, message, itemIndex);
    });
    const responses = parties.map((party) => key.suite.curve.decodeScalar(partials.get(party)?.z ?? new Uint8Array(0)));
    return aggregate(key, bind(key, item.message, commitments), responses);
  } catch (error) {
    // Whose fault it is takes a closer look: findFault goes through the same steps reply by reply.
    if (error instanceof ProtocolAbort) return undefined;
    throw error;
  }
}

/** (R, z = sum z_i + c * v * a) in the signature's encoding (RFC 9591, section 5.3; Schnorr specification, section 8). */
export function aggregate(key: SigningKey, binding: Binding, responses: readonly Scalar[]): SchnorrSignature {
  const { suite } = key;
  const { curve } = suite;
  const tweak = curve.multiply(binding.challenge, key.addend);
  const s = responses.reduce((total, z) => curve.add(total, z), tweak);
  return { r: suite.evenY ? binding.R.slice(1) : binding.R, s };
}
