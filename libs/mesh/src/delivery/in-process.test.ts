import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { PartyIndex, SignedMessage } from "@countersign/threshold";
import { identityBook } from "../identity-book.ts";
import { DEPLOYMENT, testNodes } from "../testing/simulated-nodes.ts";
import { type InProcessSession, inProcessDeliveries } from "./in-process.ts";

const nodes = testNodes(3);

function deliveries(options: Partial<InProcessSession> = {}) {
  return inProcessDeliveries({
    deploymentId: DEPLOYMENT,
    sessionId: new Uint8Array(32).fill(1),
    sessionDigest: new Uint8Array(32).fill(2),
    rounds: { hello: 8, secret: 8 },
    identities: new Map(nodes.map(({ index, identity }) => [index, identity])),
    signal: new AbortController().signal,
    ...options,
  });
}

describe("deliveries in one process", () => {
  test("carry broadcasts and messages to one party, signed as on the wire", async () => {
    const book = identityBook(DEPLOYMENT, nodes);

    const results = await Promise.all(
      [...deliveries().values()].map(async (delivery) => {
        await delivery.send("hello", "all", Uint8Array.of(delivery.self));
        const hello = await delivery.complete("hello");
        for (const party of delivery.parties)
          if (party !== delivery.self) await delivery.send("secret", party, Uint8Array.of(delivery.self, party));
        return { self: delivery.self, hello, secret: await delivery.complete("secret") };
      }),
    );

    for (const { self, hello, secret } of results) {
      for (const [party, message] of hello) assert.deepEqual(message.body, Uint8Array.of(party));
      for (const [party, message] of secret) {
        assert.deepEqual(message.body, Uint8Array.of(party, self));
        assert.partialDeepStrictEqual(book.openSignedMessage(message), { from: party, to: self, round: "secret" });
      }
    }
  });

  test("arrive later, never inside the call that sends", () => {
    const all = deliveries();
    let isHere = false;
    void all
      .get(2)
      ?.complete("hello")
      .then(() => {
        isHere = true;
      });

    for (const party of [1, 3]) void all.get(party)?.send("hello", "all", Uint8Array.of(party));

    assert(!isHere);
  });

  test("a tap sees each message for each receiver, and may lose or replace it", async () => {
    const seen: [PartyIndex, PartyIndex][] = [];
    const tap = (message: SignedMessage, { from }: { from: PartyIndex }, receiver: PartyIndex) => {
      seen.push([from, receiver]);
      return receiver === 3 ? undefined : { ...message, body: Uint8Array.of(9) };
    };
    const all = deliveries({ tap });

    await all.get(1)?.send("hello", "all", Uint8Array.of(1));
    await all.get(3)?.send("hello", 2, Uint8Array.of(3));

    assert.deepEqual(seen, [
      [1, 2],
      [1, 3],
      [3, 2],
    ]);
    assert.deepEqual((await all.get(2)?.complete("hello"))?.get(1)?.body, Uint8Array.of(9));
  });

  test("a party that hears nothing learns at the deadline who was silent", async () => {
    const all = deliveries({
      signal: AbortSignal.timeout(20),
      tap: (message, { from }) => (from === 2 ? undefined : message),
    });
    for (const delivery of all.values()) await delivery.send("hello", "all", Uint8Array.of(1));

    await assert.rejects(all.get(1)?.complete("hello") ?? Promise.resolve(), {
      code: "session_deadline",
      details: { silent: [2] },
    });
  });

  test("a session that is over sends nothing", async () => {
    const controller = new AbortController();
    const all = deliveries({ signal: controller.signal });

    controller.abort(new Error("shutdown"));

    await assert.rejects(all.get(1)?.send("hello", "all", Uint8Array.of(1)) ?? Promise.resolve(), {
      code: "session_cancelled",
    });
  });
});
