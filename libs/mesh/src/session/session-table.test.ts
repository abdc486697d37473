import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { PartyIndex } from "@countersign/threshold";
import { MeshCounters } from "../counters.ts";
import { VirtualClock } from "../simulation/virtual-clock.ts";
import { SimulatedNodes } from "../testing/simulated-nodes.ts";
import { EARLY_AGE_MS, EARLY_BYTES_MAX, EARLY_COUNT_MAX, EarlyEnvelopes } from "./early-envelopes.ts";

const SIGNAL = new AbortController().signal;
const ROUNDS = { hello: 16 };
const sessionId = (fill: number) => new Uint8Array(32).fill(fill);

function sessionOptions(fill: number, parties: readonly PartyIndex[] = [1, 2]) {
  return { sessionId: sessionId(fill), sessionDigest: sessionId(fill), parties, rounds: ROUNDS, signal: SIGNAL };
}

describe("a node's sessions", () => {
  test("a party that opens a session later gets what came before", async () => {
    const sim = new SimulatedNodes({ count: 2, seed: 1 });
    const [one, two] = await sim.bootAll();
    assert(one && two);
    const early = one.openSession(sessionOptions(1));
    const sending = early.send("hello", "all", Uint8Array.of(5));
    await sim.network.clock.settle(sending, 1_000);
    await sim.network.clock.advance(2_000);

    const late = two.openSession(sessionOptions(1));

    const received = await sim.network.clock.settle(late.complete("hello"), 0);
    assert.deepEqual(received.get(1)?.body, Uint8Array.of(5));
  });

  test("what comes after a session's end is dropped, not kept", async () => {
    const sim = new SimulatedNodes({ count: 2, seed: 2 });
    const [one, two] = await sim.bootAll();
    assert(one && two);
    await sim.network.clock.advance(100);
    two.openSession(sessionOptions(1)).close();
    assert.equal(two.sessions, 0);

    await one.openSession(sessionOptions(1)).send("hello", 2, Uint8Array.of(5));
    await sim.network.clock.advance(100);

    assert.equal(two.counters.dropped.session_over, 1);
  });

  test("an id is used once", async () => {
    const sim = new SimulatedNodes({ count: 2, seed: 3 });
    const one = await sim.boot(1);
    const session = one.openSession(sessionOptions(1));

    assert.throws(() => one.openSession(sessionOptions(1)), { code: "session_id_reused" });
    session.close();
    assert.throws(() => one.openSession(sessionOptions(1)), { code: "session_id_reused" });
  });

  test("there are only so many, and an end makes room", async () => {
    const sim = new SimulatedNodes({ count: 2, seed: 4 });
    const one = await sim.boot(1, { sessionsMax: 2 });
    const first = one.openSession(sessionOptions(1));
    one.openSession(sessionOptions(2));

    assert.throws(() => one.openSession(sessionOptions(3)), { code: "sessions_exhausted", http: 503 });
    first.close();

    one.openSession(sessionOptions(3));
    assert.equal(one.sessions, 2);
  });

  for (const [what, parties] of Object.entries({
    "without this node": [2, 3],
    "with a stranger": [1, 2, 4],
    descending: [2, 1],
    repeated: [1, 1, 2],
    empty: [],
  }))
    test(`parties ${what} are refused`, async () => {
      const sim = new SimulatedNodes({ count: 3, seed: 5 });
      const one = await sim.boot(1);

      assert.throws(() => one.openSession(sessionOptions(1, parties)), { code: "session_parties_invalid" });
      assert.equal(one.sessions, 0);
    });

  test("leaving the mesh ends all of them, and no new one opens", async () => {
    const sim = new SimulatedNodes({ count: 2, seed: 6 });
    const one = await sim.boot(1);
    const waiting = one.openSession(sessionOptions(1)).complete("hello");

    one.close();
    one.close();

    await assert.rejects(waiting, { code: "session_cancelled" });
    assert.throws(() => one.openSession(sessionOptions(2)), { code: "session_cancelled" });
  });

  test("a bus that is gone for good ends all of them", async () => {
    const sim = new SimulatedNodes({ count: 2, seed: 7 });
    const wire = sim.network.wire("node-1");
    const one = await sim.boot(1, { wire });
    const waiting = one.openSession(sessionOptions(1)).complete("hello");

    await wire.close();

    await assert.rejects(waiting, { code: "session_cancelled" });
  });
});

describe("envelopes that came early", () => {
  const all = () => true;

  test("are given out once, in order, for the chosen sessions", () => {
    const early = new EarlyEnvelopes(new VirtualClock(), new MeshCounters());
    for (const [session, byte] of [
      ["a", 1],
      ["b", 2],
      ["a", 3],
    ] as const)
      early.add(1, session, Uint8Array.of(byte));

    assert.deepEqual(early.take(2, all), []);
    assert.deepEqual(
      early.take(1, (session) => session === "a").map(({ bytes }) => bytes[0]),
      [1, 3],
    );
    assert.deepEqual(
      early.take(1, all).map(({ bytes }) => bytes[0]),
      [2],
    );
    assert.deepEqual(early.take(1, all), []);
  });

  test("are copies: the bus may reuse its buffer", () => {
    const early = new EarlyEnvelopes(new VirtualClock(), new MeshCounters());
    const buffer = Uint8Array.of(1);
    early.add(1, "a", buffer);

    buffer[0] = 2;

    assert.deepEqual(early.take(1, all)[0]?.bytes, Uint8Array.of(1));
  });

  test("are bounded in number for each peer", () => {
    const counters = new MeshCounters();
    const early = new EarlyEnvelopes(new VirtualClock(), counters);

    for (let count = 0; count < EARLY_COUNT_MAX + 5; count++) early.add(1, "a", Uint8Array.of(1));
    early.add(2, "a", Uint8Array.of(1));

    assert.equal(counters.dropped.early_overflow, 5);
    assert.equal(early.take(1, all).length, EARLY_COUNT_MAX);
    assert.equal(early.take(2, all).length, 1);
  });

  test("are bounded in bytes for each peer, and taking makes room", () => {
    const counters = new MeshCounters();
    const early = new EarlyEnvelopes(new VirtualClock(), counters);

    early.add(1, "a", new Uint8Array(EARLY_BYTES_MAX));
    early.add(1, "a", Uint8Array.of(1));
    assert.equal(counters.dropped.early_overflow, 1);

    early.take(1, all);
    early.add(1, "a", new Uint8Array(EARLY_BYTES_MAX));
    assert.equal(counters.dropped.early_overflow, 1);
  });

  test("are forgotten with age, which makes room", async () => {
    const counters = new MeshCounters();
    const clock = new VirtualClock();
    const early = new EarlyEnvelopes(clock, counters);
    for (let count = 0; count < EARLY_COUNT_MAX; count++) early.add(1, "a", Uint8Array.of(1));

    await clock.advance(EARLY_AGE_MS + 1);
    early.add(1, "a", Uint8Array.of(2));

    assert.equal(counters.dropped.early_expired, EARLY_COUNT_MAX);
    assert.deepEqual(
      early.take(1, all).map(({ bytes }) => bytes[0]),
      [2],
    );
  });
});
