import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as http2Connect } from "node:http2";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { CountersignError } from "@countersign/errors";
import { probeNetwork, SIGNER } from "./testing/network.ts";
import { eventually, refused } from "./testing/refused.ts";

/** Long enough that only an abort ends it within a test. */
const FOREVER_MS = 60_000;

test("a deadline ends the call on both sides", async (t) => {
  const { promise: reason, resolve } = Promise.withResolvers<unknown>();
  const { client } = await probeNetwork(t, {
    echo: async (request, { signal }) => {
      signal.addEventListener("abort", () => resolve(signal.reason));
      await delay(FOREVER_MS, undefined, { signal });
      return request;
    },
  });
  for await (const _ of client.flow({})); // Connects, so that the deadline below runs on the server too.

  await refused(client.echo({}, { deadlineMs: 200 }), "rpc_deadline");

  const seen = await reason;
  assert.ok(seen instanceof CountersignError);
  // Whichever side's timer is first: the caller's reaches the server as a cancellation.
  assert.match(seen.code, /^rpc_(deadline|cancelled)$/);
});

test("a handler is told what is left of the caller's deadline, not more than the server's longest", async (t) => {
  const left: number[] = [];
  const { client } = await probeNetwork(
    t,
    {
      echo: async (request, { deadlineMs }) => {
        left.push(deadlineMs);
        return request;
      },
    },
    { limits: { deadlineMaxMs: 20_000 } },
  );

  await client.echo({}, { deadlineMs: 15_000 });
  await client.echo({}, { deadlineMs: 100_000 });

  const [asked = 0, capped = 0] = left;
  assert.ok(asked > 10_000 && asked <= 15_000, String(asked));
  assert.ok(capped > 15_000 && capped <= 20_000, String(capped));
});

test("the server's longest deadline ends a call that asked for more", async (t) => {
  const { promise: reason, resolve } = Promise.withResolvers<unknown>();
  const { client } = await probeNetwork(
    t,
    {
      echo: async (request, { signal }) => {
        signal.addEventListener("abort", () => resolve(signal.reason));
        await delay(FOREVER_MS, undefined, { signal });
        return request;
      },
    },
    { limits: { deadlineMaxMs: 100 } },
  );

  await refused(client.echo({}, { deadlineMs: FOREVER_MS }), "rpc_deadline");

  const seen = await reason;
  assert.ok(seen instanceof CountersignError);
  assert.equal(seen.code, "rpc_deadline");
});

test("a call that sends headers and then nothing is ended by the default deadline", async (t) => {
  const { server, orchestratorTls } = await probeNetwork(t, {}, { limits: { deadlineDefaultMs: 100 } });
  const session = http2Connect(`https://${server.address}`, {
    ca: Buffer.from(orchestratorTls.ca),
    cert: Buffer.from(orchestratorTls.certificate),
    key: Buffer.from(orchestratorTls.key),
    servername: "localhost",
  });
  t.after(() => session.destroy());

  const stream = session.request({
    ":method": "POST",
    ":path": "/countersign.probe.v1.ProbeService/Echo",
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => {});
  const [headers] = await once(stream, "response");

  assert.equal(headers["grpc-status"], "4");
});

test("a caller that gives up aborts the handler's signal", async (t) => {
  const { promise: started, resolve: start } = Promise.withResolvers<void>();
  const { promise: reason, resolve } = Promise.withResolvers<unknown>();
  const { client } = await probeNetwork(t, {
    echo: async (request, { signal }) => {
      signal.addEventListener("abort", () => resolve(signal.reason));
      start();
      await delay(FOREVER_MS, undefined, { signal });
      return request;
    },
  });
  const caller = new AbortController();

  const call = client.echo({}, { signal: caller.signal });
  await started;
  caller.abort(new Error("no longer needed"));

  await refused(call, "rpc_cancelled");
  const seen = await reason;
  assert.ok(seen instanceof CountersignError);
  assert.equal(seen.code, "rpc_cancelled");
});

test("a signal that timed out counts as a deadline, one with a reason of ours keeps it", async (t) => {
  const { client } = await probeNetwork(t, {
    echo: async (request, { signal }) => {
      await delay(FOREVER_MS, undefined, { signal });
      return request;
    },
  });
  const ours = new CountersignError(
    "probe_reason",
    { kind: "outage", http: 503, grpc: "UNAVAILABLE", meaning: "A test error." },
    "Shutting down.",
  );

  await refused(client.echo({}, { signal: AbortSignal.timeout(50) }), "rpc_deadline");
  await refused(client.echo({}, { signal: AbortSignal.abort(ours) }), "probe_reason");
});

test("a handler that succeeded does not see its signal abort afterwards", async (t) => {
  const signals: AbortSignal[] = [];
  const { client, server } = await probeNetwork(t, {
    echo: async (request, { signal }) => {
      signals.push(signal);
      return request;
    },
  });

  await client.echo({});
  client.close();
  await server.close({ graceMs: 5_000 });

  assert.equal(signals[0]?.aborted, false);
});

test("one caller has a bounded number of calls in flight, also over several connections, and gets its places back", async (t) => {
  let open = 0;
  const release = Promise.withResolvers<void>();
  const { client, connect, authority } = await probeNetwork(
    t,
    {
      echo: async (request) => {
        open++;
        await release.promise;
        return request;
      },
    },
    { limits: { callsPerCallerMax: 3 } },
  );
  const second = connect({});
  const stranger = connect({ tls: await authority.issue({ ...SIGNER, role: "orchestrator", name: "second" }) });

  const admitted = [client.echo({}), client.echo({}), client.echo({})];
  await eventually(() => open === 3, "three calls run");
  await refused(second.echo({}), "rpc_overloaded");
  const other = stranger.echo({});
  await eventually(() => open === 4, "another caller is not affected");
  release.resolve();
  await Promise.all([...admitted, other]);

  await second.echo({});
});

test("a trace id travels with the call", async (t) => {
  const ids: (string | undefined)[] = [];
  const { client } = await probeNetwork(t, {
    echo: async (request, { traceId }) => {
      ids.push(traceId);
      return request;
    },
  });
  const traceId = "0af7651916cd43dd8448eb211c80319c";

  await client.echo({}, { traceId });
  await client.echo({});

  assert.deepEqual(ids, [traceId, undefined]);
});
