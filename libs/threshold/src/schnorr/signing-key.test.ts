import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { hex } from "@countersign/bytes";
import { schnorr } from "@noble/curves/secp256k1.js";
import { prepareCurves } from "../curves/prepare-curves.ts";
import { secp256k1 } from "../curves/secp256k1.ts";
import { suiteOf } from "../suites.ts";
import { combination, openSession, partialsOf, runParties, signAndCombine } from "../testing/signing-network.ts";
import { splitKey } from "../testing/split-key.ts";
import { systemRng } from "../testing/system-rng.ts";
import { fromHex, readVectors } from "../testing/vectors.ts";
import { bind } from "./binding.ts";
import { combineSchnorr } from "./combine.ts";
import { decodeCommitment } from "./commitments.ts";
import { outputKey, publishedKey, signingKey, tapTweak } from "./signing-key.ts";
import { applyTweak, hasEvenY, signedScalar, startTweaks } from "./tweak.ts";

before(() => prepareCurves(systemRng));

const EMPTY = new Uint8Array(0);
const TR = "FROST-secp256k1-SHA256-TR-v1";

interface WalletVectors {
  readonly scriptPubKey: readonly {
    readonly given: { readonly internalPubkey: string };
    readonly intermediary: {
      readonly merkleRoot: string | null;
      readonly tweak: string;
      readonly tweakedPubkey: string;
    };
    readonly expected: { readonly scriptPubKey: string; readonly scriptPathControlBlocks?: readonly string[] };
  }[];
  readonly keyPathSpending: readonly {
    readonly given: { readonly utxosSpent: readonly { readonly scriptPubKey: string }[] };
    readonly inputSpending: readonly {
      readonly given: {
        readonly txinIndex: number;
        readonly internalPrivkey: string;
        readonly merkleRoot: string | null;
      };
      readonly intermediary: Record<"internalPubkey" | "tweak" | "tweakedPrivkey" | "sigHash", string>;
    }[];
  }[];
}

describe("BIP-341 wallet vectors", () => {
  const vectors = readVectors<WalletVectors>("bitcoin/bip-0341-wallet-test-vectors.json");

  test("tweak, output key, script and parity are the published ones", () => {
    for (const { given, intermediary, expected } of vectors.scriptPubKey) {
      const root = fromHex(intermediary.merkleRoot ?? "");
      const internal = secp256k1.decodePoint(fromHex(`02${given.internalPubkey}`));

      assert.equal(hex(tapTweak(internal, root)), intermediary.tweak);
      const key = outputKey(internal, root);
      assert.equal(hex(key.subarray(1)), intermediary.tweakedPubkey);
      assert.equal(`5120${hex(key.subarray(1))}`, expected.scriptPubKey);
      for (const block of expected.scriptPathControlBlocks ?? [])
        assert.equal((fromHex(block)[0] ?? 0) & 1, (key[0] ?? 0) & 1);
      // An internal key counts by its x coordinate alone.
      assert.deepEqual(outputKey(secp256k1.negatePoint(internal), root), key);
    }
  });

  test("a quorum's signature over each published sighash opens the published output", async () => {
    for (const { given, inputSpending } of vectors.keyPathSpending)
      for (const { given: input, intermediary } of inputSpending) {
        const secret = secp256k1.decodeScalar(fromHex(input.internalPrivkey));
        const key = splitKey({ suite: TR, threshold: 2, partyCount: 3, rng: systemRng, secret });
        const root = fromHex(input.merkleRoot ?? "");
        const message = fromHex(intermediary.sigHash);

        const context = startTweaks(secp256k1, secp256k1.multiplyBase(secret));
        const tweak = tapTweak(context.point, root);
        const { sign, addend } = applyTweak(secp256k1, context, tweak, "x-only");
        const item = { message, taprootMerkleRoot: root };
        const { r, s } = await signAndCombine(openSession({ key, quorum: [1, 3], items: [item] }));

        assert.equal(hex(context.point.subarray(1)), intermediary.internalPubkey);
        assert.equal(hex(tweak), intermediary.tweak);
        assert.equal(hex(secp256k1.add(signedScalar(secp256k1, sign, secret), addend)), intermediary.tweakedPrivkey);
        const script = given.utxosSpent[input.txinIndex]?.scriptPubKey ?? "";
        assert.ok(schnorr.verify(Uint8Array.of(...r, ...s), message, fromHex(script.slice(4))));
      }
  });
});

test("BIP-86 output keys are the published ones", () => {
  const { derived } = readVectors<{ derived: { internal_key?: string; output_key?: string }[] }>(
    "bitcoin/bip-0086-vectors.json",
  );
  const leaves = derived.filter(({ output_key }) => output_key !== undefined);

  assert.ok(leaves.length >= 3);
  for (const { internal_key, output_key } of leaves)
    assert.equal(hex(outputKey(fromHex(`02${internal_key}`), EMPTY).subarray(1)), output_key);
});

test("all eight parities of internal key, output key and R give a valid signature, with and without a root", async () => {
  for (const root of [EMPTY, systemRng(32)]) {
    const seen = new Set<string>();
    // Each of the eight has probability 1/8 per round; 400 rounds miss one with probability below 2^-70.
    for (let round = 0; seen.size < 8 && round < 400; round++) {
      const key = splitKey({ suite: TR, threshold: 2, partyCount: 2, rng: systemRng });
      const [internal] = key.public.commitments;
      assert.ok(internal);
      const output = outputKey(internal, root);
      const message = systemRng(32);
      const item = { message, taprootMerkleRoot: root };
      const session = openSession({ key, quorum: [1, 2], items: [item] });
      const partials = await partialsOf(session);
      const { r, s } = combineSchnorr(combination(session, partials));
      const commitments = (partials.get(1)?.commitments ?? []).map((signed, place) =>
        decodeCommitment(suiteOf(TR), place + 1, signed, 0),
      );
      const { R } = bind(signingKey(key.public, item), message, commitments);

      assert.ok(schnorr.verify(Uint8Array.of(...r, ...s), message, output.subarray(1)));
      seen.add(`${hasEvenY(internal)} ${output[0] === 2} ${hasEvenY(R)}`);
    }
    assert.equal(seen.size, 8);
  }
});

test("the published key is the untweaked Ed25519 key and the BIP-86 output key with its parity", () => {
  const ed = splitKey({ suite: "FROST-ED25519-SHA512-v1", threshold: 2, partyCount: 3, rng: systemRng }).public;
  const tr = splitKey({ suite: TR, threshold: 2, partyCount: 3, rng: systemRng }).public;

  assert.deepEqual(publishedKey(ed), ed.commitments[0]);
  assert.deepEqual(publishedKey(tr), outputKey(tr.commitments[0] ?? EMPTY, EMPTY));
  assert.equal(publishedKey(tr).length, 33);
});

test("a Merkle root of another length, or for a key without taproot, is refused by every party", async () => {
  for (const [suite, size] of [
    [TR, 31],
    [TR, 33],
    ["FROST-ED25519-SHA512-v1", 32],
  ] as const) {
    const key = splitKey({ suite, threshold: 2, partyCount: 2, rng: systemRng });
    const item = { message: new Uint8Array(32), taprootMerkleRoot: new Uint8Array(size) };

    for (const outcome of (await runParties(openSession({ key, quorum: [1, 2], items: [item] }))).values())
      assert.ok(outcome.status === "rejected" && outcome.reason.code === "item_invalid");
  }
});
