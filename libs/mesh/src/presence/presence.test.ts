import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { concatBytes } from "@countersign/bytes";
import { PresenceSchema } from "@countersign/proto/mesh";
import { MeshCounters } from "../counters.ts";
import { PeerIdentity } from "../identity.ts";
import type { Mesh } from "../mesh.ts";
import { seededRng } from "../simulation/seeded-random.ts";
import { VirtualClock } from "../simulation/virtual-clock.ts";
import { DEPLOYMENT, HEADS, SimulatedNodes, testNode } from "../testing/simulated-nodes.ts";
import { PRESENT_MS } from "./peer-presence.ts";
import { BEAT_MS } from "./presence-beacon.ts";
import { openPresence, type PresenceContent, PresenceVoice } from "./presence-message.ts";
import { PresenceObserver } from "./presence-observer.ts";
import { watchPresence } from "./watch-presence.ts";

const SUBJECT = "cs.dep-test.node-2.node-1.presence";
const BEAT: PresenceContent = {
  kind: "beat",
  beat: { sessions: 3, organisationHead: HEADS.organisation, deploymentHead: HEADS.deployment },
};

/** What a process of node 2 says on the subject towards node 1. */
function say(
  content: PresenceContent,
  options: { boot?: number; skip?: number; signer?: number; subject?: string } = {},
) {
  const { boot = 1, skip = 0, signer = 2, subject = SUBJECT } = options;
  let said: Uint8Array = new Uint8Array(0);
  const voice = new PresenceVoice({
    deploymentId: DEPLOYMENT,
    bootId: new Uint8Array(16).fill(boot),
    identity: testNode(signer).identity,
    publish: (_, bytes) => {
      said = bytes;
    },
  });
  for (let count = 0; count <= skip; count++) voice.say(subject, content);
  return said;
}

/** Node 1's observer of node 2, and the probes it sent. */
function observerStage() {
  const clock = new VirtualClock();
  const counters = new MeshCounters();
  const probes: Uint8Array[] = [];
  const { index, id, publicKey } = testNode(2);
  const observer = new PresenceObserver({
    deploymentId: DEPLOYMENT,
    nodes: [{ index, id, identity: new PeerIdentity(publicKey) }],
    clock,
    rng: seededRng("observer"),
    counters,
    sendProbe: (_, random) => probes.push(random),
  });
  const receive = (bytes: Uint8Array) => observer.receive("node-2", SUBJECT, bytes);
  const row = () => {
    const [first] = observer.nodes();
    assert(first);
    return first;
  };
  /** Answers the newest probe. */
  const echo = (options: Parameters<typeof say>[1] = {}) => {
    const random = probes.at(-1);
    assert(random);
    return receive(say({ kind: "echo", random }, options));
  };
  return { clock, counters, probes, observer, receive, row, echo };
}

