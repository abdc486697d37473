import assert from "node:assert/strict";
import { hex } from "@countersign/bytes";
import type { PartyIndex, Rng } from "@countersign/threshold";
import type { Clock } from "../clock.ts";
import type { MeshCounters } from "../counters.ts";
import { BODY_BYTES_MAX } from "../envelope.ts";
import { meshError } from "../errors.ts";
import type { NodeIdentity } from "../identity.ts";
import { EarlyEnvelopes } from "./early-envelopes.ts";
import { MeshSession, type SessionOptions, type SessionPeer } from "./mesh-session.ts";

/** Sessions at once: far above what a node's processor carries, and a bound for its memory. */
export const SESSIONS_MAX = 256;
/** Sessions remembered after their end, so that what arrives late for them is not kept as early: a minute's at full load. */
const SESSIONS_OVER_MAX = 8_192;

export interface SessionTableOptions {
  readonly deploymentId: string;
  readonly self: PartyIndex;
  readonly identity: NodeIdentity;
  readonly peers: ReadonlyMap<PartyIndex, SessionPeer>;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly counters: MeshCounters;
  readonly sessionsMax: number;
}

/** A node's sessions: those that run, those just over, and envelopes for those not yet open. */
export class SessionTable {
  readonly #options: SessionTableOptions;
  readonly #running = new Map<string, MeshSession>();
  readonly #over = new Set<string>();
  readonly #early: EarlyEnvelopes;

  constructor(options: SessionTableOptions) {
    this.#options = options;
    this.#early = new EarlyEnvelopes(options.clock, options.counters);
  }

  get size(): number {
    return this.#running.size;
  }

  /** See `Mesh.openSession`. */
  open(options: SessionOptions): MeshSession {
    const { deploymentId, self, identity, rng, counters, sessionsMax } = this.#options;
    assert(options.sessionId.length === 32 && options.sessionDigest.length === 32, "A session has 32-byte ids.");
    for (const [round, bytes] of Object.entries(options.rounds))
      assert(bytes <= BODY_BYTES_MAX, `Round "${round}" allows more than an envelope carries.`);
    const name = hex(options.sessionId);
    const peers = this.#others(options.parties);
    if (this.#running.has(name) || this.#over.has(name))
      throw meshError("session_id_reused", `Session ${name} was already opened at this node.`);
    if (this.#running.size >= sessionsMax)
      throw meshError("sessions_exhausted", `All ${sessionsMax} sessions of this node are taken.`);
    const onClose = () => this.#end(name);
    const session = new MeshSession(options, { deploymentId, self, identity, rng, counters, peers, onClose });
    this.#running.set(name, session);
    for (const peer of this.#options.peers.keys()) this.#admitEarly(peer, (early) => early === name);
    return session;
  }

  /** Takes what arrived on a session's subject. */
  receive(peer: PartyIndex, name: string, bytes: Uint8Array): void {
    const session = this.#running.get(name);
    if (session === undefined && this.#over.has(name)) {
      this.#options.counters.drop("session_over");
      return;
    }
    if (session === undefined || session.receive(peer, bytes) === "wait") this.#early.add(peer, name, bytes);
  }

  /** A channel with this peer was made: what waited for its confirmation can be judged, and what the last one lost is sent again. */
  channelMade(peer: PartyIndex): void {
    for (const session of this.#running.values()) session.channelMade(peer);
    this.#admitEarly(peer, (early) => this.#running.has(early));
  }

  /** Ends every session with this error. */
  fail(error: unknown): void {
    for (const session of [...this.#running.values()]) session.fail(error);
  }

  close(): void {
    for (const session of [...this.#running.values()]) session.close();
  }

  #admitEarly(peer: PartyIndex, isChosen: (session: string) => boolean): void {
    for (const early of this.#early.take(peer, isChosen)) this.receive(peer, early.session, early.bytes);
  }

  #end(name: string): void {
    this.#running.delete(name);
    const [oldest] = this.#over;
    if (oldest !== undefined && this.#over.size >= SESSIONS_OVER_MAX) this.#over.delete(oldest);
    this.#over.add(name);
  }

  #others(parties: readonly PartyIndex[]): ReadonlyMap<PartyIndex, SessionPeer> {
    const { self, peers } = this.#options;
    const isAscending = parties.every((party, at) => at === 0 || party > (parties[at - 1] ?? party));
    if (!isAscending || !parties.includes(self))
      throw meshError(
        "session_parties_invalid",
        `Parties ${parties.join(", ")} are not ascending with ${self} in them.`,
      );
    const others = new Map<PartyIndex, SessionPeer>();
    for (const party of parties) {
      const peer = peers.get(party);
      if (peer !== undefined) others.set(party, peer);
      else if (party !== self)
        throw meshError("session_parties_invalid", `Party ${party} is no node of this deployment.`);
    }
    return others;
  }
}
