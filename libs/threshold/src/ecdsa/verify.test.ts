import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { sha256 } from "@countersign/bytes";
import { secp256k1 as noble } from "@noble/curves/secp256k1.js";
import { prepareCurves } from "../curves/prepare-curves.ts";
import { secp256k1 } from "../curves/secp256k1.ts";
import { systemRng } from "../testing/system-rng.ts";
import { fromHex, readVectors } from "../testing/vectors.ts";
import { type EcdsaSignature, verifyEcdsa } from "./verify.ts";

before(() => prepareCurves(systemRng));

interface WycheproofFile {
  readonly testGroups: readonly {
    readonly publicKey: { readonly uncompressed: string };
    readonly tests: readonly {
      readonly tcId: number;
      readonly msg: string;
      readonly sig: string;
      readonly result: "valid" | "invalid";
    }[];
  }[];
}

function signed() {
  const secret = systemRng(32);
  const digest = systemRng(32);
  const bytes = noble.sign(digest, secret, { prehash: false, lowS: true, format: "recovered" });
  const publicKey = secp256k1.decodePoint(noble.getPublicKey(secret, true));
  const signature: EcdsaSignature = { recid: bytes[0] ?? 0, r: bytes.slice(1, 33), s: bytes.slice(33) };
  return { digest, publicKey, signature };
}

describe("the release gate of ECDSA", () => {
  test("agrees with Wycheproof on every signature that is DER at all", () => {
    let judged = 0;
    const file = readVectors<WycheproofFile>("ecdsa/wycheproof-ecdsa_secp256k1_sha256_bitcoin_test.json");
    for (const { publicKey, tests } of file.testGroups) {
      const key = secp256k1.decodePoint(noble.Point.fromHex(publicKey.uncompressed).toBytes(true));
      for (const { tcId, msg, sig, result } of tests) {
        let compact: Uint8Array;
        try {
          compact = noble.Signature.fromBytes(fromHex(sig), "der").toBytes("compact");
        } catch {
          assert.equal(result, "invalid", `test ${tcId} is no DER`);
          continue;
        }
        const [r, s] = [compact.slice(0, 32), compact.slice(32)];
        const accepted = [0, 1, 2, 3].some((recid) => verifyEcdsa(key, sha256(fromHex(msg)), { r, s, recid }));
        assert.equal(accepted, result === "valid", `test ${tcId}`);
        judged++;
      }
    }
    assert.ok(judged > 100, `${judged} were judged`);
  });

  test("accepts what noble signed, with its recovery id only", () => {
    const { digest, publicKey, signature } = signed();

    for (const recid of [0, 1, 2, 3, 4, -1])
      assert.equal(verifyEcdsa(publicKey, digest, { ...signature, recid }), recid === signature.recid);
  });

  test("refuses the other s, other lengths, zero, q, another digest and another key", () => {
    const { digest, publicKey, signature } = signed();
    const high = secp256k1.negate(secp256k1.decodeScalar(signature.s));
    const order = fromHex(secp256k1.order.toString(16));
    const changes: readonly Partial<EcdsaSignature>[] = [
      { s: high, recid: signature.recid ^ 1 },
      { s: high },
      { r: new Uint8Array(32) },
      { s: new Uint8Array(32) },
      { r: order },
      { s: order },
      { r: signature.r.slice(1) },
      { s: new Uint8Array([0, ...signature.s]) },
    ];
    for (const change of changes) assert.equal(verifyEcdsa(publicKey, digest, { ...signature, ...change }), false);
    assert.equal(verifyEcdsa(publicKey, systemRng(32), signature), false);
    assert.equal(verifyEcdsa(signed().publicKey, digest, signature), false);
    assert.equal(verifyEcdsa(publicKey, digest.slice(1), signature), false);
  });
});
