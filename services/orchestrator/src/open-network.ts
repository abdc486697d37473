import { randomBytes } from "node:crypto";
import { apply, type Descriptor } from "@countersign/authority";
import { identityBook, type PresenceWatch, systemClock } from "@countersign/mesh";
import type { PartyIndex } from "@countersign/threshold";
import type { Coordination } from "./coordination/coordination.ts";
import { InFlight } from "./in-flight.ts";
import type { Network, SignerClient } from "./network.ts";

/** What the network is made of, once everything is connected. */
export interface NetworkParts {
  readonly descriptor: Descriptor;
  readonly signers: ReadonlyMap<PartyIndex, SignerClient>;
  readonly presence: Pick<PresenceWatch, "peers">;
  readonly coordination: Coordination;
}

/** Joins the parts on the machine's clock and randomness; a simulation makes its own `Network`. */
export function openNetwork({ descriptor, signers, presence, coordination }: NetworkParts): Network {
  const nodes = descriptor.nodes.map(({ index, identityKey }) => ({ index, publicKey: identityKey }));
  const inFlight = new InFlight();
  return {
    descriptor,
    authority: apply(descriptor),
    signers,
    candidates: () => candidatesOf(descriptor, presence, inFlight),
    countSession: (parties) => inFlight.start(parties),
    ...identityBook(descriptor.deploymentId, nodes),
    coordination,
    now: Date.now,
    clock: systemClock,
    rng: (size) => randomBytes(size),
  };
}

/** Every node with what presence says of it; a node that presence does not know is away. */
export function candidatesOf(descriptor: Descriptor, presence: Pick<PresenceWatch, "peers">, inFlight: InFlight) {
  const peers = new Map(presence.peers().map((peer) => [peer.index, peer]));
  return descriptor.nodes.map(({ index, region }) => {
    const peer = peers.get(index);
    const roundTripUs = peer?.roundTripUs ?? 0;
    return { index, region, present: peer?.present ?? false, roundTripUs, sessions: inFlight.count(index) };
  });
}
