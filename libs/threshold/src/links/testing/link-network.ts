import { Secret } from "@countersign/bytes";
import { inProcessDeliveries, NodeIdentity, signMessage } from "@countersign/mesh";
import type { Delivery, PartyIndex, Rng } from "../../delivery.ts";
import { systemRng } from "../../testing/system-rng.ts";
import { type EstablishedLink, type EstablishLinkOptions, establishLink, linkRounds } from "../establish-link.ts";

export const DEPLOYMENT = "test-deployment";

/** Two nodes about to set up a link; party 1 is `signer-a`. */
export interface LinkNetwork {
  readonly identities: ReadonlyMap<PartyIndex, NodeIdentity>;
  readonly options: (party: PartyIndex) => EstablishLinkOptions;
}

/** Where a test may interfere. */
export interface LinkInterference {
  /** Replaces the body that one end sends; undefined leaves it, null loses it. Signed as that end. */
  readonly forge?: (sent: {
    readonly from: PartyIndex;
    readonly round: string;
    readonly body: Uint8Array;
  }) => Uint8Array | null | undefined;
  readonly options?: (party: PartyIndex, options: EstablishLinkOptions) => EstablishLinkOptions;
  readonly delivery?: (party: PartyIndex, delivery: Delivery) => Delivery;
}

/** Fresh identities; node ids in the opposite order of party indexes where asked. */
export function linkNetwork(
  settings: { readonly linkEpoch?: number; readonly nodeIds?: readonly [string, string]; readonly rng?: Rng } = {},
): LinkNetwork {
  const { linkEpoch = 1, nodeIds = ["signer-a", "signer-b"], rng = systemRng } = settings;
  const identities = new Map([1, 2].map((party) => [party, new NodeIdentity(new Secret(systemRng(32)))] as const));
  const member = (party: PartyIndex) => {
    const identity = identities.get(party);
    const nodeId = nodeIds[party - 1];
    if (identity === undefined || nodeId === undefined) throw new Error(`No party ${party}.`);
    return { nodeId, identityKey: identity.publicKey };
  };
  const options = (party: PartyIndex): EstablishLinkOptions => ({
    deploymentId: DEPLOYMENT,
    linkEpoch,
    self: member(party),
    peer: member(3 - party),
    rng,
    stage: async () => {},
  });
  return { identities, options };
}

/** Runs both ends; once the event loop turns with an end still waiting, the deadline passes. */
export async function runLinkSetup(
  network: LinkNetwork,
  interference: LinkInterference = {},
): Promise<readonly [PromiseSettledResult<EstablishedLink>, PromiseSettledResult<EstablishedLink>]> {
  const deadline = new AbortController();
  const deliveries = inProcessDeliveries({
    deploymentId: DEPLOYMENT,
    sessionId: systemRng(32),
    sessionDigest: new Uint8Array(32).fill(3),
    rounds: linkRounds,
    identities: network.identities,
    signal: deadline.signal,
    tap: (message, facts) => {
      const { from, round } = facts;
      const forged = interference.forge?.({ from, round, body: message.body });
      if (forged === null) return undefined;
      const identity = network.identities.get(from);
      if (forged === undefined || identity === undefined) return message;
      return signMessage(identity, DEPLOYMENT, facts, forged);
    },
  });
  const run = async (party: PartyIndex) => {
    const delivery = deliveries.get(party);
    if (delivery === undefined) throw new Error(`No party ${party}.`);
    const options = network.options(party);
    return await establishLink(
      interference.delivery?.(party, delivery) ?? delivery,
      interference.options?.(party, options) ?? options,
    );
  };
  const outcomes = Promise.allSettled([run(1), run(2)] as const);
  await new Promise((resolve) => setImmediate(resolve));
  deadline.abort(new DOMException("The test's deadline passed.", "TimeoutError"));
  return await outcomes;
}

/** Both ends of an honest setup. */
export async function establishedPair(
  network: LinkNetwork = linkNetwork(),
): Promise<[EstablishedLink, EstablishedLink]> {
  const [first, second] = await runLinkSetup(network);
  if (first.status === "rejected") throw first.reason;
  if (second.status === "rejected") throw second.reason;
  return [first.value, second.value];
}
