import type { PartyIndex, Rng } from "@countersign/threshold";
import type { Clock } from "../clock.ts";
import type { MeshCounters } from "../counters.ts";
import type { PeerIdentity } from "../identity.ts";
import { RateLimit } from "../rate-limit.ts";
import { PeerPresence } from "./peer-presence.ts";
import { type OpenedPresence, openPresence } from "./presence-message.ts";

/** Presence messages per node that may cost a signature verification: a healthy one sends six a second. */
const PRESENCE_LIMIT = { burst: 40, perSecond: 20 };

/** A node whose presence is observed. */
export interface ObservedNode {
  readonly index: PartyIndex;
  readonly id: string;
  readonly identity: PeerIdentity;
}

/** A node's presence as its observer sees it. */
export interface NodePresence {
  readonly nodeId: string;
  readonly index: PartyIndex;
  /** Whether a sign of life came within the last second. */
  readonly present: boolean;
  /** Smoothed, microseconds; undefined before the first measurement. */
  readonly roundTripUs: number | undefined;
  /** Sessions it said to run; 0 before its first beat. */
  readonly sessions: number;
  /** Head of its organisation log, 32 bytes; undefined before its first beat. */
  readonly organisationHead: Uint8Array | undefined;
  /** Head of its deployment log, 32 bytes; undefined before its first beat. */
  readonly deploymentHead: Uint8Array | undefined;
}

export interface PresenceObserverOptions {
  readonly deploymentId: string;
  readonly nodes: readonly ObservedNode[];
  readonly clock: Clock;
  readonly rng: Rng;
  readonly counters: MeshCounters;
  readonly sendProbe: (nodeId: string, random: Uint8Array) => void;
}

/** The observing half of presence: whom this process believes to be alive, and how far away. */
export class PresenceObserver {
  readonly #options: PresenceObserverOptions;
  readonly #nodes: ReadonlyMap<string, { node: ObservedNode; presence: PeerPresence; limit: RateLimit }>;

  constructor(options: PresenceObserverOptions) {
    const { nodes, clock, rng } = options;
    this.#options = options;
    this.#nodes = new Map(
      nodes.map((node) => [
        node.id,
        { node, presence: new PeerPresence(clock, rng), limit: new RateLimit(clock, PRESENCE_LIMIT) },
      ]),
    );
  }

  /** One row per node, by index. */
  nodes(): NodePresence[] {
    return [...this.#nodes.values()]
      .map(({ node, presence }) => ({
        nodeId: node.id,
        index: node.index,
        present: presence.isPresent,
        roundTripUs: presence.roundTripUs,
        sessions: presence.beat?.sessions ?? 0,
        organisationHead: presence.beat?.organisationHead,
        deploymentHead: presence.beat?.deploymentHead,
      }))
      .sort((a, b) => a.index - b.index);
  }

  probeAll(): void {
    for (const nodeId of this.#nodes.keys()) this.#probe(nodeId);
  }

  /** Judges a message of a node; returns it when it is authentic and new, with whether its process was just proven. */
  receive(nodeId: string, subject: string, bytes: Uint8Array): { opened: OpenedPresence; booted: boolean } | undefined {
    const { counters, deploymentId } = this.#options;
    const observed = this.#nodes.get(nodeId);
    if (observed === undefined) return void counters.drop("sender_unknown");
    if (!observed.limit.take()) return void counters.drop("presence_limited");
    const opened = openPresence(deploymentId, subject, bytes);
    if (opened === undefined) return void counters.drop("presence_malformed");
    if (!opened.isSignedBy(observed.node.identity)) return void counters.drop("presence_forged");
    const verdict = observed.presence.accept(opened);
    if (verdict === "stale") return void counters.drop("presence_stale");
    if (verdict === "unproven" && opened.content.kind === "beat") this.#probe(nodeId);
    return { opened, booted: verdict === "booted" };
  }

  #probe(nodeId: string): void {
    const random = this.#nodes.get(nodeId)?.presence.probe();
    if (random !== undefined) this.#options.sendProbe(nodeId, random);
  }
}