describe("presence of a node", () => {
  test("begins with the echo of our random bytes, not with a beat", async () => {
    const { clock, probes, receive, row, echo } = observerStage();

    receive(say(BEAT));
    assert.equal(row().present, false);
    assert.equal(probes.length, 1);
    await clock.advance(20);
    assert.equal(echo({ skip: 1 })?.booted, true);

    assert.deepEqual([row().present, row().roundTripUs], [true, 20_000]);
  });

  test("carries load and heads with the next beat", () => {
    const { observer, receive, row, echo } = observerStage();
    observer.probeAll();
    echo();
    assert.deepEqual([row().sessions, row().organisationHead], [0, undefined]);

    receive(say(BEAT, { skip: 5 }));

    assert.deepEqual(
      [row().sessions, row().organisationHead, row().deploymentHead],
      [3, HEADS.organisation, HEADS.deployment],
    );
  });

  test("ends a second after the last sign of life, and comes back with the next", async () => {
    const { clock, observer, receive, row, echo } = observerStage();
    observer.probeAll();
    echo();

    await clock.advance(PRESENT_MS);
    assert.equal(row().present, true);
    await clock.advance(1);
    assert.equal(row().present, false);

    receive(say(BEAT, { skip: 5 }));
    assert.equal(row().present, true);
  });

  test("smooths round trips", async () => {
    const { clock, observer, row, echo } = observerStage();
    for (const [at, elapsedMs] of [8, 16].entries()) {
      observer.probeAll();
      await clock.advance(elapsedMs);
      echo({ skip: at });
    }

    assert.equal(row().roundTripUs, 9_000);
  });

  test("is not prolonged by what was recorded: the counter must rise", async () => {
    const { clock, counters, observer, receive, row, echo } = observerStage();
    observer.probeAll();
    echo({ skip: 3 });
    await clock.advance(PRESENT_MS + 1);

    assert.equal(receive(say(BEAT, { skip: 3 })), undefined);
    assert.equal(receive(say(BEAT, { skip: 2 })), undefined);

    assert.equal(row().present, false);
    assert.equal(counters.dropped.presence_stale, 2);
  });

  test("is not revived by another boot's recorded beats, which only cause probes", () => {
    const { observer, probes, receive, row, echo } = observerStage();
    observer.probeAll();
    echo();

    const received = receive(say({ ...BEAT, beat: { ...BEAT.beat, sessions: 99 } }, { boot: 7, skip: 9 }));

    assert.equal(received?.booted, false);
    assert.equal(probes.length, 2);
    assert.equal(row().sessions, 0);
    assert.equal(receive(say(BEAT, { skip: 2 }))?.booted, false);
    assert.equal(row().sessions, 3);
  });

  test("is not revived by a recorded echo of another boot", () => {
    const { counters, observer, probes, receive, echo } = observerStage();
    observer.probeAll();
    echo();
    const random = probes.at(-1);
    assert(random);

    assert.equal(receive(say({ kind: "echo", random }, { boot: 7 })), undefined);
    assert.equal(receive(say({ kind: "echo", random: new Uint8Array(8) }, { boot: 7 })), undefined);

    assert.equal(counters.dropped.presence_stale, 2);
  });

  test("an echo that took longer than two seconds proves nothing", async () => {
    const { clock, observer, row, echo } = observerStage();
    observer.probeAll();

    await clock.advance(2_001);
    assert.equal(echo(), undefined);

    assert.equal(row().present, false);
  });

  test("moves to a new process once that one has proven itself", () => {
    const { observer, receive, row, echo } = observerStage();
    observer.probeAll();
    echo({ skip: 100 });
    receive(say(BEAT, { skip: 101 }));

    observer.probeAll();
    assert.equal(echo({ boot: 2 })?.booted, true);

    assert.deepEqual([row().present, row().sessions], [true, 0]);
    assert.equal(receive(say(BEAT, { skip: 200 }))?.booted, false);
    assert.equal(row().sessions, 0, "the old process is not believed any more");
  });

  for (const [what, bytes, reason] of [
    ["another node signed", say(BEAT, { signer: 3 }), "presence_forged"],
    ["was said on another subject", say(BEAT, { subject: "cs.dep-test.node-2.node-3.presence" }), "presence_forged"],
    ["was changed", changed((message) => (message.counter += 1n)), "presence_forged"],
    ["is unsigned", changed((message) => (message.signature = new Uint8Array(0))), "presence_forged"],
    ["has a short boot id", changed((message) => (message.bootId = new Uint8Array(15))), "presence_malformed"],
    ["has nothing to say", changed((message) => (message.kind = { case: undefined })), "presence_malformed"],
    [
      "has a short head",
      say({ ...BEAT, beat: { ...BEAT.beat, organisationHead: new Uint8Array(31) } }),
      "presence_malformed",
    ],
    [
      "has another short head",
      say({ ...BEAT, beat: { ...BEAT.beat, deploymentHead: new Uint8Array(31) } }),
      "presence_malformed",
    ],
    ["has a long probe", say({ kind: "probe", random: new Uint8Array(9) }), "presence_malformed"],
    ["has something behind it", concatBytes(say(BEAT), Uint8Array.of(0x78, 1)), "presence_malformed"],
    ["is too long", new Uint8Array(300), "presence_malformed"],
  ] as const)
    test(`ignores what ${what}`, () => {
      const { counters, probes, receive } = observerStage();

      assert.equal(receive(bytes), undefined);

      assert.equal(counters.dropped[reason], 1);
      assert.equal(probes.length, 0);
    });

  test("costs a bounded number of verifications", () => {
    const { counters, receive } = observerStage();
    const forged = say(BEAT, { signer: 3 });

    for (let count = 0; count < 500; count++) receive(forged);

    assert.deepEqual([counters.dropped.presence_forged, counters.dropped.presence_limited], [40, 460]);
  });
});

function changed(change: (message: ReturnType<typeof create<typeof PresenceSchema>>) => void): Uint8Array {
  const message = fromBinary(PresenceSchema, say(BEAT));
  change(message);
  return toBinary(PresenceSchema, message);
}

