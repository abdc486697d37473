import { concatBytes } from "@countersign/bytes";
import type { PartyIndex } from "../delivery.ts";
import { ProtocolAbort } from "../errors.ts";
import { fingerprintsAgree, type LinkFingerprints } from "../links/link.ts";
import { ORDINARY } from "./encoding.ts";
import { WORD_SIZE } from "./rounds.ts";

/** What one party says of its links: fingerprints by the other party. */
export type LinkClaims = ReadonlyMap<PartyIndex, LinkFingerprints>;

const CLAIM_SIZE = 2 * WORD_SIZE;

/** The body of a `links` message: for each other party ascending, pairFp(self <- party) and pairFp(party <- self). */
export function encodeLinkClaims(parties: readonly PartyIndex[], self: PartyIndex, claims: LinkClaims): Uint8Array {
  const fields = others(parties, self).flatMap((party) => {
    const claim = claims.get(party);
    if (claim === undefined) throw new RangeError(`There is no link with party ${party}.`);
    return [claim.receiving, claim.sending];
  });
  return concatBytes(Uint8Array.of(ORDINARY), ...fields);
}

/** Reads the claims of a party; raises `keygen_message_malformed`. */
export function decodeLinkClaims(parties: readonly PartyIndex[], from: PartyIndex, body: Uint8Array): LinkClaims {
  const peers = others(parties, from);
  if (body.length !== 1 + peers.length * CLAIM_SIZE || body[0] !== ORDINARY)
    throw new ProtocolAbort("keygen_message_malformed", `Party ${from} does not name its ${peers.length} links.`);
  return new Map(
    peers.map((party, place) => {
      const at = 1 + place * CLAIM_SIZE;
      const [receiving, sending] = [body.slice(at, at + WORD_SIZE), body.slice(at + WORD_SIZE, at + CLAIM_SIZE)];
      return [party, { receiving, sending }] as const;
    }),
  );
}

/**
 * Whether the two ends of every link say the same of it (ECDSA specification, section 3.a). Everyone compares all pairs, so that all stop
 * at the same place. Raises `keygen_links_differ`, which blames nobody: those links are stale and have to be renewed.
 */
export function compareLinkClaims(claims: ReadonlyMap<PartyIndex, LinkClaims>): void {
  const stale: string[] = [];
  for (const [one, ofOne] of claims)
    for (const [other, ofOther] of claims) {
      const [own, theirs] = [ofOne.get(other), ofOther.get(one)];
      if (one < other && (own === undefined || theirs === undefined || !fingerprintsAgree(own, theirs)))
        stale.push(`${one}-${other}`);
    }
  if (stale.length > 0)
    throw new ProtocolAbort("keygen_links_differ", `The ends of links ${stale.join(", ")} hold different ones.`);
}

function others(parties: readonly PartyIndex[], self: PartyIndex): readonly PartyIndex[] {
  return parties.filter((party) => party !== self);
}
