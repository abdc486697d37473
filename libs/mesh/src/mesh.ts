import { randomBytes } from "node:crypto";
import { equalBytes } from "@countersign/bytes";
import type { PartyIndex, Rng } from "@countersign/threshold";
import sodium from "libsodium-wrappers-sumo";
import { PeerChannels } from "./channel/peer-channels.ts";
import { type Clock, systemClock } from "./clock.ts";
import { MeshCounters } from "./counters.ts";
import { meshError } from "./errors.ts";
import { type NodeIdentity, PeerIdentity } from "./identity.ts";
import { PresenceBeacon } from "./presence/presence-beacon.ts";
import { PresenceVoice } from "./presence/presence-message.ts";
import { type NodePresence, PresenceObserver } from "./presence/presence-observer.ts";
import type { MeshSession, SessionOptions, SessionPeer } from "./session/mesh-session.ts";
import { SESSIONS_MAX, SessionTable } from "./session/session-table.ts";
import { Subjects } from "./wire/subjects.ts";
import type { Wire } from "./wire/wire.ts";

/** A node of the deployment descriptor. */
export interface MeshNode {
  readonly index: PartyIndex;
  readonly id: string;
  /** Ed25519 identity, 32 bytes, validated by the descriptor's parser. */
  readonly publicKey: Uint8Array;
}

/** What a node needs to join the mesh. */
export interface MeshOptions {
  readonly deploymentId: string;
  /** This node's id, one of `nodes`. */
  readonly self: string;
  /** All nodes of the deployment. */
  readonly nodes: readonly MeshNode[];
  readonly identity: NodeIdentity;
  /** Stays the caller's: closing the mesh does not close it. */
  readonly wire: Wire;
  /** The newest heads of the logs, 32 bytes each, asked at every beat. */
  readonly heads: () => { readonly organisation: Uint8Array; readonly deployment: Uint8Array };
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** Default: the operating system's. */
  readonly rng?: Rng;
  /** Sessions at once. Default 256. */
  readonly sessionsMax?: number;
  /** Bounds the subscription at the start. Default: waits for the bus as long as the wire does. */
  readonly signal?: AbortSignal;
}

/** This node's place in the mesh. */
export interface Mesh {
  /** 16 random bytes of this process. */
  readonly bootId: Uint8Array;
  readonly counters: MeshCounters;
  /** Sessions open here. */
  readonly sessions: number;
  /**
   * Opens a session. Raises `session_parties_invalid` and `session_id_reused` (refusals), `sessions_exhausted` and
   * `session_cancelled` (outages); nothing changed then.
   */
  openSession(options: SessionOptions): MeshSession;
  /** One row per other node, by index. */
  peers(): readonly NodePresence[];
  /** Ends every session with `session_cancelled`, wipes every key and leaves. */
  close(): void;
}

/**
 * Joins the mesh: subscribes this node's inbox, then greets the other nodes. Resolves once subscribed; raises
 * `mesh_identity_mismatch`, `mesh_name_invalid` and what the wire's `subscribe` raises.
 */
export async function connectMesh(options: MeshOptions): Promise<Mesh> {
  const self = checkSelf(options);
  // Nothing of libsodium may be called before its WebAssembly is there.
  await sodium.ready;
  const mesh = new NodeMesh(options, self);
  await mesh.join();
  return mesh;
}

function checkSelf({ self, nodes, identity }: MeshOptions): MeshNode {
  const node = nodes.find(({ id }) => id === self);
  if (node === undefined || !equalBytes(node.publicKey, identity.publicKey))
    throw meshError("mesh_identity_mismatch", `The identity of node ${self} is not the one pinned for it.`);
  return node;
}

class NodeMesh implements Mesh {
  readonly bootId: Uint8Array;
  readonly counters = new MeshCounters();
  readonly #options: MeshOptions;
  readonly #subjects: Subjects;
  readonly #peers: ReadonlyMap<string, SessionPeer>;
  readonly #table: SessionTable;
  readonly #observer: PresenceObserver;
  readonly #beacon: PresenceBeacon;
  #unsubscribe = (): void => {};
  #isClosed = false;

