import type { PartyIndex } from "../delivery.ts";
import { thresholdError } from "../errors.ts";
import type { PublicKeyPackage } from "../key-share.ts";

/**
 * Checks who signs (Schnorr specification, section 5, check c): exactly t parties, strictly ascending, each a member of the key's
 * epoch. Raises `quorum_invalid`.
 */
export function checkQuorum(key: PublicKeyPackage, parties: readonly PartyIndex[]): void {
  const refuse = (why: string) => {
    const text = `Parties ${parties.join(", ")} are no quorum of ${key.keyId}: ${why}.`;
    return thresholdError("quorum_invalid", text, { details: { parties } });
  };
  if (parties.length !== key.threshold) throw refuse(`expected exactly ${key.threshold}`);
  let previous = 0;
  for (const party of parties) {
    if (!Number.isInteger(party) || party < 1 || party > key.partyCount)
      throw refuse(`${party} is no member of 1..${key.partyCount}`);
    if (party <= previous) throw refuse("expected strictly ascending indices");
    previous = party;
  }
}
