import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type EventEmitter, once } from "node:events";
import { type ClientHttp2Session, constants, connect as http2Connect } from "node:http2";
import { type Socket, connect as tcpConnect } from "node:net";
import { type TestContext, test } from "node:test";
import { connect as tlsConnect } from "node:tls";
import { type ProbeNetwork, probeNetwork } from "./testing/network.ts";
import { eventually } from "./testing/refused.ts";

// Everything here runs in the server's own process: an uncaught exception or an `error` event without a listener fails the test.

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const ECHO = {
  ":method": "POST",
  ":path": "/countersign.probe.v1.ProbeService/Echo",
  "content-type": "application/grpc",
  te: "trailers",
};

test("bytes that are not TLS leave the server serving", async (t) => {
  const { server, client } = await probeNetwork(t);
  const inputs = [Buffer.from("GET / HTTP/1.1\r\n\r\n"), PREFACE, Buffer.alloc(70_000, 0xff), randomBytes(5_000)];

  for (const bytes of inputs) {
    const socket = tcpConnect(server.port, "127.0.0.1").on("error", () => {});
    await once(socket, "connect");
    socket.end(bytes);
    socket.resume();
    await closed(socket);
  }

  await client.echo({});
});

test("bytes that are not HTTP/2, after a good handshake, leave the server serving", async (t) => {
  const network = await probeNetwork(t);
  const ping = Buffer.from([0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
  const hugeFrame = Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1]);
  const inputs = [
    Buffer.from("GET / HTTP/1.1\r\n\r\n"),
    Buffer.concat([PREFACE, randomBytes(3_000)]),
    Buffer.concat([PREFACE, Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]), hugeFrame, Buffer.alloc(50_000)]),
    Buffer.concat([PREFACE, Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]), ...Array.from({ length: 20_000 }, () => ping)]),
  ];

  for (const bytes of inputs) {
    const socket = shakenHands(t, network);
    await once(socket, "secureConnect");
    socket.end(bytes);
    socket.resume();
    await closed(socket);
  }

  await network.client.echo({});
});

test("requests that are not gRPC get an answer or an end, and leave the server serving", async (t) => {
  const network = await probeNetwork(t);
  const requests = [
    { ...ECHO, "content-type": "text/html" },
    { ...ECHO, ":method": "GET" },
    { ...ECHO, ":path": "/" },
    { ...ECHO, ":path": `/${"a".repeat(2_000)}` },
    { ...ECHO, ":path": "/\u00ff%zz%ud800" },
    { ...ECHO, "grpc-timeout": "soon" },
    { ...ECHO, "grpc-timeout": "99999999H" },
    { ...ECHO, "grpc-timeout": "99999999999999999999S" },
    { ...ECHO, "grpc-encoding": "sdch" },
    { ...ECHO, "trace-bin": "!!!not base64!!!" },
    { ...ECHO, traceparent: "00-zz" },
  ];

  for (const headers of requests)
    for (const body of [
      Buffer.alloc(0),
      Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1]),
      Buffer.from([1, 0, 0, 0, 1, 9]),
    ]) {
      const session = connected(t, network);
      const stream = session.request(headers, { endStream: false }).on("error", () => {});
      stream.resume();
      stream.end(body);
      await closed(stream);
      session.destroy();
    }

  await network.client.echo({});
});

test("headers beyond the limit end the stream, not the server", async (t) => {
  const network = await probeNetwork(t);
  const session = connected(t, network);
  await once(session, "remoteSettings");
  // The limit counts from the moment the client acknowledged it; until then Node's own, 64 KiB, holds.
  await new Promise((resolve) => session.ping(resolve));
  const stream = session.request({ ...ECHO, filler: "x".repeat(40_000) });
  let answered = false;
  stream.on("response", () => {
    answered = true;
  });
  stream.on("error", () => {});
  stream.end();
  await closed(stream);

  assert.equal(answered, false);
  await network.client.echo({});
});

test("streams that are reset as soon as they are opened leave the server serving others", async (t) => {
  const network = await probeNetwork(t);

  for (const path of [ECHO[":path"], "/unknown/Method", "/countersign.probe.v1.ProbeService/Flow"])
    for (const type of ["application/grpc", "text/html"]) {
      const session = connected(t, network);
      await once(session, "remoteSettings");
      for (let i = 0; i < 2_000 && !session.destroyed; i++) {
        const stream = session.request({ ...ECHO, ":path": path, "content-type": type }).on("error", () => {});
        stream.close(constants.NGHTTP2_CANCEL);
        // Several resets share a packet, some come one by one.
        if (i % 50 === 0) await network.client.echo({});
      }
      session.destroy();
    }

  await network.client.echo({});
});

test("a caller that vanishes in the middle of everything leaves the server serving", async (t) => {
  let open = 0;
  const network = await probeNetwork(t, {
    async *flow(request, { signal }) {
      open++;
      try {
        while (!signal.aborted) yield { ...request, body: new Uint8Array(50_000) };
      } finally {
        open--;
      }
    },
  });

  for (let i = 0; i < 5; i++) {
    const client = network.connect({});
    const streams = Array.from({ length: 10 }, () => client.flow({ body: randomBytes(10) }));
    await Promise.all(streams.map((stream) => stream.next()));
    client.close();
    await Promise.all(streams.map((stream) => stream.next().catch(() => {})));
  }

  await eventually(() => open === 0, "every handler ended");
  await network.client.echo({});
});

/** `once` would reject on an error, which is as good an end as any here. */
function closed(emitter: EventEmitter): Promise<void> {
  return new Promise((resolve) => emitter.once("close", () => resolve()));
}

function shakenHands(t: TestContext, { server, orchestratorTls }: ProbeNetwork): Socket {
  const socket = tlsConnect({
    host: "127.0.0.1",
    port: server.port,
    ca: Buffer.from(orchestratorTls.ca),
    cert: Buffer.from(orchestratorTls.certificate),
    key: Buffer.from(orchestratorTls.key),
    servername: "localhost",
    ALPNProtocols: ["h2"],
  });
  t.after(() => socket.destroy());
  return socket.on("error", () => {});
}

function connected(t: TestContext, { server, orchestratorTls }: ProbeNetwork): ClientHttp2Session {
  const session = http2Connect(`https://${server.address}`, {
    ca: Buffer.from(orchestratorTls.ca),
    cert: Buffer.from(orchestratorTls.certificate),
    key: Buffer.from(orchestratorTls.key),
    servername: "localhost",
  });
  t.after(() => session.destroy());
  return session.on("error", () => {});
}
