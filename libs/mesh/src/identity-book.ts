import type { OpenSignedMessage, PartyIndex, VerifyIdentity } from "@countersign/threshold";
import { decodeHeader, messageStatement } from "./header.ts";
import { PeerIdentity } from "./identity.ts";

/** The pinned identities of a deployment's nodes, as protocols and judges of evidence use them. */
export interface IdentityBook {
  readonly openSignedMessage: OpenSignedMessage;
  readonly verifyIdentity: VerifyIdentity;
}

/** Makes the book from the deployment descriptor's nodes; a party that is not in it has signed nothing. */
export function identityBook(
  deploymentId: string,
  nodes: readonly { readonly index: PartyIndex; readonly publicKey: Uint8Array }[],
): IdentityBook {
  const identities = new Map(nodes.map(({ index, publicKey }) => [index, new PeerIdentity(publicKey)]));
  const verifyIdentity: VerifyIdentity = (party, statement, signature) =>
    identities.get(party)?.verify(statement, signature) ?? false;
  return {
    verifyIdentity,
    openSignedMessage: ({ header, body, signature }) => {
      const facts = decodeHeader(header);
      if (facts === undefined) return undefined;
      return verifyIdentity(facts.from, messageStatement(deploymentId, header, body), signature) ? facts : undefined;
    },
  };
}
