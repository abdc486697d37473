import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { serveRpc } from "./server.ts";
import { implement } from "./service.ts";
import { ECHO, probeNetwork } from "./testing/network.ts";
import { ProbeService } from "./testing/probe-service.ts";
import { refused } from "./testing/refused.ts";
import type { TlsMaterial } from "./tls.ts";

test("a server that went away fails calls at once, and one that came back is used again", async (t) => {
  const network = await probeNetwork(t);
  const { client, server, signerTls } = network;
  await client.echo({});

  await server.close({ graceMs: 0 });
  await refused(client.echo({}, { deadlineMs: 30_000 }), "rpc_unavailable");
  await refused(client.echo({}, { deadlineMs: 30_000 }), "rpc_unavailable");
  const again = await serveRpc({
    listen: { host: "127.0.0.1", port: server.port },
    tls: signerTls,
    services: [implement(ProbeService, ECHO, { callers: ["orchestrator"] })],
  });
  t.after(() => again.close({ graceMs: 0 }));

  await untilServed(() => client.echo({}));
});

test("calls to a killed process fail, in flight and afterwards, until another takes its port", async (t) => {
  const { connect, signerTls } = await probeNetwork(t);
  const first = await startProcess(t, signerTls, 0);
  const client = connect({ address: `127.0.0.1:${first.port}` });
  const stream = client.flow({}, { deadlineMs: 60_000 });
  await stream.next();

  const inFlight = refused(stream.next(), "rpc_unavailable");
  first.child.kill("SIGKILL");
  await inFlight;
  await refused(client.echo({}, { deadlineMs: 60_000 }), "rpc_unavailable");
  await startProcess(t, signerTls, first.port);

  await untilServed(() => client.echo({}));
});

test("a host that accepts connections and never answers does not hold calls, nor the client after it is replaced", async (t) => {
  const network = await probeNetwork(t);
  const sockets: Socket[] = [];
  const silent = createServer((socket) => sockets.push(socket.on("error", () => {})));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  const address = silent.address();
  assert.ok(typeof address === "object" && address !== null);
  const client = network.connect({ address: `127.0.0.1:${address.port}` });

  await refused(client.echo({}, { deadlineMs: 60_000 }), "rpc_unavailable");
  // The half-open connection stays; only the listener moves on, as when a paused host is replaced.
  silent.close();
  const replaced = await serveRpc({
    listen: { host: "127.0.0.1", port: address.port },
    tls: network.signerTls,
    services: [implement(ProbeService, ECHO, { callers: ["orchestrator"] })],
  });
  t.after(() => replaced.close({ graceMs: 0 }));

  await untilServed(() => client.echo({}));
});

test("a closed client refuses calls and ends those in flight", async (t) => {
  const { promise: started, resolve } = Promise.withResolvers<void>();
  const { client } = await probeNetwork(t, {
    echo: async (request, { signal }) => {
      resolve();
      await delay(60_000, undefined, { signal });
      return request;
    },
  });

  const call = client.echo({}, { deadlineMs: 60_000 });
  await started;
  client.close();
  client.close();

  await refused(call, "rpc_cancelled");
  await refused(client.echo({}), "rpc_cancelled");
});

test("a port that is taken is reported as such", async (t) => {
  const { server, signerTls } = await probeNetwork(t);

  const error = await refused(
    serveRpc({ listen: { host: "127.0.0.1", port: server.port }, tls: signerTls, services: [] }),
    "rpc_listen_failed",
  );

  assert.match(error.message, /EADDRINUSE/);
});

async function startProcess(
  t: TestContext,
  tls: TlsMaterial,
  port: number,
): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(new URL("./testing/probe-process.ts", import.meta.url), { serialization: "advanced" });
  t.after(() => child.kill("SIGKILL"));
  child.send({ tls, port });
  const [ready] = await once(child, "message");
  return { child, port: ready.port };
}

/** Repeats a call until it succeeds. */
async function untilServed(call: () => Promise<unknown>): Promise<void> {
  const end = performance.now() + 10_000;
  for (;;) {
    try {
      await call();
      return;
    } catch (error) {
      if (performance.now() > end) throw error;
      await delay(20);
    }
  }
}
