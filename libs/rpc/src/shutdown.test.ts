import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { probeNetwork } from "./testing/network.ts";
import { refused } from "./testing/refused.ts";

test("a drain lets running calls end and takes no new ones", async (t) => {
  const started = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const {
    client,
    connect: connectTo,
    server,
  } = await probeNetwork(t, {
    echo: async (request) => {
      started.resolve();
      await release.promise;
      return request;
    },
  });
  const late = connectTo({});

  const running = client.echo({ body: new Uint8Array([7]) });
  await started.promise;
  const closing = server.close({ graceMs: 10_000 });
  await refused(late.echo({}), "rpc_unavailable");
  release.resolve();

  assert.deepEqual((await running).body, new Uint8Array([7]));
  assert.equal(await closing, true);
});

test("calls that outlive the grace are aborted with a code that permits a retry elsewhere", async (t) => {
  const started = Promise.withResolvers<void>();
  let ended = false;
  const { client, server } = await probeNetwork(t, {
    echo: async (request, { signal }) => {
      started.resolve();
      try {
        await delay(60_000, undefined, { signal });
      } finally {
        ended = true;
      }
      return request;
    },
  });

  const running = refused(client.echo({}, { deadlineMs: 60_000 }), "rpc_unavailable");
  await started.promise;
  const drained = await server.close({ graceMs: 50 });
  await running;

  assert.equal(drained, false);
  assert.equal(ended, true);
});

test("a handler that ignores its signal, or a socket that never shakes hands, does not hold the shutdown", async (t) => {
  const started = Promise.withResolvers<void>();
  const stuck = Promise.withResolvers<void>();
  const { client, server } = await probeNetwork(t, {
    echo: async (request) => {
      started.resolve();
      await stuck.promise;
      return request;
    },
  });
  const mute = connect(server.port, "127.0.0.1").on("error", () => {});
  t.after(() => mute.destroy());
  await once(mute, "connect");

  const running = refused(client.echo({}), "rpc_unavailable");
  await started.promise;
  const drained = await server.close({ graceMs: 50 });
  await running;
  stuck.resolve();

  assert.equal(drained, false);
});
