import assert from "node:assert/strict";
import { test } from "node:test";
import { base64url, hex } from "@countersign/bytes";
import fc from "fast-check";
import { type ActionFields, actionDigest, challengeMember } from "./action-digest.ts";

/** The fields of the threat model's known answer, 5.1. */
const FIELDS: ActionFields = {
  deploymentId: "dep-test",
  orgId: "or-1",
  principalId: "us-1",
  appId: "ap-1",
  method: "POST",
  path: "/wallets/wa-1/signatures",
  payload: `{"kind":"Hash","hash":"0x${"11".repeat(32)}"}`,
  nonce: Uint8Array.from({ length: 32 }, (_, index) => index),
  expiresAtMs: 1_767_225_600_000,
};

test("C matches the known answer of the threat model, 5.1", () => {
  assert.equal(FIELDS.payload.length, 91);
  assert.equal(base64url(actionDigest(FIELDS)), "u0xSHs-O2TRfRC_EtonagPIfChSdNH467nMttvg6YN4");
});

test("every field changes C", () => {
  const changes: Partial<ActionFields>[] = [
    { deploymentId: "dep-test2" },
    { orgId: "or-2" },
    { principalId: "us-2" },
    { appId: "ap-2" },
    { method: "PUT" },
    { path: "/wallets/wa-2/signatures" },
    { payload: `${FIELDS.payload} ` },
    { nonce: new Uint8Array(32) },
    { expiresAtMs: 1_767_225_600_001 },
  ];
  const digests = changes.map((change) => hex(actionDigest({ ...FIELDS, ...change })));

  assert.equal(new Set([...digests, hex(actionDigest(FIELDS))]).size, changes.length + 1);
});

test("two different lists of fields never have the same C: separators, empty and shifted fields included (P1)", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "/", "\u0000", ":", "é"), maxLength: 4 });
  const fields = fc.record({
    deploymentId: text,
    orgId: text,
    principalId: text,
    appId: text,
    method: text,
    path: text,
    payload: text,
    nonce: fc.uint8Array({ maxLength: 3 }),
    expiresAtMs: fc.nat({ max: 2 }),
  });
  fc.assert(
    fc.property(fields, fields, (a, b) => {
      const spell = (one: ActionFields) => JSON.stringify({ ...one, nonce: hex(one.nonce) });

      assert.equal(hex(actionDigest(a)) === hex(actionDigest(b)), spell(a) === spell(b));
    }),
    { numRuns: 2_000 },
  );
});

test("text moved from the end of one field to the start of the next changes C", () => {
  const shifted: [keyof ActionFields, keyof ActionFields][] = [
    ["deploymentId", "orgId"],
    ["orgId", "principalId"],
    ["principalId", "appId"],
    ["appId", "method"],
    ["method", "path"],
    ["path", "payload"],
  ];
  for (const [left, right] of shifted) {
    const moved = { ...FIELDS, [left]: `${FIELDS[left]}x`, [right]: FIELDS[right] };
    const other = { ...FIELDS, [left]: FIELDS[left], [right]: `x${FIELDS[right]}` };

    assert.notEqual(hex(actionDigest(moved)), hex(actionDigest(other)));
  }
});

test("the challenge member carries every field but the payload", () => {
  assert.deepEqual(challengeMember(FIELDS), {
    v: 1,
    label: "countersign/user-action/v1",
    deploymentId: "dep-test",
    orgId: "or-1",
    principalId: "us-1",
    appId: "ap-1",
    method: "POST",
    path: "/wallets/wa-1/signatures",
    nonce: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
    expiresAt: 1_767_225_600_000,
  });
});
