import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { concatBytes, hex } from "@countersign/bytes";
import type { Point, Scalar } from "../curves/curve.ts";
import { prepareCurves } from "../curves/prepare-curves.ts";
import type { SchnorrSuiteName } from "../key-share.ts";
import { suiteOf } from "../suites.ts";
import { splitKey } from "../testing/split-key.ts";
import { systemRng } from "../testing/system-rng.ts";
import { fromHex, readVectors } from "../testing/vectors.ts";
import { bind, bindingPrefix } from "./binding.ts";
import { aggregate } from "./combine.ts";
import { verifySignature } from "./gate.ts";
import { Nonces, nonceFrom } from "./nonces.ts";
import { respond, verifyShare } from "./share.ts";
import { finishTweaks, startTweaks } from "./tweak.ts";

interface FrostVectors {
  readonly config: Record<"MAX_PARTICIPANTS" | "MIN_PARTICIPANTS", string>;
  readonly inputs: {
    readonly participant_list: readonly number[];
    readonly group_secret_key: string;
    readonly group_public_key?: string;
    readonly verifying_key_key?: string;
    readonly message: string;
    readonly share_polynomial_coefficients: readonly string[];
    readonly participant_shares: readonly { readonly identifier: number; readonly participant_share: string }[];
  };
  readonly round_one_outputs: {
    readonly outputs: readonly ({ readonly identifier: number } & Record<
      | "hiding_nonce_randomness"
      | "binding_nonce_randomness"
      | "hiding_nonce"
      | "binding_nonce"
      | "hiding_nonce_commitment"
      | "binding_nonce_commitment"
      | "binding_factor_input"
      | "binding_factor",
      string
    >)[];
  };
  readonly round_two_outputs: {
    readonly outputs: readonly { readonly identifier: number; readonly sig_share: string }[];
  };
  readonly final_output: { readonly sig: string };
}

const FILES: readonly (readonly [string, SchnorrSuiteName])[] = [
  ["rfc9591-frost-ed25519-sha512", "FROST-ED25519-SHA512-v1"],
  ["frost-ed25519.vectors", "FROST-ED25519-SHA512-v1"],
  ["rfc9591-frost-secp256k1-sha256", "FROST-secp256k1-SHA256-v1"],
  ["frost-secp256k1.vectors", "FROST-secp256k1-SHA256-v1"],
  ["frost-secp256k1-tr.vectors", "FROST-secp256k1-SHA256-TR-v1"],
];

before(() => prepareCurves(systemRng));

for (const [file, name] of FILES) {
  describe(file, () => {
    const { config, inputs, round_one_outputs, round_two_outputs, final_output } = readVectors<FrostVectors>(
      `frost/${file}.json`,
    );
    const message = fromHex(inputs.message);
    const suite = suiteOf(name);
    const { curve } = suite;
    const given = () => {
      const key = splitKey({
        suite: name,
        threshold: Number(config.MIN_PARTICIPANTS),
        partyCount: Number(config.MAX_PARTICIPANTS),
        rng: systemRng,
        secret: curve.decodeScalar(fromHex(inputs.group_secret_key)),
        coefficients: inputs.share_polynomial_coefficients.map((text) => curve.decodeScalar(fromHex(text))),
      });
      const signers = round_one_outputs.outputs.map((output) => {
        const share = key.shares[output.identifier - 1];
        assert.ok(share);
        const nonce = (randomness: string): Scalar => nonceFrom(suite, fromHex(randomness), share.secret.expose());
        const d = nonce(output.hiding_nonce_randomness);
        const e = nonce(output.binding_nonce_randomness);
        const text = { d: hex(d), e: hex(e) };
        return { output, share, text, nonces: new Nonces(suite, d, e) };
      });
      const commitments = signers.map(({ share, nonces: { D, E } }) => ({ party: share.index, D, E }));
      const [publicKey] = key.public.commitments;
      assert.ok(publicKey);
      // The files sign under the group key itself, without a taproot tweak.
      const signingKey = finishTweaks(suite, startTweaks(curve, publicKey));
      return { key, signers, commitments, signingKey };
    };

    test("the group key and the shares are the published ones", () => {
      const { key } = given();

      assert.deepEqual(
        key.public.commitments[0],
        fromHex(inputs.group_public_key ?? inputs.verifying_key_key ?? "") as Point,
      );
      for (const { identifier, participant_share } of inputs.participant_shares)
        assert.equal(hex(key.shares[identifier - 1]?.secret.expose() ?? new Uint8Array(0)), participant_share);
    });

    test("round one gives the published nonces, commitments and binding factors", () => {
      const { signers, commitments, signingKey } = given();
      const prefix = bindingPrefix(signingKey, message, commitments);
      const { factors } = bind(signingKey, message, commitments);

      assert.deepEqual(
        commitments.map(({ party }) => party),
        inputs.participant_list,
      );
      for (const { output, text, nonces } of signers) {
        const id = output.identifier;
        assert.deepEqual([text.d, text.e], [output.hiding_nonce, output.binding_nonce]);
        assert.equal(hex(nonces.D), output.hiding_nonce_commitment);
        assert.equal(hex(nonces.E), output.binding_nonce_commitment);
        assert.equal(hex(concatBytes(prefix, curve.scalarFromNumber(id))), output.binding_factor_input);
        assert.equal(hex(factors.get(id) ?? new Uint8Array(0)), output.binding_factor);
      }
    });

    test("round two gives the published shares, and their sum the published signature", () => {
      const { key, signers, commitments, signingKey } = given();
      const binding = bind(signingKey, message, commitments);

      const responses = signers.map(({ share, nonces }) => respond(signingKey, binding, share, nonces));
      const { r, s } = aggregate(signingKey, binding, responses);

      for (const [place, { identifier, sig_share }] of round_two_outputs.outputs.entries()) {
        const z = responses[place];
        assert.ok(z);
        assert.equal(hex(z), sig_share);
        assert.ok(verifyShare(signingKey, binding, key.public, identifier, z));
        const wrong = curve.add(z, curve.scalarFromNumber(1));
        assert.ok(!verifyShare(signingKey, binding, key.public, identifier, wrong));
      }
      assert.equal(hex(concatBytes(r, s)), final_output.sig);
      assert.ok(verifySignature({ suite: name, publicKey: signingKey.point, message, r, s }));
    });
  });
}
