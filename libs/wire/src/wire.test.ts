import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Evidence } from "@countersign/authority";
import { EvidenceSchema } from "@countersign/proto/evidence";
import { AcknowledgementSchema, SessionDescriptorSchema } from "@countersign/proto/session";
import { PartialSchema } from "@countersign/proto/signer";
import type { SchnorrPartial } from "@countersign/threshold";
import { evidenceFromWire, evidenceToWire } from "./evidence.ts";
import { certificateFromWire, certificateToWire, keyFromWire } from "./key.ts";
import { partialFromWire, partialToWire } from "./partial.ts";
import { type Session, sessionFromWire, sessionToWire } from "./session.ts";

const MALFORMED = { code: "message_malformed" };
const bytes = (size: number, fill = size) => new Uint8Array(size).fill(fill);

const evidence: Evidence = {
  orgId: "or-1",
  principalId: "us-1",
  appId: "ap-1",
  method: "POST",
  path: "/keys",
  payload: '{"a":1}',
  nonce: bytes(32),
  expiresAtMs: 1_767_225_600_000,
  assertion: { kind: "Key", credId: "cred", clientData: bytes(9), signature: bytes(64) },
};
const session: Session = {
  sessionId: bytes(32, 1),
  attempt: 2,
  parties: [1, 3],
  organisationHead: bytes(32, 2),
  deploymentHead: bytes(32, 3),
};
const partial: SchnorrPartial = {
  packageHash: bytes(32, 1),
  commitments: [{ header: bytes(5), body: bytes(7), signature: bytes(64) }],
  z: bytes(32, 2),
  signature: bytes(64, 3),
};

test("evidence comes back as it was sent", () => {
  const sent = toBinary(EvidenceSchema, evidenceToWire(evidence));

  assert.deepEqual(evidenceFromWire(fromBinary(EvidenceSchema, sent)), evidence);
});

test("evidence without its assertion, with a time beyond 2^53, or absent is refused", () => {
  const { assertion: _, ...rest } = evidenceToWire(evidence);

  assert.throws(() => evidenceFromWire(undefined), MALFORMED);
  assert.throws(() => evidenceFromWire(create(EvidenceSchema, rest)), MALFORMED);
  assert.throws(() => evidenceFromWire({ ...evidenceToWire(evidence), expiresAtMs: 2n ** 53n }), MALFORMED);
  assert.equal(evidenceFromWire({ ...evidenceToWire(evidence), expiresAtMs: 2n ** 53n - 1n }).expiresAtMs, 2 ** 53 - 1);
});

test("a session comes back as it was sent, and one of another form is refused", () => {
  const sent = sessionToWire(session);
  assert.deepEqual(
    sessionFromWire(fromBinary(SessionDescriptorSchema, toBinary(SessionDescriptorSchema, sent))),
    session,
  );

  const bad: Partial<typeof sent>[] = [
    { sessionId: bytes(31) },
    { organisationHead: bytes(33) },
    { deploymentHead: bytes(0) },
    { parties: [] },
    { parties: [0, 1] },
    { parties: [1, 1] },
    { parties: [3, 1] },
  ];
  for (const change of bad)
    assert.throws(() => sessionFromWire({ ...sent, ...change }), MALFORMED, JSON.stringify(change));
  assert.throws(() => sessionFromWire(undefined), MALFORMED);
});

test("a partial comes back as it was sent, and one of another scheme or size is refused", () => {
  const sent = partialToWire(partial);
  assert.deepEqual(partialFromWire(fromBinary(PartialSchema, toBinary(PartialSchema, sent))), partial);

  assert.throws(() => partialFromWire(create(PartialSchema, {})), MALFORMED);
  const [commitment] = partial.commitments;
  assert.ok(commitment !== undefined);
  const bad: Partial<SchnorrPartial>[] = [
    { packageHash: bytes(31) },
    { z: bytes(33) },
    { signature: bytes(63) },
    { commitments: [{ ...commitment, signature: bytes(65) }] },
  ];
  for (const change of bad) assert.throws(() => partialFromWire(partialToWire({ ...partial, ...change })), MALFORMED);
});

test("acknowledgements come back ascending and of their size, none as none", () => {
  const certificate = [1, 2, 3].map((party) => ({ party, signature: bytes(64, party) }));

  assert.deepEqual(certificateFromWire(certificateToWire(certificate)), certificate);
  assert.deepEqual(certificateFromWire([]), []);
  assert.throws(() => certificateFromWire(certificateToWire(certificate.toReversed())), MALFORMED);
  assert.throws(
    () => certificateFromWire([create(AcknowledgementSchema, { party: 1, signature: bytes(63) })]),
    MALFORMED,
  );
});

test("a key that is absent, of an unknown suite or with digests of another size is refused", () => {
  const key = {
    $typeName: "countersign.common.v1.PublicKeyPackage" as const,
    keyId: "key-1",
    suite: "FROST-ED25519-SHA512-v1",
    epoch: 0,
    threshold: 2,
    commitments: [bytes(32), bytes(32)],
    chainCodeHash: bytes(32),
    tau: bytes(32),
    certificate: [],
  };

  assert.throws(() => keyFromWire(undefined, 3), MALFORMED);
  assert.throws(() => keyFromWire({ ...key, suite: "FROST-P256-SHA256-v1" }, 3), MALFORMED);
  assert.throws(() => keyFromWire({ ...key, chainCodeHash: bytes(31) }, 3), MALFORMED);
  assert.throws(() => keyFromWire({ ...key, tau: bytes(33) }, 3), MALFORMED);
});
