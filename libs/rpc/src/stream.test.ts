import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { errorsOf } from "@countersign/errors";
import { probeNetwork } from "./testing/network.ts";
import { eventually, refused } from "./testing/refused.ts";

const raise = errorsOf({
  stream_broken: { kind: "outage", http: 503, grpc: "UNAVAILABLE", meaning: "A test error." },
});

const numbered = (value: number) => ({ body: new Uint8Array([value]) });

test("a stream arrives complete and in order", async (t) => {
  const { client } = await probeNetwork(t, {
    async *flow() {
      for (let i = 0; i < 200; i++) yield numbered(i);
    },
  });

  const received: (number | undefined)[] = [];
  for await (const { body } of client.flow({})) received.push(body[0]);

  assert.deepEqual(
    received,
    Array.from({ length: 200 }, (_, i) => i),
  );
});

test("a reader that stops early ends the handler", async (t) => {
  let ended = false;
  const { client } = await probeNetwork(t, {
    async *flow(_request, { signal }) {
      try {
        for (let i = 0; ; i++) {
          yield numbered(i % 256);
          await delay(1, undefined, { signal });
        }
      } finally {
        ended = true;
      }
    },
  });

  for await (const { body } of client.flow({})) if (body[0] === 3) break;

  await eventually(() => ended, "the handler's finally ran");
});

test("a reader that stops after the last message leaves nothing behind", async (t) => {
  const { client } = await probeNetwork(t);

  for await (const _ of client.flow({})) break;

  await client.echo({});
});

test("an error midway arrives after everything sent before it", async (t) => {
  const { client } = await probeNetwork(t, {
    async *flow() {
      yield numbered(1);
      yield numbered(2);
      throw raise("stream_broken", "The source is gone.");
    },
  });
  const received: (number | undefined)[] = [];

  const reading = (async () => {
    for await (const { body } of client.flow({})) received.push(body[0]);
  })();
  const error = await refused(reading, "stream_broken");

  assert.equal(error.message, "The source is gone.");
  assert.deepEqual(received, [1, 2]);
});

test("a writer waits for a slow reader", async (t) => {
  const messageBytes = 100_000;
  const messages = 500;
  let written = 0;
  const { client } = await probeNetwork(t, {
    async *flow() {
      for (; written < messages; written++) yield { body: new Uint8Array(messageBytes) };
    },
  });
  const stream = client.flow({}, { deadlineMs: 60_000 });

  await stream.next();
  const settled = await standstill(() => written);
  let received = 1;
  for await (const _ of stream) received++;

  assert.ok(settled < messages / 2, `the handler ran ${settled} messages ahead of a reader that took one`);
  assert.equal(received, messages);
});

test("a stream's deadline reaches reader and handler", async (t) => {
  let ended = false;
  const { client } = await probeNetwork(t, {
    async *flow(_request, { signal }) {
      try {
        yield numbered(1);
        await delay(60_000, undefined, { signal });
      } finally {
        ended = true;
      }
    },
  });
  let received = 0;

  const reading = (async () => {
    for await (const _ of client.flow({}, { deadlineMs: 150 })) received++;
  })();
  await refused(reading, "rpc_deadline");

  assert.equal(received, 1);
  await eventually(() => ended, "the handler's finally ran");
});

test("a signal ends a stream that is being read", async (t) => {
  const { client } = await probeNetwork(t, {
    async *flow(_request, { signal }) {
      yield numbered(1);
      await delay(60_000, undefined, { signal });
    },
  });
  const reader = new AbortController();

  const reading = (async () => {
    for await (const _ of client.flow({}, { signal: reader.signal })) reader.abort();
  })();

  await refused(reading, "rpc_cancelled");
});

test("a message beyond the limit midway ends the stream with a code", async (t) => {
  const { client } = await probeNetwork(
    t,
    {
      async *flow() {
        yield numbered(1);
        yield { body: new Uint8Array(2_000) };
      },
    },
    { limits: { responseBytesMax: 1_000 } },
  );
  let received = 0;

  const reading = (async () => {
    for await (const _ of client.flow({})) received++;
  })();
  await refused(reading, "rpc_too_large");

  assert.equal(received, 1);
});

/** The value once it stopped changing for a while. */
async function standstill(read: () => number): Promise<number> {
  let last = -1;
  while (last !== read()) {
    last = read();
    await delay(100);
  }
  return last;
}
