import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hex } from "@countersign/bytes";
import fc from "fast-check";
import type { Scalar } from "../curves/curve.ts";
import { secp256k1 } from "../curves/secp256k1.ts";
import { systemRng } from "../testing/system-rng.ts";
import { fromHex } from "../testing/vectors.ts";
import { bitOf } from "./ot-extension.ts";
import { EXPANDED_BYTES, GADGET_LENGTH } from "./parameters.ts";
import { ANSWER_BYTES, MultiplicationReceiver, MultiplicationSender, type Pair } from "./rvole.ts";
import { idealDirection } from "./testing/base-ots.ts";
import * as reference from "./testing/rvole-reference.ts";

const { order } = secp256k1;
const { receiving, sending } = idealDirection();
const big = (bytes: Uint8Array) => BigInt(`0x${hex(bytes)}`);
const scalar = (value: bigint) => fromHex(value.toString(16).padStart(64, "0")) as Scalar;
const randomScalar = () => secp256k1.randomScalar(systemRng);

/** One honest run, with a place to tamper. */
function run(
  options: {
    readonly inputs?: Pair;
    readonly choices?: Uint8Array;
    readonly tamper?: (answer: Uint8Array) => Uint8Array;
    readonly sessions?: readonly [Uint8Array, Uint8Array];
  } = {},
) {
  const { inputs = [randomScalar(), randomScalar()], choices = systemRng(EXPANDED_BYTES) } = options;
  const [psid1, psid2] = options.sessions ?? [systemRng(32), systemRng(32)];
  const receiver = new MultiplicationReceiver(receiving, psid1, choices.slice());
  const sender = MultiplicationSender.check(sending, psid1, receiver.request) ?? assert.fail("CHECK-1 failed.");
  const checkInput = randomScalar();
  const { message, c } = sender.answer(psid2, inputs, checkInput);
  const answer = options.tamper?.(message.slice()) ?? message;
  return {
    psid1,
    psid2,
    receiver,
    sender,
    inputs,
    choices,
    checkInput,
    message,
    c,
    d: receiver.complete(psid2, answer),
  };
}

function answerWith(sender: MultiplicationSender) {
  sender.answer(systemRng(32), [randomScalar(), randomScalar()], randomScalar());
}

/** A receiver that waits for its answer. */
function asked() {
  const [psid1, choices] = [systemRng(32), systemRng(EXPANDED_BYTES)];
  return { psid1, choices, receiver: new MultiplicationReceiver(receiving, psid1, choices.slice()) };
}

