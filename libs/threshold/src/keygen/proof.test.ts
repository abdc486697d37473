import assert from "node:assert/strict";
import { before, test } from "node:test";
import { prepareCurves } from "../curves/prepare-curves.ts";
import type { SuiteName } from "../key-share.ts";
import { suiteOf } from "../suites.ts";
import { systemRng } from "../testing/system-rng.ts";
import { type ProofOfKnowledge, type ProofStatement, proveKnowledge, verifyKnowledge } from "./proof.ts";
import { dkgVectors } from "./testing/dkg-vectors.ts";

const SUITES: readonly SuiteName[] = [
  "FROST-ED25519-SHA512-v1",
  "FROST-secp256k1-SHA256-TR-v1",
  "FROST-secp256k1-SHA256-v1",
];

before(() => prepareCurves(systemRng));

test("published proofs of knowledge verify", () => {
  for (const { suite: name, parties } of dkgVectors()) {
    const suite = suiteOf(name);
    const { curve } = suite;
    for (const { index, commitments, R, mu } of parties) {
      const commitment = curve.decodePoint(commitments[0] ?? new Uint8Array(0));
      const statement: ProofStatement = { suite, context: new Uint8Array(0), prover: index, commitment };
      assert.ok(verifyKnowledge(statement, { R: curve.decodePoint(R), mu: curve.decodeScalar(mu) }));
    }
  }
});

for (const name of SUITES) {
  test(`${name}: a proof holds for its statement and for nothing else`, () => {
    const { statement, proof, other } = proven(name);

    assert.ok(verifyKnowledge(statement, proof));
    assert.ok(!verifyKnowledge({ ...statement, context: systemRng(32) }, proof), "another session");
    assert.ok(!verifyKnowledge({ ...statement, prover: 2 }, proof), "another party");
    assert.ok(!verifyKnowledge({ ...statement, commitment: other.commitment }, proof), "another constant term");
    assert.ok(!verifyKnowledge(statement, { ...proof, R: other.R }), "another R");
  });

  test(`${name}: a response that is off by one, or zero, proves nothing`, () => {
    const { statement, proof } = proven(name);
    const { curve } = statement.suite;

    const offByOne = curve.add(proof.mu, curve.scalarFromNumber(1));

    assert.ok(!verifyKnowledge(statement, { ...proof, mu: offByOne }));
    assert.ok(!verifyKnowledge(statement, { ...proof, mu: curve.scalarFromNumber(0) }));
  });
}

test("in the BIP-340 suite R has even y, and a proof made with the other sign is refused", () => {
  const { statement } = proven("FROST-secp256k1-SHA256-TR-v1");
  const { suite, context, prover } = statement;
  const { curve } = suite;
  const secret = curve.randomScalar(systemRng);
  const commitment = curve.multiplyBase(secret);
  const proofs = Array.from({ length: 20 }, () => proveKnowledge({ ...statement, commitment }, secret, systemRng));
  assert.ok(proofs.every(({ R }) => R[0] === 2));

  // Completed honestly but for the sign: only the rule on R refuses it.
  let nonce = curve.randomScalar(systemRng);
  if (curve.multiplyBase(nonce)[0] === 2) nonce = curve.negate(nonce);
  const R = curve.multiplyBase(nonce);
  const c = suite.HDKG(Buffer.concat([context, curve.scalarFromNumber(prover), commitment, R]));
  const mu = curve.add(nonce, curve.multiply(secret, c));

  assert.ok(!verifyKnowledge({ ...statement, commitment }, { R, mu }));
  assert.ok(verifyKnowledge({ ...statement, commitment, suite: { ...suite, evenY: false } }, { R, mu }));
});

test("a response that cancels the challenge term, with no R left to explain it, is refused", () => {
  const { statement, proof } = proven("FROST-ED25519-SHA512-v1");
  const { curve } = statement.suite;
  const secret = curve.randomScalar(systemRng);
  const known: ProofStatement = { ...statement, commitment: curve.multiplyBase(secret) };
  const c = statement.suite.HDKG(
    Buffer.concat([known.context, curve.scalarFromNumber(known.prover), known.commitment, proof.R]),
  );

  const mu = curve.multiply(secret, c);

  assert.ok(!verifyKnowledge(known, { R: proof.R, mu }));
});

function proven(name: SuiteName) {
  const suite = suiteOf(name);
  const make = () => {
    const secret = suite.curve.randomScalar(systemRng);
    const commitment = suite.curve.multiplyBase(secret);
    const statement: ProofStatement = { suite, context: systemRng(32), prover: 1, commitment };
    const proof: ProofOfKnowledge = proveKnowledge(statement, secret, systemRng);
    return { statement, proof };
  };
  const [{ statement, proof }, second] = [make(), make()];
  return { statement, proof, other: { commitment: second.statement.commitment, R: second.proof.R } };
}
