import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Carried, JoinedChannels } from "../testing/joined-channels.ts";
import type { Channel } from "./channel.ts";
import { decodeChannelMessage } from "./handshake.ts";
import { CHANNEL_RENEW_MS, CHANNEL_RETIRE_MS, HANDSHAKE_DEADLINE_MS } from "./peer-channels.ts";

const SESSION = "aa".repeat(32);
const HEADER = Uint8Array.of(1);
const NEVER = new AbortController().signal;

const kindOf = ({ bytes }: Carried) => decodeChannelMessage(bytes)?.case;

/** Whether what one channel seals now opens under the other. */
function carries(from: Channel, to: Channel): boolean {
  const { nonce, sealed } = from.seal(SESSION, HEADER, Uint8Array.of(9), (size) => new Uint8Array(size).fill(1));
  return to.open(SESSION, HEADER, nonce, sealed) !== undefined;
}

function assertJoined(joined: JoinedChannels): void {
  assert.equal(joined.current(1).name, joined.current(2).name);
  assert(carries(joined.current(1), joined.current(2)) && carries(joined.current(2), joined.current(1)));
}

describe("channels of two processes", () => {
  for (const initiator of [1, 2])
    test(`node ${initiator} makes one with three messages`, async () => {
      const joined = await JoinedChannels.create();

      await joined.establish(initiator);

      assertJoined(joined);
      assert.deepEqual(joined.carried.map(kindOf), ["offer", "answer", "confirmation"]);
    });

  test("offers that cross make one channel, the lower index's", async () => {
    const joined = await JoinedChannels.create();

    joined.end(2).channels.ensure();
    joined.end(1).channels.ensure();
    await joined.clock.advance(HANDSHAKE_DEADLINE_MS * 2);

    assertJoined(joined);
    for (const self of [1, 2]) assert.equal(joined.end(self).counters.channelsMade, 1);
    assert.equal(joined.carried.find((message) => kindOf(message) === "confirmation")?.from, 1);
  });

  test("whoever waits gets the channel, and waiting starts the handshake", async () => {
    const joined = await JoinedChannels.create();

    const channel = await joined.clock.settle(joined.end(2).channels.ready(NEVER), 1_000);

    assert.equal(channel, joined.current(2));
  });

  test("waiting ends with the signal's reason", async () => {
    const joined = await JoinedChannels.create();
    joined.tap = () => false;
    const controller = new AbortController();
    const waiting = joined.end(1).channels.ready(controller.signal);

    controller.abort(new Error("enough"));

    await assert.rejects(waiting, /enough/);
    await assert.rejects(joined.end(1).channels.ready(controller.signal), /enough/);
  });

  for (const lost of ["offer", "answer", "confirmation"] as const)
    test(`a lost ${lost} is repeated`, async () => {
      const joined = await JoinedChannels.create();
      let isLost = false;
      joined.tap = (message) => {
        if (isLost || kindOf(message) !== lost) return true;
        isLost = true;
        return false;
      };

      joined.end(1).channels.ensure();
      await joined.clock.advance(1_000);

      assertJoined(joined);
    });

  test("an offer is repeated with growing pauses until its deadline, and its key is gone then", async () => {
    const joined = await JoinedChannels.create();
    const at: number[] = [];
    joined.tap = () => {
      at.push(joined.clock.now());
      return false;
    };

    joined.end(1).channels.ensure();
    await joined.clock.advance(HANDSHAKE_DEADLINE_MS * 3);

    assert.deepEqual(at, [0, 250, 750, 1_750, 3_750]);
    // An answer to the given-up offer changes nothing.
    joined.tap = () => true;
    const [offer] = joined.carried;
    assert(offer);
    joined.carry(offer);
    await joined.clock.advance(100);
    assert.equal(joined.end(1).channels.current, undefined);
  });

  test("while somebody waits, a given-up handshake is followed by a fresh one", async () => {
    const joined = await JoinedChannels.create();
    joined.tap = () => false;
    const waiting = joined.end(1).channels.ready(NEVER);
    await joined.clock.advance(HANDSHAKE_DEADLINE_MS * 4);

    joined.tap = () => true;

    assert.equal(await joined.clock.settle(waiting, HANDSHAKE_DEADLINE_MS * 2), joined.current(1));
    await joined.clock.advance(10);
    assertJoined(joined);
  });

  test("the responder seals and opens nothing before the confirmation", async () => {
    const joined = await JoinedChannels.create();
    joined.tap = (message) => kindOf(message) !== "confirmation";

    await joined.establish();

    assert.equal(joined.end(2).channels.current, undefined);
    const { id } = joined.current(1);
    assert.equal(joined.end(2).channels.find(id), undefined);
    assert(joined.end(2).channels.isPending(id));
  });
});