describe("random vector OLE", () => {
  test("gives shares of the product of each input with b, also at the edges", () => {
    const values = fc.oneof(fc.constantFrom(0n, 1n, order - 1n), fc.bigInt(0n, order - 1n));
    const bits = fc.oneof(
      fc.constantFrom(new Uint8Array(EXPANDED_BYTES), new Uint8Array(EXPANDED_BYTES).fill(255)),
      fc.uint8Array({ minLength: EXPANDED_BYTES, maxLength: EXPANDED_BYTES }),
    );
    fc.assert(
      fc.property(values, values, bits, (first, second, choices) => {
        const { receiver, c, d } = run({ inputs: [scalar(first), scalar(second)], choices });

        assert.ok(d !== undefined, "CHECK-2 refuses an honest sender");
        for (const [k, input] of [first, second].entries())
          assert.equal((big(c[k] as Scalar) + big(d[k] as Scalar)) % order, (input * big(receiver.b)) % order);
      }),
      { numRuns: 40 },
    );
  });

  test("equals the reference in big integers byte for byte", () => {
    for (let count = 0; count < 5; count++) {
      const { psid1, psid2, receiver, inputs, choices, checkInput, message, c, d } = run();

      const requested = reference.request(receiving, psid1, choices);
      const answered = reference.answer(sending, psid1, psid2, requested.message, { inputs: [...inputs, checkInput] });

      assert.equal(hex(receiver.request), hex(requested.message));
      assert.equal(big(receiver.b), requested.b);
      assert.equal(hex(message), hex(answered.message));
      assert.deepEqual(c.map(big), answered.c);
      assert.deepEqual(d?.map(big), reference.complete(receiving, requested, psid2, message));
    }
  });

  test("sends 40,000 bytes", () => {
    assert.equal(run().message.length, 40_000);
    assert.equal(ANSWER_BYTES, 40_000);
  });

  test("CHECK-2 refuses any change of the answer", () => {
    const at = fc.oneof(
      fc.nat({ max: ANSWER_BYTES - 1 }),
      fc.integer({ min: ANSWER_BYTES - 64, max: ANSWER_BYTES - 1 }),
    );
    fc.assert(
      fc.property(at, fc.integer({ min: 1, max: 255 }), (place, change) => {
        const { d } = run({
          tamper: (answer) => {
            answer[place] = (answer[place] ?? 0) ^ change;
            return answer;
          },
        });

        // The challenges hash every correction, so that even one that was not chosen changes mu.
        assert.equal(d, undefined);
      }),
      { numRuns: 60 },
    );
  });

  test("CHECK-2 refuses a correction that is not below q, though all else fits it", () => {
    for (const excess of [0n, order]) {
      const psid2 = systemRng(32);
      const { psid1, receiver } = asked();

      const { message } = reference.answer(sending, psid1, psid2, receiver.request, { excess });

      assert.equal(receiver.complete(psid2, message) !== undefined, excess === 0n);
    }
  });

  test("CHECK-2 binds psid2: an answer of another session is refused", () => {
    const psid1 = systemRng(32);
    const receiver = new MultiplicationReceiver(receiving, psid1, systemRng(EXPANDED_BYTES));
    const sender = MultiplicationSender.check(sending, psid1, receiver.request) ?? assert.fail("CHECK-1 failed.");
    const { message } = sender.answer(systemRng(32), [randomScalar(), randomScalar()], randomScalar());

    assert.equal(receiver.complete(systemRng(32), message), undefined);
  });

  test("a sender with another input in some rows is caught unless none of them was chosen", () => {
    for (const rows of [1, 8]) {
      let caught = 0;
      for (let count = 0; count < 6; count++) {
        const places = Array.from({ length: rows }, () => Math.floor(Math.random() * GADGET_LENGTH));
        const { choices, psid1, receiver } = asked();
        const psid2 = systemRng(32);
        const shifted = reference.answer(sending, psid1, psid2, receiver.request, { shifted: places });

        const passed = receiver.complete(psid2, shifted.message) !== undefined;

        assert.equal(
          passed,
          places.every((j) => bitOf(choices, j) === 0),
        );
        caught += passed ? 0 : 1;
      }
      assert.ok(rows === 1 || caught > 0);
    }
  });

  test("a replayed request never meets equal masks", () => {
    const psid1 = systemRng(32);
    const receiver = new MultiplicationReceiver(receiving, psid1, systemRng(EXPANDED_BYTES));
    const inputs: Pair = [randomScalar(), randomScalar()];
    const corrections = [systemRng(32), systemRng(32)].map((psid2) => {
      const sender = MultiplicationSender.check(sending, psid1, receiver.request) ?? assert.fail("CHECK-1 failed.");
      return sender.answer(psid2, inputs, randomScalar()).message;
    });

    const [one, other] = corrections.map((message) => big(message.subarray(0, 32)));
    assert.notEqual(one, other);
  });

  test("messages of another length are bugs of the caller", () => {
    const { receiver } = run();
    assert.throws(() => receiver.complete(systemRng(32), new Uint8Array(ANSWER_BYTES + 1)), RangeError);
  });

  test("a sender that answered or was wiped answers nothing: its masks would be spent or zero", () => {
    for (const spend of [(sender: MultiplicationSender) => sender.wipe(), answerWith]) {
      const { psid1, receiver } = asked();
      const sender = MultiplicationSender.check(sending, psid1, receiver.request) ?? assert.fail("CHECK-1 failed.");
      spend(sender);

      assert.throws(() => answerWith(sender), /was answered or wiped/);
    }
  });

  test("a receiver that was completed or wiped is not completed again", () => {
    for (const isWiped of [false, true]) {
      const { psid1, receiver } = asked();
      const psid2 = systemRng(32);
      const { message } = reference.answer(sending, psid1, psid2, receiver.request);
      if (isWiped) receiver.wipe();
      else assert.ok(receiver.complete(psid2, message));

      assert.throws(() => receiver.complete(psid2, message), /was completed or wiped/);
    }
  });

  test("works on Buffers, whose slices are views, and changes none of them", () => {
    const psid1 = systemRng(32);
    const psid2 = systemRng(32);
    const pooled = (bytes: Uint8Array) => Buffer.concat([Uint8Array.of(1), bytes]).subarray(1);
    const sides = {
      receiving: { ...receiving, seeds: pooled(receiving.seeds) },
      sending: { ...sending, seeds: pooled(sending.seeds), nabla: pooled(sending.nabla) },
    };
    const choices = systemRng(EXPANDED_BYTES);
    const receiver = new MultiplicationReceiver(sides.receiving, psid1, pooled(choices));
    const request = pooled(receiver.request);

    const sender = MultiplicationSender.check(sides.sending, psid1, request) ?? assert.fail("CHECK-1 failed.");
    const inputs: Pair = [randomScalar(), randomScalar()];
    const { message, c } = sender.answer(psid2, inputs, randomScalar());
    const answer = pooled(message);
    const d = receiver.complete(psid2, answer) ?? assert.fail("CHECK-2 failed.");

    for (const [k, input] of inputs.entries())
      assert.equal((big(c[k] as Scalar) + big(d[k] as Scalar)) % order, (big(input) * big(receiver.b)) % order);
    sender.wipe();
    const kept = [sides.receiving.seeds, sides.sending.seeds, sides.sending.nabla, request, answer];
    const originals = [receiving.seeds, sending.seeds, sending.nabla, receiver.request, message];
    assert.deepEqual(kept.map(hex), originals.map(hex));
  });

  test("wiping leaves neither b nor choices", () => {
    const { receiver, sender } = run();

    receiver.wipe();
    sender.wipe();

    assert.deepEqual(receiver.b, new Uint8Array(32));
  });
});
