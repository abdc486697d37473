import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { hex } from "@countersign/bytes";
import type { Point } from "../curves/curve.ts";
import { prepareCurves } from "../curves/prepare-curves.ts";
import { secp256k1 } from "../curves/secp256k1.ts";
import { systemRng } from "../testing/system-rng.ts";
import { readVectors } from "../testing/vectors.ts";
import { deriveKey } from "./derivation.ts";

before(() => prepareCurves(systemRng));

interface Bip32File {
  readonly vectors: readonly {
    readonly id: number;
    readonly chains: readonly { readonly path: string; readonly xpub: string }[];
  }[];
}

const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/** Key and chain code of an extended public key: 78 bytes and a checksum in base 58. */
function parse(xpub: string): { readonly key: Point; readonly chainCode: Uint8Array } {
  const value = [...xpub].reduce((total, character) => total * 58n + BigInt(ALPHABET.indexOf(character)), 0n);
  const bytes = Buffer.from(value.toString(16).padStart(164, "0"), "hex");
  return { key: secp256k1.decodePoint(bytes.subarray(45, 78)), chainCode: new Uint8Array(bytes.subarray(13, 45)) };
}

describe("non-hardened derivation", () => {
  for (const { id, chains } of readVectors<Bip32File>("hd/bip-0032-vectors.json").vectors)
    test(`BIP-32 test vector ${id}`, () => {
      const known = new Map(chains.map(({ path, xpub }) => [path, parse(xpub)]));
      let steps = 0;
      for (const [path, child] of known) {
        const [, parentPath = "", last = ""] = /^(.*)\/([^/]*)$/.exec(path) ?? [];
        const parent = known.get(parentPath);
        if (parent === undefined || last.endsWith("'")) continue;

        const derived = deriveKey(parent.key, parent.chainCode, [Number(last)]);

        assert.equal(hex(derived.publicKey), hex(child.key));
        assert.equal(hex(derived.chainCode), hex(child.chainCode));
        steps++;
      }
      assert.ok(steps > 0 || chains.every(({ path }) => /'$|^m$/.test(path)));
    });

  test("the tweak is what the derived key's secret has more than the root's", () => {
    const secret = secp256k1.randomScalar(systemRng);
    const root = secp256k1.multiplyBase(secret);

    const { publicKey, tweak } = deriveKey(root, systemRng(32), [0, 5, 2 ** 31 - 1]);

    assert.equal(hex(secp256k1.multiplyBase(secp256k1.add(secret, tweak))), hex(publicKey));
  });

  test("the empty path is the key itself with no tweak", () => {
    const { generator } = secp256k1;

    const { publicKey, tweak } = deriveKey(generator, new Uint8Array(32), []);

    assert.deepEqual(publicKey, generator);
    assert.ok(secp256k1.isZero(tweak));
  });

  test("refuses hardened and malformed indexes and paths that are too long", () => {
    for (const path of [
      [2 ** 31],
      [2 ** 32 - 1],
      [-1],
      [0.5],
      [Number.NaN],
      [0, 2 ** 31],
      new Array<number>(256).fill(0),
    ])
      assert.throws(() => deriveKey(secp256k1.generator, new Uint8Array(32), path), { code: "path_invalid" });
  });
});