describe("renewal", () => {
  test("comes every hour from the lower index, and the old channel opens for another minute", async () => {
    const joined = await JoinedChannels.create();
    await joined.establish();
    const [one, two] = [joined.current(1), joined.current(2)];

    await joined.clock.advance(CHANNEL_RENEW_MS);

    assertJoined(joined);
    assert.notEqual(joined.current(1).name, one.name);
    assert.equal(joined.carried.filter((message) => kindOf(message) === "offer").length, 2);
    assert.equal(joined.end(2).channels.find(one.id), two);
    assert(carries(one, two));
    await joined.clock.advance(CHANNEL_RETIRE_MS);
    assert.equal(joined.end(2).channels.find(one.id), undefined);
    assert.throws(() => two.seal("bb".repeat(32), HEADER, HEADER, (size) => new Uint8Array(size)), /wiped/);
  });

  test("comes from the higher index when the lower one does not renew", async () => {
    const joined = await JoinedChannels.create();
    await joined.establish();
    const { name } = joined.current(1);
    joined.tap = ({ from, bytes }) => from !== 1 || decodeChannelMessage(bytes)?.case !== "offer";

    await joined.clock.advance(CHANNEL_RENEW_MS + 60_000);

    assertJoined(joined);
    assert.notEqual(joined.current(1).name, name);
  });

  test("that fails ends the channel: the peer is away, and the key is wiped a minute later", async () => {
    const joined = await JoinedChannels.create();
    await joined.establish();
    const one = joined.current(1);
    joined.tap = () => false;

    await joined.clock.advance(CHANNEL_RENEW_MS + HANDSHAKE_DEADLINE_MS);

    assert.equal(joined.end(1).channels.current, undefined);
    await joined.clock.advance(CHANNEL_RETIRE_MS);
    assert.equal(joined.end(1).channels.find(one.id), undefined);
  });

  test("keeps at most four channels, however fast the peer renews", async () => {
    const joined = await JoinedChannels.create();
    await joined.establish();
    const ids = [joined.current(1).id];

    for (let renewal = 0; renewal < 6; renewal++) {
      joined.end(2).channels.renew();
      await joined.clock.advance(1_000);
      ids.push(joined.current(1).id);
    }

    const known = ids.map((id) => joined.end(1).channels.find(id) !== undefined);
    assert.deepEqual(known, [false, false, false, true, true, true, true]);
  });

  test("follows when the peer proves to run another process, whose predecessor's channel is wiped at once", async () => {
    const joined = await JoinedChannels.create();
    await joined.establish();
    const old = joined.current(1);
    const { ends } = joined.boot(2, "second boot");

    joined.end(1).channels.peerBooted(ends.self.bootId);
    assert.equal(joined.end(1).channels.find(old.id), undefined);
    await joined.clock.advance(10);

    assertJoined(joined);
    assert.deepEqual(joined.current(1).peerBootId, ends.self.bootId);
  });

  test("a process that is known already changes nothing", async () => {
    const joined = await JoinedChannels.create();
    await joined.establish();
    const { name } = joined.current(1);

    joined.end(1).channels.peerBooted(joined.end(2).ends.self.bootId);
    await joined.clock.advance(10);

    assert.equal(joined.current(1).name, name);
  });

  test("follows, at most once in a while, when the peer seals under a channel unknown here", async () => {
    const joined = await JoinedChannels.create();
    await joined.establish();

    for (let time = 0; time < 20; time++) {
      joined.end(1).channels.reconcile();
      await joined.clock.advance(100);
    }

    assert.equal(joined.end(1).counters.channelsMade, 2);
  });
});

