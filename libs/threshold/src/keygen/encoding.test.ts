import assert from "node:assert/strict";
import { before, test } from "node:test";
import { concatBytes, u16be } from "@countersign/bytes";
import fc from "fast-check";
import { prepareCurves } from "../curves/prepare-curves.ts";
import type { SignedMessage } from "../delivery.ts";
import { ProtocolAbort } from "../errors.ts";
import { suiteOf } from "../suites.ts";
import { systemRng } from "../testing/system-rng.ts";
import { deal } from "./dealing.ts";
import {
  decodeCommitment,
  decodeComplaint,
  decodeEcho,
  decodeFinish,
  decodePackage,
  decodeReveal,
  decodeShare,
  encodeComplaint,
  encodeEcho,
  encodeFinish,
  encodePackage,
  encodeReveal,
  encodeShare,
} from "./encoding.ts";

const { curve } = suiteOf("FROST-ED25519-SHA512-v1");
const MALFORMED = { code: "keygen_message_malformed" };
const PARTY_COUNT = 3;

/** Every decoder by what it decodes. */
const DECODERS: Readonly<Record<string, (body: Uint8Array) => unknown>> = {
  commitment: decodeCommitment,
  package: (body) => decodePackage(curve, 2, body),
  reveal: decodeReveal,
  echo: decodeEcho,
  share: (body) => decodeShare(curve, body),
  finish: decodeFinish,
  complaint: (body) => decodeComplaint(body, PARTY_COUNT),
};

before(() => prepareCurves(systemRng));

function samples(): Readonly<Record<string, Uint8Array>> {
  const suite = suiteOf("FROST-ED25519-SHA512-v1");
  const dealing = deal({ suite, context: systemRng(32), dealer: 1, parties: [1, 2], threshold: 2, rng: systemRng });
  const share = curve.randomScalar(systemRng);
  return {
    commitment: dealing.commitment,
    package: dealing.encodedPackage,
    reveal: encodeReveal(dealing),
    echo: encodeEcho(systemRng(32)),
    share: encodeShare({ tau: systemRng(32), from: 1, to: 2, share }),
    finish: encodeFinish(systemRng(64)),
    complaint: encodeComplaint({ renunciation: systemRng(64), messages: [quote(), quote()] }),
  };
}

function quote(): SignedMessage {
  return { header: systemRng(100), body: systemRng(60), signature: systemRng(64) };
}

test("what is encoded decodes to itself", () => {
  const { package: encoded = new Uint8Array(0) } = samples();
  assert.deepEqual(encodePackage(decodePackage(curve, 2, encoded)), encoded);
  const share = { tau: systemRng(32), from: 1, to: 2, share: curve.randomScalar(systemRng) };
  assert.deepEqual(decodeShare(curve, encodeShare(share)), share);
  const complaint = { renunciation: systemRng(64), messages: [quote(), quote(), quote()] };
  assert.deepEqual(decodeComplaint(encodeComplaint(complaint), PARTY_COUNT), complaint);
  const reveal = { salt: systemRng(32), encodedPackage: systemRng(99) };
  assert.deepEqual(decodeReveal(encodeReveal(reveal)), reveal);
});

test("a byte less or a byte more is refused everywhere", () => {
  for (const [name, bytes] of Object.entries(samples())) {
    const decode = DECODERS[name];
    assert.ok(decode);
    decode(bytes);
    // A reveal's package is opaque until its hash was checked; its length is the package's affair.
    if (name === "reveal") continue;
    assert.throws(() => decode(bytes.subarray(0, -1)), MALFORMED, name);
    assert.throws(() => decode(concatBytes(bytes, Uint8Array.of(0))), MALFORMED, name);
  }
});

test("a kind byte that is neither message nor complaint is refused", () => {
  for (const name of ["reveal", "echo", "share", "finish", "complaint"]) {
    const body = samples()[name]?.with(0, 2);
    assert.ok(body);
    assert.throws(() => DECODERS[name]?.(body), MALFORMED, name);
  }
});

test("another number of commitments than the threshold is refused by its own code", () => {
  const { package: encoded = new Uint8Array(0) } = samples();
  for (const count of [0, 1, 3])
    assert.throws(() => decodePackage(curve, 2, concatBytes(u16be(count), encoded.subarray(2))), {
      code: "keygen_degree_wrong",
    });
});

test("a complaint that quotes more messages, or longer headers, than an honest one can is refused", () => {
  const complaint = (messages: readonly SignedMessage[]) => encodeComplaint({ renunciation: systemRng(64), messages });
  const many = Array.from({ length: 2 * PARTY_COUNT + 1 }, quote);

  assert.throws(() => decodeComplaint(complaint(many), PARTY_COUNT), MALFORMED);
  assert.throws(() => decodeComplaint(complaint([{ ...quote(), header: systemRng(129) }]), PARTY_COUNT), MALFORMED);
  decodeComplaint(complaint(many.slice(1)), PARTY_COUNT);
});

test("no bytes at all make a decoder fail otherwise than by an abort", () => {
  const body = fc.uint8Array({ maxLength: 400 });
  fc.assert(
    fc.property(fc.constantFrom(...Object.values(DECODERS)), fc.constantFrom(0, 1, 2), body, (decode, kind, bytes) => {
      try {
        decode(bytes.length > 0 ? bytes.with(0, kind) : bytes);
      } catch (error) {
        assert.ok(error instanceof ProtocolAbort, String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});
