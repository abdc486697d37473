import { equalBytes } from "@countersign/bytes";
import type { Delivery, IdentitySigner, PartyIndex, Rng, SignedMessage } from "../delivery.ts";
import { thresholdError } from "../errors.ts";
import type { KeyShare } from "../key-share.ts";
import type { Pause } from "../steps.ts";
import { bind } from "./binding.ts";
import {
  COMMIT_ROUND,
  checkCommitmentCount,
  decodeCommitment,
  encodeCommitments,
  schnorrRounds,
} from "./commitments.ts";
import { type Nonces, sampleNonces } from "./nonces.ts";
import { packageHash, shareStatement } from "./package.ts";
import type { SchnorrPartial } from "./partial.ts";
import { checkQuorum } from "./quorum.ts";
import { respond, verifyShare } from "./share.ts";
import { type SchnorrItem, signingKey } from "./signing-key.ts";
import type { SigningKey } from "./tweak.ts";

/** What one party brings to a signing session. */
export interface SignOptions {
  readonly share: KeyShare;
  /** 1..200, recomputed by this party from the approved intent, in the order the intent gives. */
  readonly items: readonly SchnorrItem[];
  /** 32 bytes. */
  readonly sessionDigest: Uint8Array;
  readonly identity: IdentitySigner;
  readonly rng: Rng;
  /** Lets the event loop serve others between items, so that a long list is no long burst. Default: goes on at once. */
  readonly pause?: Pause;
}

/**
 * One party's side of two-round FROST signing (RFC 9591, section 5; Schnorr specification, sections 4 and 5), for every item at once.
 * Resolves with one partial per item for whoever combines them; nothing is kept for another attempt. Before the call the party has
 * authorised the session and durably counted the attempt.
 *
 * Raises `quorum_invalid`, `item_invalid`, `tweak_invalid`, `commitment_invalid` (names the party), `share_faulty`, and what the
 * delivery raises.
 */
export async function signSchnorr(delivery: Delivery, options: SignOptions): Promise<readonly SchnorrPartial[]> {
  const { share, items, sessionDigest, identity, rng, pause } = options;
  const { self, parties } = delivery;
  const key = share.public;
  schnorrRounds(items.length);
  checkQuorum(key, parties);
  if (self !== share.index || !parties.includes(self))
    throw thresholdError("quorum_invalid", `Party ${self} holds share ${share.index} of quorum ${parties.join(", ")}.`);
  const signingKeys: SigningKey[] = [];
  for (const [itemIndex, item] of items.entries()) {
    if (itemIndex > 0) await pause?.();
    signingKeys.push(signingKey(key, item));
  }

  const nonces: Nonces[] = [];
  try {
    for (const itemIndex of items.keys()) {
      if (itemIndex > 0) await pause?.();
      nonces.push(sampleNonces(share, { sessionDigest, itemIndex }, rng));
    }

    const body = encodeCommitments(nonces);
    const own = await delivery.send(COMMIT_ROUND, "all", body);
    // What goes on record as ours must be ours, or a later blame would rest on commitments this party never made.
    if (!equalBytes(own.body, body)) throw new Error("The delivery signed other commitments than it was given.");
    const received = await delivery.complete(COMMIT_ROUND);
    const signed = parties.map((party) => ({ party, message: party === self ? own : messageOf(received, party) }));
    for (const { party, message } of signed) checkCommitmentCount(party, message, items.length);

    const partials: SchnorrPartial[] = [];
    for (const [itemIndex, item] of items.entries()) {
      const [itemKey, itemNonces] = [signingKeys[itemIndex], nonces[itemIndex]];
      if (itemIndex > 0) await pause?.();
      if (itemKey === undefined || itemNonces === undefined) throw new Error(`Item ${itemIndex} was not prepared.`);
      const { D, E } = itemNonces;
      const commitments = signed.map(({ party, message }) =>
        party === self ? { party, D, E } : decodeCommitment(itemKey.suite, party, message, itemIndex),
      );
      const binding = bind(itemKey, item.message, commitments);

      const z = respond(itemKey, binding, share, itemNonces); // The only use of the nonces.
      // Verify before release: the result of a faulty multiplication would reveal the share.
      if (!verifyShare(itemKey, binding, key, self, z))
        throw thresholdError(
          "share_faulty",
          `The own share of item ${itemIndex} does not verify and was not released.`,
        );

      const hash = packageHash({ key, sessionDigest, itemIndex, item, commitments });
      const signature = identity.sign(shareStatement(hash, z));
      partials.push({ packageHash: hash, commitments: signed.map(({ message }) => message), z, signature });
    }
    return partials;
  } finally {
    for (const pair of nonces) pair.wipe();
  }
}

function messageOf(received: ReadonlyMap<PartyIndex, SignedMessage>, party: PartyIndex): SignedMessage {
  const message = received.get(party);
  if (message === undefined) throw new Error(`The delivery completed the round without party ${party}.`);
  return message;
}