describe("what a hostile bus can do to a made channel", () => {
  const unchanged = async (attack: (joined: JoinedChannels) => void): Promise<JoinedChannels> => {
    const joined = await JoinedChannels.create();
    await joined.establish();
    const names = [joined.current(1).name, joined.current(2).name];
    attack(joined);
    await joined.clock.advance(HANDSHAKE_DEADLINE_MS * 2);
    assert.deepEqual([joined.current(1).name, joined.current(2).name], names);
    assertJoined(joined);
    return joined;
  };

  test("repeating the whole handshake, to both ends, changes nothing", async () => {
    await unchanged((joined) => {
      for (const message of [...joined.carried]) {
        joined.carry(message);
        joined.carry({ ...message, from: message.to, to: message.from });
      }
    });
  });

  test("any bit flipped in any message of a repeated handshake changes nothing", async () => {
    await unchanged((joined) => {
      const messages = [...joined.carried];
      joined.tap = () => true;
      for (const message of messages) {
        for (let bit = 0; bit < message.bytes.length * 8; bit += 11) {
          const bytes = message.bytes.slice();
          bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          joined.carry({ ...message, bytes });
        }
      }
    });
  });

  test("garbage is counted and changes nothing", async () => {
    await unchanged((joined) => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
          const before = joined.end(1).counters.droppedTotal;
          joined.end(1).channels.receive(bytes);
          assert.equal(joined.end(1).counters.droppedTotal, before + 1);
        }),
        { numRuns: 200 },
      );
    });
  });

  test("invented offers cost a bounded number of answers and no channel", async () => {
    const joined = await unchanged((joined) => {
      for (let count = 0; count < 500; count++) {
        const stranger = joined.end(1).ends.rng(32);
        const [offer] = joined.carried;
        assert(offer);
        const bytes = offer.bytes.slice();
        bytes.set(stranger, bytes.length - 32);
        joined.carry({ from: 1, to: 2, bytes });
      }
    });

    assert(joined.end(2).counters.dropped.handshake_limited > 400);
    assert.equal(joined.end(2).counters.channelsMade, 1);
  });

  test("a confirmation is repeated a bounded number of times", async () => {
    const joined = await unchanged((joined) => {
      const answer = joined.carried.find((message) => kindOf(message) === "answer");
      assert(answer);
      for (let count = 0; count < 100; count++) joined.carry(answer);
    });

    assert.equal(joined.carried.filter((message) => kindOf(message) === "confirmation").length, 1 + 5);
  });

  test("a repeated offer does not keep the higher index from making a channel with the lower", async () => {
    const joined = await JoinedChannels.create();
    await joined.establish(2);
    const [recorded] = joined.carried;
    assert(recorded);
    joined.boot(1, "second boot");
    joined.carry(recorded);
    const { ends } = joined.boot(2, "second boot");

    joined.end(2).channels.ensure();
    await joined.clock.advance(HANDSHAKE_DEADLINE_MS);

    assertJoined(joined);
    assert.deepEqual(joined.current(1).peerBootId, ends.self.bootId);
  });

  test("whatever the bus loses, repeats and delays, both ends agree in the end", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ lost: fc.boolean(), again: fc.nat(3_000) }), { minLength: 40, maxLength: 40 }),
        fc.array(fc.tuple(fc.nat(8_000), fc.constantFrom(1, 2)), { maxLength: 6 }),
        async (fates, starts) => {
          const joined = await JoinedChannels.create();
          joined.tap = (message) => {
            const fate = fates.shift();
            if (fate === undefined) return true;
            if (fate.again > 0) {
              joined.clock.setTimer(fate.again, () => joined.end(message.to).channels.receive(message.bytes));
            }
            return !fate.lost;
          };
          for (const [at, self] of starts) joined.clock.setTimer(at, () => joined.end(self).channels.renew());
          await joined.clock.advance(30_000);
          // What the faults left behind may still be one-sided: a session that needs the channel makes them agree.
          const both = () => Promise.all([1, 2].map((self) => joined.end(self).channels.ready(NEVER)));
          await joined.clock.settle(both(), 30_000);
          await joined.clock.advance(10_000);
          if (joined.end(2).channels.find(joined.current(1).id) === undefined) joined.end(2).channels.reconcile();
          if (joined.end(1).channels.find(joined.current(2).id) === undefined) joined.end(1).channels.reconcile();
          await joined.clock.advance(30_000);
          assertJoined(joined);
        },
      ),
      { numRuns: 100 },
    );
  });

  test("closing wipes every key", async () => {
    const joined = await JoinedChannels.create();
    await joined.establish();
    const channel = joined.current(1);

    joined.end(1).channels.close();

    assert.equal(joined.end(1).channels.current, undefined);
    assert.throws(() => channel.seal(SESSION, HEADER, HEADER, (size) => new Uint8Array(size)), /wiped/);
    joined.end(1).channels.ensure();
    await joined.clock.advance(10);
    assert.equal(joined.carried.length, 3);
  });
});
