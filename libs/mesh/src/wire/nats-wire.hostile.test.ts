import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { CountersignError } from "@countersign/errors";
import { connectMesh, type Mesh } from "../mesh.ts";
import { HostileNatsServer } from "../testing/hostile-nats-server.ts";
import { TestNatsServer } from "../testing/nats-server.ts";
import { DEPLOYMENT, HEADS, testNodes } from "../testing/simulated-nodes.ts";
import { waitUntil } from "../testing/wait-until.ts";
import { connectNats } from "./connect-nats.ts";
import { createNatsKey } from "./nats-key.ts";
import type { NatsWire } from "./nats-wire.ts";

const SUBJECT = `cs.${DEPLOYMENT}.node-1.node-2.channel`;
/** Nothing of ours is that small. */
const TINY = 16;

/** Ends what a test opened, last first, also when it failed: a wire that is left reconnects for ever. */
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function connect(url: string, name: string, key = createNatsKey()) {
  const problems: CountersignError[] = [];
  const wire = await connectNats({
    servers: [url],
    seed: key.seed,
    name,
    onProblem: (problem) => problems.push(problem),
    signal: AbortSignal.timeout(10_000),
  });
  open.push(() => wire.close());
  return { wire, problems };
}

// Whatever is thrown in a timer or a receive handler ends a service; here it ends the test.
describe("a wire over a hostile server", { timeout: 60_000 }, () => {
  test("a server that announces a tiny bound costs messages: each is counted, few are reported", async () => {
    await using server = await HostileNatsServer.start();
    const { wire, problems } = await connect(server.url, "node-1");

    server.announce(TINY);
    await waitUntil("the wire read it", server.heard());
    for (let count = 0; count < 500; count++) wire.publish(SUBJECT, new Uint8Array(TINY + 1));

    assert.equal(wire.counters.discarded, 500);
    assert.ok(problems.length >= 1 && problems.length <= 10, `${problems.length} reports`);
    assert.ok(problems.every(({ code, kind }) => code === "wire_message_unsent" && kind === "outage"));
    assert.equal(server.published, 0);
    wire.publish(SUBJECT, new Uint8Array(TINY));
    await waitUntil("what fits is sent", () => server.published === 1);
  });

  test("a tiny bound while messages wait for the bus to return does not end the process or the wire", async () => {
    const keys = [createNatsKey(), createNatsKey()];
    const nodes = keys.map(({ publicKey }, place) => ({ id: `node-${place + 1}`, natsKey: publicKey }));
    await using server = await TestNatsServer.start({ deploymentId: DEPLOYMENT, nodes, orchestrators: [] });
    const { wire, problems } = await connect(server.url, "node-1", keys[0]);

    await server.stop();
    await waitUntil("the wire noticed", () => !wire.isConnected);
    wire.publish(SUBJECT, new Uint8Array(TINY + 1));
    await server.restart(undefined, { maxPayload: TINY });

    await waitUntil("the wire returned", () => wire.isConnected);
    await waitUntil("the waiting message was discarded", () => wire.counters.discarded === 1);
    assert.deepEqual(
      problems.map(({ code }) => code),
      ["wire_message_unsent"],
    );
    await wire.close();
    assert.ok(wire.closed.aborted);
  });

  test("a flood of refusals of a server is counted, and reported a few times only", async () => {
    await using server = await HostileNatsServer.start();
    const { wire, problems } = await connect(server.url, "node-1");

    for (let count = 0; count < 500; count++) server.say(`-ERR 'Permissions Violation for Publish to "${SUBJECT}"'`);

    await waitUntil("all were read", () => wire.counters.refused === 500);
    assert.ok(problems.length >= 1 && problems.length <= 10, `${problems.length} reports`);
  });

  test("sessions of nodes whose bus carries nothing any more end at their deadline, and the nodes live on", async () => {
    await using server = await HostileNatsServer.start();
    const nodes = testNodes(2);
    const wires: NatsWire[] = [];
    const meshes: Mesh[] = [];
    for (const { id, identity } of nodes) {
      const { wire } = await connect(server.url, id);
      wires.push(wire);
      const options = { deploymentId: DEPLOYMENT, self: id, nodes, identity, wire, heads: () => HEADS };
      const mesh = await connectMesh(options);
      open.push(() => mesh.close());
      meshes.push(mesh);
    }
    const [one] = meshes;
    assert.ok(one !== undefined);
    await waitUntil("the nodes have a channel", () => meshes.every(({ counters }) => counters.channelsMade > 0));

    server.announce(TINY);
    await waitUntil("both read it", server.heard());
    const round = (session: number, signal: AbortSignal) => run(meshes, session, signal);

    const outcomes = await round(1, AbortSignal.timeout(500));
    assert.deepEqual(outcomes, ["session_deadline", "session_deadline"]);
    // Beats of presence are published by timers: one of each node passes while nothing can be sent.
    const before = wires.map(({ counters }) => counters.discarded);
    await waitUntil("presence was discarded", () =>
      wires.every(({ counters }, at) => counters.discarded > (before[at] ?? 0)),
    );

    server.announce(1_048_576);
    await waitUntil("both read it again", server.heard());
    assert.deepEqual(await round(2, AbortSignal.timeout(20_000)), ["done", "done"]);
  });
});

/** One round between two nodes; how it ended for each. */
async function run(meshes: readonly Mesh[], session: number, signal: AbortSignal): Promise<string[]> {
  const options = {
    sessionId: new Uint8Array(32).fill(session),
    sessionDigest: new Uint8Array(32).fill(1),
    parties: [1, 2],
    rounds: { commit: 64 },
    signal,
  };
  const ends = meshes.map(async (mesh) => {
    const opened = mesh.openSession(options);
    try {
      await opened.send("commit", "all", Uint8Array.of(1));
      await opened.complete("commit");
      return "done";
    } catch (error) {
      return error instanceof CountersignError ? error.code : String(error);
    } finally {
      opened.close();
    }
  });
  return Promise.all(ends);
}