  constructor(options: MeshOptions, self: MeshNode) {
    const { deploymentId, nodes, identity, wire, heads } = options;
    const { clock = systemClock, rng = (size) => randomBytes(size), sessionsMax = SESSIONS_MAX } = options;
    const { counters } = this;
    this.#options = options;
    this.bootId = rng(16);
    this.#subjects = new Subjects(deploymentId, self.id);
    const others = nodes
      .filter(({ id }) => id !== self.id)
      .map(({ index, id, publicKey }) => ({ index, id, identity: new PeerIdentity(publicKey) }));
    const ends = { deploymentId, self: { ...self, bootId: this.bootId, identity }, rng };
    this.#peers = new Map(others.map((peer) => [peer.id, this.#peer({ ends: { ...ends, peer }, clock, counters })]));
    const peers = new Map([...this.#peers.values()].map((peer) => [peer.index, peer]));
    const shared = { deploymentId, clock, rng, counters };
    this.#table = new SessionTable({ ...shared, self: self.index, identity, peers, sessionsMax });
    const publish = (subject: string, bytes: Uint8Array) => wire.publish(subject, bytes);
    const voice = new PresenceVoice({ deploymentId, bootId: this.bootId, identity, publish });
    const subjectTo = (receiver: string) => this.#subjects.to(receiver, "presence");
    const sendProbe = (to: string, random: Uint8Array) => voice.say(subjectTo(to), { kind: "probe", random });
    this.#observer = new PresenceObserver({ ...shared, nodes: others, sendProbe });
    this.#beacon = new PresenceBeacon({
      deploymentId,
      nodeIds: others.map(({ id }) => id),
      clock,
      counters,
      voice,
      observer: this.#observer,
      subjectTo,
      beat: () => {
        const { organisation, deployment } = heads();
        return { sessions: this.#table.size, organisationHead: organisation, deploymentHead: deployment };
      },
      onBooted: (nodeId, bootId) => this.#peers.get(nodeId)?.channels.peerBooted(bootId),
    });
  }

  get sessions(): number {
    return this.#table.size;
  }

  async join(): Promise<void> {
    const { wire, signal } = this.#options;
    const receive = (subject: string, bytes: Uint8Array) => this.#receive(subject, bytes);
    this.#unsubscribe = await wire.subscribe(this.#subjects.inbox(), receive, signal);
    wire.closed.addEventListener("abort", this.#onWireClosed, { once: true });
    this.#beacon.start();
    for (const { channels } of this.#peers.values()) channels.ensure();
  }

  openSession(options: SessionOptions): MeshSession {
    if (this.#isClosed) throw meshError("session_cancelled", "This node has left the mesh.");
    return this.#table.open(options);
  }

  peers(): readonly NodePresence[] {
    return this.#observer.nodes();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#options.wire.closed.removeEventListener("abort", this.#onWireClosed);
    this.#unsubscribe();
    this.#beacon.stop();
    // Sessions end before the channels they may wait for.
    this.#table.close();
    for (const { channels } of this.#peers.values()) channels.close();
  }

  #onWireClosed = (): void => {
    const { reason } = this.#options.wire.closed;
    this.#table.fail(meshError("session_cancelled", "The bus is gone.", { cause: reason }));
  };

  #receive(subject: string, bytes: Uint8Array): void {
    const place = this.#subjects.read(subject);
    if (place === undefined) {
      this.counters.drop("subject_invalid");
      return;
    }
    // Before the peer is looked up: watchers, who are no nodes, may use presence and nothing else.
    if (place.topic === "presence") {
      this.#beacon.receive(place.from, subject, bytes);
      return;
    }
    const peer = this.#peers.get(place.from);
    if (peer === undefined) {
      this.counters.drop("sender_unknown");
      return;
    }
    if (place.topic === "channel") peer.channels.receive(bytes);
    else this.#table.receive(peer.index, place.topic.session, bytes);
  }

  #peer(options: Pick<ConstructorParameters<typeof PeerChannels>[0], "ends" | "clock" | "counters">): SessionPeer {
    const { peer } = options.ends;
    const { wire } = this.#options;
    const channelSubject = this.#subjects.to(peer.id, "channel");
    return {
      index: peer.index,
      identity: peer.identity,
      channels: new PeerChannels({
        ...options,
        publish: (message) => wire.publish(channelSubject, message),
        onMade: () => this.#table.channelMade(peer.index),
      }),
      publish: (session, envelope) => wire.publish(this.#subjects.to(peer.id, { session }), envelope),
    };
  }
}
