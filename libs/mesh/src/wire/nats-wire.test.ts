import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { inspect } from "node:util";
import { Secret, utf8 } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import { TestNatsServer } from "../testing/nats-server.ts";
import { waitUntil } from "../testing/wait-until.ts";
import { connectNats } from "./connect-nats.ts";
import { createNatsKey, type NatsKey } from "./nats-key.ts";
import type { NatsWire } from "./nats-wire.ts";

const keys = new Map<string, NatsKey>(["node-1", "node-2", "orchestrator-1"].map((name) => [name, createNatsKey()]));
const keyOf = (name: string) => keys.get(name) ?? createNatsKey();
const participants = {
  deploymentId: "dep-test",
  nodes: ["node-1", "node-2"].map((id) => ({ id, natsKey: keyOf(id).publicKey })),
  orchestrators: [{ name: "orchestrator-1", natsKey: keyOf("orchestrator-1").publicKey }],
};

const withCode = (code: string) => (error: unknown) => error instanceof CountersignError && error.code === code;

describe("a wire over a real nats-server", { timeout: 60_000 }, () => {
  let server: TestNatsServer;
  const open: NatsWire[] = [];

  before(async () => {
    server = await TestNatsServer.start(participants);
  });

  afterEach(async () => {
    await Promise.all(open.splice(0).map((wire) => wire.close()));
  });

  after(async () => {
    await server[Symbol.asyncDispose]();
  });

  async function connectAs(name: string, problems: CountersignError[] = []): Promise<NatsWire> {
    const wire = await connectNats({
      servers: [server.url],
      seed: new Secret(keyOf(name).seed.expose().slice()),
      name,
      onProblem: (problem) => problems.push(problem),
      signal: AbortSignal.timeout(10_000),
    });
    open.push(wire);
    return wire;
  }

  test("carries what one node sends to another", async () => {
    const [one, two] = [await connectAs("node-1"), await connectAs("node-2")];
    const received: [string, Uint8Array][] = [];
    await two.subscribe("cs.dep-test.*.node-2.>", (subject, bytes) => received.push([subject, bytes.slice()]));

    one.publish("cs.dep-test.node-1.node-2.channel", Uint8Array.of(1, 2));

    await waitUntil("the message arrived", () => received.length > 0);
    assert.deepEqual(received, [["cs.dep-test.node-1.node-2.channel", Uint8Array.of(1, 2)]]);
  });

  for (const subject of [
    "cs.dep-test.*.node-2.>",
    "cs.dep-test.node-1.node-2.channel",
    "cs.dep-test.*.*.>",
    "cs.dep-test.*.*.presence",
    "cs.dep-test.>",
    "cs.>",
    ">",
    "_INBOX.>",
    "$SYS.>",
  ]) {
    test(`node 1 cannot subscribe ${subject}`, async () => {
      const wire = await connectAs("node-1");

      await assert.rejects(
        wire.subscribe(subject, () => {}),
        withCode("wire_permission_denied"),
      );
    });
  }

  for (const subject of [
    "cs.dep-test.node-2.node-1.channel",
    "cs.dep-test.node-2.node-2.presence",
    "cs.dep-test.orchestrator-1.node-2.presence",
    "cs.other.node-1.node-2.channel",
    "somewhere.else",
    "$SYS.REQ.SERVER.PING",
  ]) {
    test(`node 1 cannot publish on ${subject}`, async () => {
      const problems: CountersignError[] = [];
      const wire = await connectAs("node-1", problems);

      wire.publish(subject, Uint8Array.of(1));

      await waitUntil("the server refused", () => problems.length > 0);
      assert.equal(problems[0]?.code, "wire_permission_denied");
      assert.equal(wire.counters.refused, 1);
    });
  }

  test("the orchestrator may use presence subjects and no others", async () => {
    const problems: CountersignError[] = [];
    const wire = await connectAs("orchestrator-1", problems);

    await wire.subscribe("cs.dep-test.*.orchestrator-1.presence", () => {});
    wire.publish("cs.dep-test.orchestrator-1.node-1.presence", Uint8Array.of(1));
    await assert.rejects(
      wire.subscribe("cs.dep-test.*.orchestrator-1.>", () => {}),
      withCode("wire_permission_denied"),
    );
    assert.equal(problems.length, 1);
    wire.publish("cs.dep-test.orchestrator-1.node-1.channel", Uint8Array.of(1));

    await waitUntil("the server refused the channel subject", () => problems.length === 2);
  });

  test("a key that the server does not know is refused at once", async () => {
    await assert.rejects(connectAs("a stranger"), withCode("wire_unauthorized"));
  });

  test("a seed that is none is refused before anything is tried, and not repeated in the error", async () => {
    const seed = new Secret(utf8("SUAsomething"));
    const options = { servers: [server.url], seed, name: "x", signal: AbortSignal.timeout(5_000) };

    const error = await connectNats(options).catch((thrown: unknown) => thrown);

    assert(withCode("wire_seed_invalid")(error));
    assert.doesNotMatch(inspect(error), /SUAsomething/);
  });

  test("a seed file's line break at the end does no harm", async () => {
    const text = new TextDecoder().decode(keyOf("node-1").seed.expose());
    const seed = new Secret(utf8(`${text}\n`));

    const wire = await connectNats({ servers: [server.url], seed, name: "x", signal: AbortSignal.timeout(5_000) });

    await wire.close();
  });

  test("nobody is let in without a key", async () => {
    const { connect } = await import("@nats-io/transport-node");

    await assert.rejects(connect({ servers: server.url, reconnect: false }), /uthorization/);
  });

  test("gives up when no server answers before the deadline", async () => {
    const seed = new Secret(keyOf("node-1").seed.expose().slice());
    const options = { servers: ["nats://127.0.0.1:1"], seed, name: "x", signal: AbortSignal.timeout(300) };

    await assert.rejects(connectNats(options), withCode("wire_unreachable"));
  });

  test("closing aborts `closed`, wipes the seed, and makes later publishing do nothing", async () => {
    const seed = new Secret(keyOf("node-1").seed.expose().slice());
    const wire = await connectNats({ servers: [server.url], seed, name: "x", signal: AbortSignal.timeout(5_000) });

    await wire.close();

    assert(wire.closed.aborted);
    assert.throws(() => seed.expose());
    wire.publish("cs.dep-test.node-1.node-2.channel", Uint8Array.of(1));
  });

  test("subscriptions and kept messages survive a crash of the server", async () => {
    const [one, two] = [await connectAs("node-1"), await connectAs("node-2")];
    const received: number[] = [];
    await two.subscribe("cs.dep-test.*.node-2.>", (_, bytes) => received.push(bytes[0] ?? 0));

    await server.stop();
    await waitUntil("both noticed", () => !one.isConnected && !two.isConnected);
    one.publish("cs.dep-test.node-1.node-2.channel", Uint8Array.of(42));
    await server.restart();

    await waitUntil("both returned", () => one.isConnected && two.isConnected);
    assert.equal(one.counters.reconnects, 1);
    // The receiver may have returned after the kept message was sent: what is sent now arrives in any case.
    one.publish("cs.dep-test.node-1.node-2.channel", Uint8Array.of(43));
    await waitUntil("the new message arrived", () => received.includes(43));
  });

  test("a server that stops reading costs messages, not memory, and the wire survives it", async () => {
    const [one, two] = [await connectAs("node-1"), await connectAs("node-2")];
    const received: number[] = [];
    await two.subscribe("cs.dep-test.*.node-2.>", (_, bytes) => received.push(bytes.length));

    await server.freeze();
    for (let megabyte = 0; megabyte < 64; megabyte++)
      one.publish("cs.dep-test.node-1.node-2.channel", new Uint8Array(1_000_000));
    assert(one.counters.discarded >= 30);
    await server.restart();

    await waitUntil("both returned", () => one.counters.reconnects > 0 && two.counters.reconnects > 0);
    one.publish("cs.dep-test.node-1.node-2.channel", Uint8Array.of(1));
    await waitUntil("a message arrived", () => received.includes(1));
  });

  test("a subscription that a returning server refuses is taken up again when it may be", async () => {
    const [one, two] = [await connectAs("node-1"), await connectAs("node-2")];
    const received: number[] = [];
    await two.subscribe("cs.dep-test.*.node-2.>", (_, bytes) => received.push(bytes[0] ?? 0));
    const swapped = participants.nodes.map(({ id, natsKey }) => ({ id: id === "node-2" ? "node-9" : id, natsKey }));

    await server.restart({ ...participants, nodes: swapped });
    await waitUntil("the subscription was refused", () => two.counters.refused > 0);
    await server.restart();
    await waitUntil("both returned", () => one.isConnected && two.counters.reconnects > 1);

    await waitUntil("a message arrived", () => {
      one.publish("cs.dep-test.node-1.node-2.channel", Uint8Array.of(1));
      return received.length > 0;
    });
  });

  test("a subscription gives up when the signal aborts before the server answers", async () => {
    const wire = await connectAs("node-1");
    await server.freeze();

    await assert.rejects(
      wire.subscribe("cs.dep-test.*.node-1.>", () => {}, AbortSignal.timeout(200)),
      withCode("wire_unreachable"),
    );

    await server.restart();
  });

  test("a server that comes back without our key does not end the wire: it returns once the key is back", async () => {
    const wire = await connectAs("node-1");

    await server.restart({ ...participants, nodes: participants.nodes.slice(1) });
    await waitUntil("the wire noticed", () => !wire.isConnected);
    await server.restart();

    await waitUntil("the wire returned", () => wire.isConnected);
    assert(!wire.closed.aborted);
  });
});
