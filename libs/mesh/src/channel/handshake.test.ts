import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { concatBytes } from "@countersign/bytes";
import { type ChannelAnswer, type ChannelMessage, ChannelMessageSchema } from "@countersign/proto/mesh";
import sodium from "libsodium-wrappers-sumo";
import { channelEnds } from "../testing/joined-channels.ts";
import {
  acceptAnswer,
  acceptConfirmation,
  answerOffer,
  type ChannelEnds,
  decodeChannelMessage,
  makeOffer,
  type OutstandingOffer,
  type PendingAnswer,
} from "./handshake.ts";
import { channelStatement } from "./transcript.ts";

const HEADER = Uint8Array.of(1);
const PLAIN = Uint8Array.of(2, 3);
const SESSION = "aa".repeat(32);

before(() => sodium.ready);

/** Both ends and the three messages of an honest run, as decoded. */
function honest() {
  const [one, two] = [channelEnds(1, 2), channelEnds(2, 1)];
  const outstanding = makeOffer(one);
  const pending = answered(two, outstanding);
  const answer = answerOf(pending.message);
  const accepted = acceptAnswer(one, outstanding, answer);
  assert(accepted);
  const confirmation = decodeChannelMessage(accepted.confirmation);
  assert(confirmation?.case === "confirmation");
  return { one, two, outstanding, pending, answer, accepted, confirmation: confirmation.value };
}

function answered(ends: ChannelEnds, { message }: OutstandingOffer): PendingAnswer {
  const offer = decodeChannelMessage(message);
  assert(offer?.case === "offer");
  const pending = answerOffer(ends, offer.value);
  assert(pending);
  return pending;
}

function answerOf(message: Uint8Array): ChannelAnswer {
  const answer = decodeChannelMessage(message);
  assert(answer?.case === "answer");
  return answer.value;
}

describe("a handshake", () => {
  test("gives both ends the same channel, each knowing the other's boot id", () => {
    const { one, two, pending, accepted, confirmation } = honest();

    const channel = acceptConfirmation(two, pending, confirmation);

    assert(channel);
    assert.equal(channel.name, accepted.channel.name);
    assert.deepEqual(channel.peerBootId, one.self.bootId);
    assert.deepEqual(accepted.channel.peerBootId, two.self.bootId);
    const { nonce, sealed } = accepted.channel.seal(SESSION, HEADER, PLAIN, one.rng);
    assert.deepEqual(channel.open(SESSION, HEADER, nonce, sealed), PLAIN);
  });

  test("gives another channel every time", () => {
    const [one, two] = [channelEnds(1, 2), channelEnds(2, 1)];

    const names = Array.from({ length: 10 }, () => answered(two, makeOffer(one)).name);

    assert.equal(new Set(names).size, 10);
  });
});

describe("the initiator refuses an answer", () => {
  test("to an offer with another key", () => {
    const { one, two, answer } = honest();
    const other = makeOffer(one);
    // Signed by the right peer over what it says, so that nothing but the comparison can refuse it.
    const misplaced = { ...answerOf(answered(two, other).message), offer: answer.offer };

    assert.equal(acceptAnswer(one, other, misplaced as ChannelAnswer), undefined);
  });

  test("to an offer of another boot", () => {
    const { one, outstanding, answer } = honest();
    const bootId = channelEnds(1, 2, "second boot").self.bootId;
    const misplaced = { ...answer, offer: { ...answer.offer, bootId } } as ChannelAnswer;

    assert.equal(acceptAnswer(one, outstanding, misplaced), undefined);
  });

  test("without the offer", () => {
    const { one, outstanding, answer } = honest();

    assert.equal(
      acceptAnswer(one, outstanding, { ...answer, offer: undefined } as unknown as ChannelAnswer),
      undefined,
    );
  });

  for (const [what, change] of Object.entries({
    "whose key was exchanged": (answer: ChannelAnswer) => ({ ...answer, b: sodium.crypto_scalarmult_base(answer.b) }),
    "whose boot id was changed": (answer: ChannelAnswer) => ({ ...answer, bootId: new Uint8Array(16) }),
    "whose signature was changed": (answer: ChannelAnswer) => ({ ...answer, signature: answer.signature.toReversed() }),
  }))
    test(what, () => {
      const { one, outstanding, answer } = honest();

      assert.equal(acceptAnswer(one, outstanding, change(answer) as ChannelAnswer), undefined);
    });

  test("that another node signed", () => {
    const one = channelEnds(1, 2);
    const impostor = channelEnds(3, 1);
    const two = { ...channelEnds(2, 1), self: { ...channelEnds(2, 1).self, identity: impostor.self.identity } };
    const outstanding = makeOffer(one);

    assert.equal(acceptAnswer(one, outstanding, answerOf(answered(two, outstanding).message)), undefined);
  });

  test("that was signed for another deployment", () => {
    const one = channelEnds(1, 2);
    const two = { ...channelEnds(2, 1), deploymentId: "dep-other" };
    const outstanding = makeOffer(one);

    assert.equal(acceptAnswer(one, outstanding, answerOf(answered(two, outstanding).message)), undefined);
  });

  test("that is its own, turned around", () => {
    const one = channelEnds(1, 2);
    const outstanding = makeOffer(one);
    const own = answerOf(answered(one, outstanding).message);

    assert.equal(acceptAnswer(one, outstanding, own), undefined);
  });

  test("with a key of small order, validly signed", () => {
    const [one, two] = [channelEnds(1, 2), channelEnds(2, 1)];
    const outstanding = makeOffer(one);
    const evil = { ...answerOf(answered(two, outstanding).message), b: new Uint8Array(32) };
    const permissive = { ...one, peer: { ...one.peer, identity: { ...one.peer.identity, verify: () => true } } };

    assert.equal(acceptAnswer(permissive as unknown as ChannelEnds, outstanding, evil as ChannelAnswer), undefined);
  });
});

