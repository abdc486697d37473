import { randomBytes } from "node:crypto";
import type { PartyIndex, Rng } from "@countersign/threshold";
import { type Clock, systemClock } from "../clock.ts";
import { MeshCounters } from "../counters.ts";
import { PeerIdentity } from "../identity.ts";
import { Subjects } from "../wire/subjects.ts";
import type { Wire } from "../wire/wire.ts";
import { PROBE_MS } from "./presence-beacon.ts";
import { PresenceVoice } from "./presence-message.ts";
import { type NodePresence, PresenceObserver } from "./presence-observer.ts";

/** Who watches, and whom. */
export interface WatchOptions {
  readonly deploymentId: string;
  /** The watcher's name in the subject scheme; no node's id. */
  readonly name: string;
  readonly nodes: readonly { readonly index: PartyIndex; readonly id: string; readonly publicKey: Uint8Array }[];
  readonly wire: Wire;
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** Default: the operating system's. */
  readonly rng?: Rng;
  /** Bounds the subscription at the start. Default: waits for the bus as long as the wire does. */
  readonly signal?: AbortSignal;
}

/** The presence of all nodes as one watcher sees it. */
export interface PresenceWatch {
  /** One row per node, by index. */
  peers(): readonly NodePresence[];
  readonly counters: MeshCounters;
  /** Stops watching; the wire stays open. */
  close(): void;
}

/**
 * Watches the nodes' presence without being one of them: the orchestrator, which uses presence subjects and no others. It asks by
 * unsigned probes; what it believes is signed by the nodes. Resolves once subscribed.
 */
export async function watchPresence(options: WatchOptions): Promise<PresenceWatch> {
  const { deploymentId, name, nodes, wire, clock = systemClock, rng = (size) => randomBytes(size) } = options;
  const subjects = new Subjects(deploymentId, name);
  const counters = new MeshCounters();
  const voice = new PresenceVoice({ deploymentId, bootId: rng(16), publish: (to, bytes) => wire.publish(to, bytes) });
  const observer = new PresenceObserver({
    deploymentId,
    nodes: nodes.map(({ index, id, publicKey }) => ({ index, id, identity: new PeerIdentity(publicKey) })),
    clock,
    rng,
    counters,
    sendProbe: (nodeId, random) => voice.say(subjects.to(nodeId, "presence"), { kind: "probe", random }),
  });
  const receive = (subject: string, bytes: Uint8Array): void => {
    const place = subjects.read(subject);
    if (place?.topic !== "presence") counters.drop("subject_invalid");
    else observer.receive(place.from, subject, bytes);
  };
  const unsubscribe = await wire.subscribe(subjects.presenceInbox(), receive, options.signal);
  let cancel = (): void => {};
  const tick = (): void => {
    cancel = clock.setTimer(PROBE_MS, tick);
    observer.probeAll();
  };
  tick();
  return {
    peers: () => observer.nodes(),
    counters,
    close: () => {
      cancel();
      unsubscribe();
    },
  };
}
