import assert from "node:assert/strict";
import { type ClientHttp2Stream, connect as http2Connect } from "node:http2";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { SignedMessageSchema } from "@countersign/proto/session";
import fc from "fast-check";
import { rpcClient } from "./client.ts";
import { decodeMessage, decodeRequest } from "./messages.ts";
import { type ProbeNetwork, probeNetwork, SIGNER } from "./testing/network.ts";
import { ProbeService } from "./testing/probe-service.ts";
import { refused } from "./testing/refused.ts";

const LIMITS = { requestBytesMax: 10_000, responseBytesMax: 15_000 };
/** Bytes that protobuf adds around one short byte field. */
const FRAME_BYTES = 3;

test("a request of exactly the limit passes, one byte more is refused by the server", async (t) => {
  let ran = 0;
  const { client } = await probeNetwork(
    t,
    {
      echo: async () => {
        ran++;
        return {};
      },
    },
    { limits: LIMITS },
  );

  await client.echo({ body: new Uint8Array(LIMITS.requestBytesMax - FRAME_BYTES) });
  await refused(client.echo({ body: new Uint8Array(LIMITS.requestBytesMax - FRAME_BYTES + 1) }), "rpc_too_large");

  assert.equal(ran, 1);
});

test("a response beyond the server's limit is refused with a code, not sent", async (t) => {
  const { client } = await probeNetwork(
    t,
    { echo: async ({ header }) => ({ body: new Uint8Array(LIMITS.responseBytesMax - FRAME_BYTES + header.length) }) },
    { limits: LIMITS },
  );

  await client.echo({});
  const error = await refused(client.echo({ header: new Uint8Array(1) }), "rpc_too_large");

  assert.deepEqual(error.details, { bytes: 15_001, bytesMax: 15_000 });
});

test("a client sends and accepts no more than its own limit", async (t) => {
  const { server, orchestratorTls } = await probeNetwork(t, {
    echo: async () => ({ body: new Uint8Array(5_000) }),
  });
  const client = rpcClient(ProbeService, {
    address: server.address,
    tls: orchestratorTls,
    server: SIGNER,
    messageBytesMax: 1_000,
  });
  t.after(() => client.close());

  await refused(client.echo({ body: new Uint8Array(2_000) }), "rpc_too_large");
  await refused(client.echo({}), "rpc_too_large");
});

test("a small message that inflates beyond the limit is refused", async (t) => {
  const network = await probeNetwork(t, {}, { limits: LIMITS });
  const bomb = gzipSync(Buffer.alloc(5_000_000));
  assert.ok(bomb.length < LIMITS.requestBytesMax);

  assert.equal(await rawCall(t, network, framed(bomb, 1), { "grpc-encoding": "gzip" }), "8");
});

test("bytes that are not the message are refused as malformed", async (t) => {
  const network = await probeNetwork(t);

  assert.equal(await rawCall(t, network, framed(Buffer.from([0x0a, 0xff, 0x01]), 0)), "3");
});

test("decoding arbitrary bytes gives a message or `rpc_malformed`, and its fields are plain arrays", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      try {
        decodeMessage(SignedMessageSchema, Buffer.from(bytes));
      } catch (error) {
        assert.equal(Reflect.get(Object(error), "code"), "rpc_malformed");
      }
    }),
  );
  const decoded = decodeMessage(SignedMessageSchema, Buffer.from([0x12, 0x01, 0x07]));

  assert.deepEqual(Reflect.get(decoded, "body"), new Uint8Array([7]));
});

/** Sends one request body as it is and returns the gRPC status. */
async function rawCall(
  t: { after(clean: () => void): void },
  { server, orchestratorTls }: ProbeNetwork,
  body: Buffer,
  headers: Record<string, string> = {},
): Promise<unknown> {
  const session = http2Connect(`https://${server.address}`, {
    ca: Buffer.from(orchestratorTls.ca),
    cert: Buffer.from(orchestratorTls.certificate),
    key: Buffer.from(orchestratorTls.key),
    servername: "localhost",
  });
  t.after(() => session.destroy());
  const stream: ClientHttp2Stream = session.request({
    ":method": "POST",
    ":path": "/countersign.probe.v1.ProbeService/Echo",
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  const status = new Promise((resolve, reject) => {
    stream.on("response", (received) => received["grpc-status"] !== undefined && resolve(received["grpc-status"]));
    stream.on("trailers", (received) => resolve(received["grpc-status"]));
    stream.on("error", reject);
  });
  stream.resume();
  stream.end(body);
  return status;
}

function framed(message: Buffer, compressed: 0 | 1): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed, 0);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

test("a request has one spelling: no unknown field, no field twice, none in another order or written out empty", () => {
  const [header, body] = [
    [0x0a, 1, 7],
    [0x12, 1, 8],
  ];
  const good = Buffer.from([...header, ...body]);
  const bad = {
    "an unknown field": [...good, 0x7a, 1, 9],
    "a field twice": [...header, ...header, ...body],
    "another order": [...body, ...header],
    "an empty field": [...header, ...body, 0x1a, 0],
    "a long length": [0x0a, 0x81, 0x00, 7, ...body],
  };

  assert.deepEqual(decodeRequest(SignedMessageSchema, good), decodeMessage(SignedMessageSchema, good));
  for (const [what, bytes] of Object.entries(bad))
    assert.throws(() => decodeRequest(SignedMessageSchema, Buffer.from(bytes)), { code: "rpc_malformed" }, what);
});

test("a server answers a request of another spelling with its code, and no handler runs", async (t) => {
  let ran = 0;
  const echo = async () => {
    ran++;
    return {};
  };
  const network = await probeNetwork(t, { echo });

  assert.equal(await rawCall(t, network, framed(Buffer.from([0x0a, 1, 7, 0x0a, 1, 7]), 0)), "3");
  assert.equal(await rawCall(t, network, framed(Buffer.from([0x0a, 1, 7]), 0)), "0");
  assert.equal(ran, 1);
});