describe("presence among nodes", () => {
  const rows = (mesh: Mesh) => mesh.peers().map(({ nodeId, present }) => [nodeId, present]);

  test("is mutual within a beat, with measured round trips", async () => {
    const sim = new SimulatedNodes({ count: 3, seed: 1, faults: { delayMs: { min: 20, max: 20 } } });
    const meshes = await sim.bootAll();

    await sim.network.clock.advance(BEAT_MS);

    for (const mesh of meshes) {
      assert.equal(mesh.peers().length, 2);
      for (const { present, roundTripUs } of mesh.peers()) assert.deepEqual([present, roundTripUs], [true, 40_000]);
    }
  });

  test("tells each other's load and heads", async () => {
    const sim = new SimulatedNodes({ count: 2, seed: 2 });
    const [one, two] = await sim.bootAll();
    assert(one && two);
    const id = new Uint8Array(32).fill(1);
    const { signal } = new AbortController();
    two.openSession({ sessionId: id, sessionDigest: id, parties: [1, 2], rounds: {}, signal });

    await sim.network.clock.advance(BEAT_MS * 3);

    assert.partialDeepStrictEqual(one.peers(), [{ sessions: 1, organisationHead: HEADS.organisation }]);
  });

  test("a node that left is absent after a second; its successor is present at once, over a fresh channel", async () => {
    const sim = new SimulatedNodes({ count: 2, seed: 3 });
    const [one, two] = await sim.bootAll();
    assert(one && two);
    await sim.network.clock.advance(1_000);

    two.close();
    await sim.network.clock.advance(PRESENT_MS + BEAT_MS);
    assert.deepEqual(rows(one), [["node-2", false]]);
    await sim.boot(2);
    await sim.network.clock.advance(BEAT_MS);

    assert.deepEqual(rows(one), [["node-2", true]]);
    assert.equal(one.counters.channelsMade, 2);
  });

  test("a replay of everything ever said revives no dead node", async () => {
    const sim = new SimulatedNodes({ count: 2, seed: 4 });
    const [one, two] = await sim.bootAll();
    assert(one && two);
    await sim.network.clock.advance(3_000);
    two.close();
    await sim.network.clock.advance(3_000);
    const made = one.counters.channelsMade;

    for (const { subject, bytes } of [...sim.network.history]) {
      sim.network.inject(subject, bytes);
      await sim.network.clock.advance(10);
      assert.deepEqual(rows(one), [["node-2", false]]);
    }

    assert.equal(one.counters.channelsMade, made);
  });

  test("a partition is noticed on both sides and forgotten when it heals", async () => {
    const sim = new SimulatedNodes({ count: 3, seed: 5 });
    const [one, , three] = await sim.bootAll();
    assert(one && three);
    await sim.network.clock.advance(1_000);

    sim.network.partition(["node-1", "node-2"], ["node-3"]);
    await sim.network.clock.advance(2_000);
    assert.deepEqual(rows(one), [
      ["node-2", true],
      ["node-3", false],
    ]);
    assert.deepEqual(rows(three), [
      ["node-1", false],
      ["node-2", false],
    ]);

    sim.network.heal();
    await sim.network.clock.advance(500);
    assert.deepEqual(rows(one), [
      ["node-2", true],
      ["node-3", true],
    ]);
  });
});

