import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CountersignError } from "@countersign/errors";
import type { MessageFacts, PartyIndex, SignedMessage } from "@countersign/threshold";
import { MeshAbort } from "../errors.ts";
import { SessionInbox } from "./inbox.ts";

const DIGEST = new Uint8Array(32).fill(1);

interface Sent {
  readonly facts: MessageFacts;
  readonly message: SignedMessage;
}

/** A message as the layer below hands it over; its signature was verified there. */
function from(party: PartyIndex, round = "one", body = Uint8Array.of(party), sessionDigest = DIGEST): Sent {
  const facts = { sessionId: new Uint8Array(32), sessionDigest, round, from: party, to: 0 };
  const header = new TextEncoder().encode(`${party} ${round} ${sessionDigest[0]}`);
  return { facts, message: { header, body, signature: new Uint8Array(64) } };
}

function inboxOf(signal: AbortSignal = new AbortController().signal): SessionInbox {
  return new SessionInbox({ self: 1, parties: [1, 2, 3], sessionDigest: DIGEST, rounds: { one: 4, two: 4 }, signal });
}

function accept(inbox: SessionInbox, ...sent: Sent[]): void {
  for (const { facts, message } of sent) inbox.accept(facts, message);
}

async function failureOf(inbox: SessionInbox, round = "one"): Promise<CountersignError> {
  const error = await inbox.complete(round).catch((thrown: unknown) => thrown);
  assert(error instanceof CountersignError);
  return error;
}

describe("a round", () => {
  test("is complete when every other party's message is there, asked before or after", async () => {
    const inbox = inboxOf();
    const asked = [inbox.complete("one"), inbox.complete("one")];

    accept(inbox, from(3), from(2));

    for (const round of [...(await Promise.all(asked)), await inbox.complete("one")])
      assert.deepEqual([...round.keys()].sort(), [2, 3]);
  });

  test("is filled while nobody asks, and apart from other rounds", async () => {
    const inbox = inboxOf();

    accept(inbox, from(2, "two"), from(2), from(3, "two", Uint8Array.of(9)), from(3));

    assert.deepEqual((await inbox.complete("two")).get(3)?.body, Uint8Array.of(9));
    assert.deepEqual((await inbox.complete("one")).get(3)?.body, Uint8Array.of(3));
  });

  test("does not count this party or strangers", async () => {
    const inbox = inboxOf();
    let isComplete = false;
    const asked = inbox.complete("one").then(() => {
      isComplete = true;
    });

    accept(inbox, from(1), from(4), from(2));
    await Promise.resolve();
    assert(!isComplete);

    accept(inbox, from(3));
    await asked;
  });

  test("of two parties that agree ignores the same message again", async () => {
    const inbox = inboxOf();

    accept(inbox, from(2), from(2), from(3));

    assert.equal((await inbox.complete("one")).size, 2);
    assert(inbox.isRepeated(from(2).facts, from(2).message));
    assert(!inbox.isRepeated(from(2).facts, from(2, "one", Uint8Array.of(7)).message));
    assert(!inbox.isRepeated(from(2, "two").facts, from(2, "two").message));
  });
});

describe("a session ends", () => {
  test("when a party signs two messages for one round, with both as evidence", async () => {
    const inbox = inboxOf();
    const [first, second] = [from(2), from(2, "one", Uint8Array.of(8))];

    accept(inbox, first, second);

    const error = await failureOf(inbox);
    assert(error instanceof MeshAbort);
    assert.deepEqual([error.code, error.culprits], ["message_equivocated", [2]]);
    assert.deepEqual(error.evidence.messages, [first.message, second.message]);
  });

  test("when a party addresses one body twice, because the headers differ", async () => {
    const inbox = inboxOf();
    const [first, again] = [from(2), from(2)];

    accept(inbox, first, { ...again, message: { ...again.message, header: Uint8Array.of(0) } });

    assert.equal((await failureOf(inbox)).code, "message_equivocated");
  });

  test("when a party's view of it differs, without a culprit: the orchestrator may have lied", async () => {
    const inbox = inboxOf();

    accept(inbox, from(2, "one", Uint8Array.of(2), new Uint8Array(32)));

    const error = await failureOf(inbox);
    assert(error instanceof MeshAbort);
    assert.deepEqual([error.code, error.culprits], ["session_views_differ", []]);
  });

  for (const [what, sent] of Object.entries({
    "in a round that does not exist": from(2, "three"),
    "in a round named like a method": from(2, "constructor"),
    "longer than its round allows": from(2, "one", new Uint8Array(5)),
  }))
    test(`when a party sends a message ${what}`, async () => {
      const inbox = inboxOf();

      accept(inbox, sent);

      const error = await failureOf(inbox);
      assert(error instanceof MeshAbort);
      assert.deepEqual([error.code, error.culprits], ["message_oversized", [2]]);
    });

  test("at its deadline, naming who is silent in the rounds that are awaited", async () => {
    const controller = new AbortController();
    const inbox = inboxOf(controller.signal);
    accept(inbox, from(2));
    const awaited = inbox.complete("one").catch((thrown: unknown) => thrown);

    controller.abort(new DOMException("late", "TimeoutError"));

    const error = await awaited;
    assert(error instanceof CountersignError);
    assert.deepEqual([error.code, error.kind, error.details], ["session_deadline", "outage", { silent: [3] }]);
  });

  test("at its deadline, naming whom a send could not reach", async () => {
    const controller = new AbortController();
    const inbox = inboxOf(controller.signal);
    const [reachedTwo] = [inbox.reach(2), inbox.reach(3)];
    reachedTwo();

    controller.abort(new DOMException("late", "TimeoutError"));

    assert.deepEqual((await failureOf(inbox)).details, { silent: [3] });
  });

  test("when it is cancelled, before or after it began", async () => {
    const controller = new AbortController();
    const running = inboxOf(controller.signal);

    controller.abort(new Error("shutdown"));

    for (const inbox of [running, inboxOf(controller.signal)])
      assert.equal((await failureOf(inbox)).code, "session_cancelled");
  });

  test("once: the first failure stays, every wait learns it, and nothing is taken any more", async () => {
    const inbox = inboxOf();
    const waits = [failureOf(inbox, "one"), failureOf(inbox, "two")];

    accept(inbox, from(2, "three"), from(2), from(3));
    inbox.fail(new Error("later"));
    inbox.close();

    for (const wait of waits) assert.equal((await wait).code, "message_oversized");
    assert.equal((await failureOf(inbox)).code, "message_oversized");
    assert.equal(inbox.ended.reason, await waits[0]);
    assert(!inbox.isRepeated(from(2).facts, from(2).message));
  });
});
