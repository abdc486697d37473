import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hex } from "@countersign/bytes";
import fc from "fast-check";
import sodium from "libsodium-wrappers-sumo";
import { EXPANDED_BYTES } from "./parameters.ts";
import { expandSeeds } from "./stream.ts";
import { TH } from "./transcript.ts";

function expand(seeds: Uint8Array, psid1: Uint8Array): Uint8Array {
  const out = new Int32Array(17 * (seeds.length / 32));
  expandSeeds(seeds, psid1, out);
  return new Uint8Array(out.buffer);
}

describe("the expansion of seeds", () => {
  test("has the specification's known answer", () => {
    const expanded = expand(new Uint8Array(32).fill(0x33), new Uint8Array(32).fill(0x44));

    assert.equal(
      hex(expanded),
      "dd0edf20ae2eeb00c05ef9904eb74481c14133afcc93389bf962bbf2d6c4c32adb81cf34e34c0eec2380a3698644c54f8689f8f3d740034e7bea9ff4be056de4e993c45c",
    );
  });

  test("is libsodium's XChaCha20 under each seed", async () => {
    await sodium.ready;
    const bytes = (size: number) => fc.uint8Array({ minLength: size, maxLength: size });
    fc.assert(
      fc.property(bytes(96), bytes(32), (seeds, psid1) => {
        const nonce = TH("ss-nonce", psid1).subarray(0, 24);

        const expanded = expand(seeds, psid1);

        for (let k = 0; k < 3; k++)
          assert.equal(
            hex(expanded.subarray(EXPANDED_BYTES * k, EXPANDED_BYTES * (k + 1))),
            hex(
              sodium.crypto_stream_xchacha20_xor(
                new Uint8Array(EXPANDED_BYTES),
                nonce,
                seeds.subarray(32 * k, 32 * k + 32),
              ),
            ),
          );
      }),
    );
  });

  test("takes seeds from anywhere in a buffer and leaves them as they are", () => {
    const buffer = Uint8Array.from({ length: 67 }, (_, place) => place);
    const before = buffer.slice();

    const expanded = expand(buffer.subarray(3), new Uint8Array(32));

    assert.deepEqual(buffer, before);
    assert.deepEqual(expanded, expand(before.slice(3), new Uint8Array(32)));
  });
});