describe("a watcher", () => {
  async function watchedNodes(count = 2) {
    const sim = new SimulatedNodes({ count, seed: 6 });
    const meshes = await sim.bootAll();
    const watch = (name: string) =>
      watchPresence({
        deploymentId: DEPLOYMENT,
        name,
        nodes: sim.nodes,
        wire: sim.network.wire(name),
        clock: sim.network.clock,
        rng: seededRng(name),
      });
    return { sim, meshes, watch };
  }

  test("sees all nodes soon after it asks, with round trips, load and heads", async () => {
    const { sim, watch } = await watchedNodes(3);

    const orchestrator = await watch("orchestrator-1");
    await sim.network.clock.advance(BEAT_MS * 2);

    assert.deepEqual(
      orchestrator.peers().map(({ index, present }) => [index, present]),
      [
        [1, true],
        [2, true],
        [3, true],
      ],
    );
    for (const row of orchestrator.peers()) {
      assert(row.roundTripUs !== undefined && row.roundTripUs >= 2_000 && row.roundTripUs <= 10_000);
      assert.deepEqual(row.deploymentHead, HEADS.deployment);
    }
    orchestrator.close();
  });

  test("sees a node go and its successor come", async () => {
    const { sim, meshes, watch } = await watchedNodes();
    const orchestrator = await watch("orchestrator-1");
    await sim.network.clock.advance(1_000);

    meshes[1]?.close();
    await sim.network.clock.advance(PRESENT_MS + BEAT_MS);
    assert.deepEqual(
      orchestrator.peers().map(({ present }) => present),
      [true, false],
    );
    await sim.boot(2);
    await sim.network.clock.advance(PRESENT_MS + BEAT_MS);

    assert.deepEqual(
      orchestrator.peers().map(({ present }) => present),
      [true, true],
    );
  });

  test("that asks no more gets no more beats", async () => {
    const { sim, watch } = await watchedNodes();
    const orchestrator = await watch("orchestrator-1");
    const heard: string[] = [];
    await sim.network
      .wire("orchestrator-1")
      .subscribe("cs.dep-test.*.orchestrator-1.presence", (subject) => heard.push(subject));
    await sim.network.clock.advance(1_000);
    assert(heard.length > 0);

    orchestrator.close();
    await sim.network.clock.advance(6_000);
    heard.length = 0;
    await sim.network.clock.advance(6_000);

    assert.deepEqual(heard, []);
  });

  test("gets a bounded number of echoes, and there are only so many watchers", async () => {
    const { sim, meshes } = await watchedNodes();
    const [one] = meshes;
    assert(one);
    await sim.network.clock.advance(1_000);
    const probe = (name: string) => {
      const voice = new PresenceVoice({
        deploymentId: DEPLOYMENT,
        bootId: new Uint8Array(16),
        publish: (subject, bytes) => sim.network.inject(subject, bytes),
      });
      voice.say(`cs.dep-test.${name}.node-1.presence`, { kind: "probe", random: new Uint8Array(8) });
    };

    for (let count = 0; count < 100; count++) probe("orchestrator-1");
    await sim.network.clock.advance(10);
    assert.equal(one.counters.dropped.presence_limited, 90);

    for (let count = 2; count <= 20; count++) probe(`orchestrator-${count}`);
    await sim.network.clock.advance(10);
    assert.equal(one.counters.dropped.presence_limited, 90 + 4);
  });

  test("may do nothing but probe, and never in a node's name", async () => {
    const { sim, meshes } = await watchedNodes();
    const [one] = meshes;
    assert(one);
    await sim.network.clock.advance(1_000);
    const { dropped } = one.counters;
    const before = { ...dropped };
    const inject = (subject: string, bytes: Uint8Array) => sim.network.inject(subject, bytes);
    const voice = new PresenceVoice({ deploymentId: DEPLOYMENT, bootId: new Uint8Array(16), publish: inject });
    const subject = (name: string) => `cs.dep-test.${name}.node-1.presence`;

    voice.say(subject("watcher"), BEAT);
    voice.say(subject("watcher"), { kind: "echo", random: new Uint8Array(8) });
    inject(subject("watcher"), say({ kind: "probe", random: new Uint8Array(8) }, { subject: subject("watcher") }));
    voice.say(subject("node-2"), { kind: "probe", random: new Uint8Array(8) });
    inject("cs.dep-test.watcher.node-1.channel", Uint8Array.of(1));
    inject(`cs.dep-test.watcher.node-1.${"aa".repeat(32)}`, Uint8Array.of(1));
    await sim.network.clock.advance(10);

    assert.equal(dropped.presence_malformed - before.presence_malformed, 3);
    assert.equal(dropped.presence_forged - before.presence_forged, 1);
    assert.equal(dropped.sender_unknown - before.sender_unknown, 2);
  });

  test("drops what is not presence and what strangers say", async () => {
    const { sim, watch } = await watchedNodes();
    const orchestrator = await watch("orchestrator-1");

    sim.network.inject("cs.dep-test.stranger.orchestrator-1.presence", say(BEAT));
    sim.network.inject("cs.dep-test.orchestrator-1.orchestrator-1.presence", say(BEAT));
    await sim.network.clock.advance(10);

    assert.equal(orchestrator.counters.dropped.sender_unknown, 1);
    assert.equal(orchestrator.counters.dropped.subject_invalid, 1);
    assert.equal(openPresence(DEPLOYMENT, SUBJECT, say(BEAT))?.isUnsigned, false);
  });
});
