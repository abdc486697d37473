import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { systemRng } from "../testing/system-rng.ts";
import { answerExtension, bitOf, COLUMN_WORDS, EXTENSION_BYTES, requestExtension } from "./ot-extension.ts";
import { COLUMNS, EXPANDED_BYTES, GADGET_LENGTH } from "./parameters.ts";
import { idealDirection } from "./testing/base-ots.ts";
import { UniversalHash } from "./universal-hash.ts";

const { receiving, sending } = idealDirection();
const HASHES_AT = COLUMNS * EXPANDED_BYTES;

describe("the OT extension", () => {
  test("leaves the sender p_j where the choice is 0 and p_j xor nabla where it is 1", () => {
    const edges = [new Uint8Array(EXPANDED_BYTES), new Uint8Array(EXPANDED_BYTES).fill(0xff)];
    for (const choices of [...edges, ...Array.from({ length: 10 }, () => systemRng(EXPANDED_BYTES))]) {
      const psid1 = systemRng(32);

      const { message, columns } = requestExtension(receiving.seeds, psid1, choices);
      const z = answerExtension(sending, psid1, message) ?? assert.fail("CHECK-1 refuses an honest receiver.");

      const nabla = new Int32Array(sending.nabla.slice().buffer);
      for (let j = 0; j < GADGET_LENGTH; j++)
        for (let word = 0; word < COLUMN_WORDS; word++) {
          const at = COLUMN_WORDS * j + word;
          assert.equal(z[at], (columns[at] ?? 0) ^ (-bitOf(choices, j) & (nabla[word] ?? 0)));
        }
    }
  });

  test("sends 10,768 bytes", () => {
    const { message } = requestExtension(receiving.seeds, systemRng(32), systemRng(EXPANDED_BYTES));

    assert.equal(message.length, EXTENSION_BYTES);
    assert.equal(EXTENSION_BYTES, 10_768);
  });

  test("CHECK-1 refuses any change of the request", () => {
    const psid1 = systemRng(32);
    const { message } = requestExtension(receiving.seeds, psid1, systemRng(EXPANDED_BYTES));
    fc.assert(
      fc.property(fc.nat({ max: EXTENSION_BYTES - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const tampered = message.slice();
        tampered[at] = (tampered[at] ?? 0) ^ change;

        assert.equal(answerExtension(sending, psid1, tampered), undefined);
      }),
      { numRuns: 200 },
    );
  });

  test("CHECK-1 binds psid1: a request of another session is refused", () => {
    const { message } = requestExtension(receiving.seeds, systemRng(32), systemRng(EXPANDED_BYTES));

    assert.equal(answerExtension(sending, systemRng(32), message), undefined);
  });

  test("a receiver that guesses a bit of nabla passes exactly if its guess is right (hence the ban)", () => {
    let passes = 0;
    for (let run = 0; run < 60; run++) {
      const direction = idealDirection();
      const psid1 = systemRng(32);
      const row = run % COLUMNS;
      const guess = run & 1;
      const message = guessBit(direction.receiving.seeds, psid1, row, guess);

      const passed = answerExtension(direction.sending, psid1, message) !== undefined;

      assert.equal(passed, bitOf(direction.sending.nabla, row) === guess);
      passes += passed ? 1 : 0;
    }
    // Binomial(60, 1/2) leaves this range once in 10^9 runs.
    assert.ok(passes > 6 && passes < 54, `${passes} of 60 guesses passed`);
  });

  test("a message of another length is a bug of the caller", () => {
    assert.throws(() => answerExtension(sending, systemRng(32), new Uint8Array(EXTENSION_BYTES - 1)), RangeError);
  });
});

/** Flips a bit of one row of C and answers the check as if the sender's bit of nabla were the guess. */
function guessBit(seeds: Uint8Array, psid1: Uint8Array, row: number, guess: number): Uint8Array {
  const choices = systemRng(EXPANDED_BYTES);
  const { message, columns } = requestExtension(seeds, psid1, choices);
  const flipped = 8 * EXPANDED_BYTES * row + 5;
  message[flipped >>> 3] = (message[flipped >>> 3] ?? 0) ^ (1 << (flipped & 7));
  const hash = new UniversalHash(psid1, message.subarray(0, HASHES_AT));
  const bytes = (words: Int32Array) => new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  message.set(bytes(hash.ofRow(new Int32Array(choices.slice().buffer))), HASHES_AT);
  const hashes = hash.ofColumns(columns);
  // The sender's row is off by the flipped bit if its bit of nabla is 1.
  const unit = new Int32Array(EXPANDED_BYTES / 4);
  unit[0] = 1 << 5;
  const offset = hash.ofRow(unit);
  for (let word = 0; word < 4; word++)
    hashes[4 * row + word] = (hashes[4 * row + word] ?? 0) ^ (-guess & (offset[word] ?? 0));
  message.set(bytes(hashes), HASHES_AT + 16);
  return message;
}
