import type { PartyIndex } from "@countersign/threshold";
import sodium from "libsodium-wrappers-sumo";
import type { Channel } from "../channel/channel.ts";
import type { ChannelEnds } from "../channel/handshake.ts";
import { PeerChannels } from "../channel/peer-channels.ts";
import { MeshCounters } from "../counters.ts";
import { PeerIdentity } from "../identity.ts";
import { seededRng } from "../simulation/seeded-random.ts";
import { VirtualClock } from "../simulation/virtual-clock.ts";
import { DEPLOYMENT, testNode } from "./simulated-nodes.ts";

/** One message of a handshake on its way. */
export interface Carried {
  readonly from: PartyIndex;
  readonly to: PartyIndex;
  readonly bytes: Uint8Array;
}

/** One end of joined channels. */
export interface JoinedEnd {
  readonly ends: ChannelEnds;
  readonly channels: PeerChannels;
  readonly counters: MeshCounters;
}

/** What one process of a test node needs for channels with one process of another. */
export function channelEnds(self: PartyIndex, peer: PartyIndex, boot = "first boot"): ChannelEnds {
  const [own, other] = [testNode(self), testNode(peer)];
  const rng = seededRng(`${self} ${peer} ${boot}`);
  return {
    deploymentId: DEPLOYMENT,
    self: { id: own.id, index: self, identity: own.identity, bootId: rng(16) },
    peer: { id: other.id, index: peer, identity: new PeerIdentity(other.publicKey) },
    rng,
  };
}

/** Nodes 1 and 2 joined by a line that takes a millisecond and that the test may tap. */
export class JoinedChannels {
  readonly clock = new VirtualClock();
  readonly carried: Carried[] = [];
  readonly #ends = new Map<PartyIndex, JoinedEnd>();
  /** Looks at each message; `false` loses it. */
  tap: (message: Carried) => boolean = () => true;

  static async create(): Promise<JoinedChannels> {
    await sodium.ready;
    const joined = new JoinedChannels();
    joined.boot(1);
    joined.boot(2);
    return joined;
  }

  /** Starts a process of this node in place of the one before, which is gone without a word. */
  boot(self: PartyIndex, name = "first boot"): JoinedEnd {
    const peer = self === 1 ? 2 : 1;
    const ends = channelEnds(self, peer, name);
    const counters = new MeshCounters();
    const publish = (bytes: Uint8Array) => this.carry({ from: self, to: peer, bytes });
    const channels = new PeerChannels({ ends, clock: this.clock, counters, publish, onMade: () => {} });
    const end = { ends, channels, counters };
    this.#ends.set(self, end);
    return end;
  }

  /** Sends a message as if it came from an end, as a hostile bus can. */
  carry(message: Carried): void {
    this.carried.push(message);
    if (!this.tap(message)) return;
    this.clock.setTimer(1, () => this.end(message.to).channels.receive(message.bytes));
  }

  end(self: PartyIndex): JoinedEnd {
    const end = this.#ends.get(self);
    if (end === undefined) throw new Error(`There is no end ${self}.`);
    return end;
  }

  /** The current channel of an end. */
  current(self: PartyIndex): Channel {
    const { current } = this.end(self).channels;
    if (current === undefined) throw new Error(`End ${self} has no channel.`);
    return current;
  }

  /** Makes the first channel. */
  async establish(initiator: PartyIndex = 1): Promise<void> {
    this.end(initiator).channels.ensure();
    await this.clock.advance(10);
  }
}