describe("the responder refuses", () => {
  test("an offer with a key of small order", () => {
    const two = channelEnds(2, 1);
    const offer = { bootId: new Uint8Array(16), a: new Uint8Array(32) };

    assert.equal(
      answerOffer(two, create(ChannelMessageSchema, { kind: { case: "offer", value: offer } }).kind.value as never),
      undefined,
    );
  });

  test("a confirmation that is its own signature as responder", () => {
    const { two, pending, answer, confirmation } = honest();

    assert.equal(acceptConfirmation(two, pending, { ...confirmation, signature: answer.signature }), undefined);
  });

  test("a confirmation with the responder's label, signed by the initiator", () => {
    const { one, two, pending, confirmation } = honest();
    const signature = one.self.identity.sign(channelStatement("responder", pending.transcript));

    assert.equal(acceptConfirmation(two, pending, { ...confirmation, signature }), undefined);
  });

  test("a confirmation of another transcript", () => {
    const { one, two, outstanding, confirmation } = honest();
    const pending = answered(two, outstanding);
    assert(acceptAnswer(one, outstanding, answerOf(pending.message)));

    assert.equal(acceptConfirmation(two, pending, confirmation), undefined);
  });

  test("a confirmation that another node signed", () => {
    const { two, pending, confirmation } = honest();
    const signature = channelEnds(3, 2).self.identity.sign(channelStatement("initiator", pending.transcript));

    assert.equal(acceptConfirmation(two, pending, { ...confirmation, signature }), undefined);
  });
});

describe("a handshake message is read only if", () => {
  const kinds = (): [string, Uint8Array][] => {
    const { outstanding, pending, accepted } = honest();
    return [
      ["offer", outstanding.message],
      ["answer", pending.message],
      ["confirmation", accepted.confirmation],
    ];
  };

  test("it is whole", () => {
    for (const [, bytes] of kinds())
      for (let length = 0; length < bytes.length; length++)
        assert.equal(decodeChannelMessage(bytes.subarray(0, length)), undefined);
  });

  test("nothing follows it", () => {
    for (const [, bytes] of kinds()) {
      assert.equal(decodeChannelMessage(concatBytes(bytes, Uint8Array.of(0))), undefined);
      // An unknown field, which protobuf would skip; and the same message twice, which protobuf would merge.
      assert.equal(decodeChannelMessage(concatBytes(bytes, Uint8Array.of(0x78, 1))), undefined);
      assert.equal(decodeChannelMessage(concatBytes(bytes, bytes)), undefined);
    }
  });

  test("every field has its length", () => {
    for (const [name, bytes] of kinds()) {
      for (const path of byteFields(fromBinary(ChannelMessageSchema, bytes))) {
        const message = fromBinary(ChannelMessageSchema, bytes);
        path.shorten(message);
        assert.equal(decodeChannelMessage(toBinary(ChannelMessageSchema, message)), undefined, `${name}: ${path.name}`);
      }
    }
  });
});

/** Every byte field of a message, with a way to make it a byte shorter. */
function byteFields(message: ChannelMessage): { name: string; shorten: (copy: ChannelMessage) => void }[] {
  const fields: { name: string; shorten: (copy: ChannelMessage) => void }[] = [];
  const walk = (value: object, path: readonly string[]): void => {
    for (const [name, field] of Object.entries(value)) {
      const at = [...path, name];
      if (field instanceof Uint8Array) fields.push({ name: at.join("."), shorten: (copy) => shorten(copy, at) });
      else if (typeof field === "object" && field !== null) walk(field, at);
    }
  };
  walk(message.kind, ["kind"]);
  assert(fields.length >= 2);
  return fields;
}

function shorten(message: object, path: readonly string[]): void {
  let target = message as Record<string, unknown>;
  for (const name of path.slice(0, -1)) target = target[name] as Record<string, unknown>;
  const last = path.at(-1) ?? "";
  target[last] = (target[last] as Uint8Array).subarray(1);
}
