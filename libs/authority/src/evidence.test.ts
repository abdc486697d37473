import assert from "node:assert/strict";
import { test } from "node:test";
import { hex } from "@countersign/bytes";
import fc from "fast-check";
import { type Evidence, evidenceHash, requireEvidenceShape } from "./evidence.ts";
import { fixture } from "./testing/fixture.ts";
import { refused } from "./testing/refused.ts";

const evidence = fixture().approve();
const bent = (change: Partial<Evidence>) => () => requireEvidenceShape({ ...evidence, ...change });
const bentAssertion = (change: Partial<Evidence["assertion"]>) =>
  bent({ assertion: { ...evidence.assertion, ...change } });

test("evidence of an honest client has its shape", () => {
  requireEvidenceShape(evidence);
});

test("ids that are empty, too long or of other characters are refused", () => {
  for (const id of ["", "A", "or 1", "or_1", "or\n", "-or", "x".repeat(65), "é", "../x", "\ud800"]) {
    for (const name of ["orgId", "principalId", "appId"] as const)
      refused(bent({ [name]: id }), "evidence_malformed", `${name} ${id}`);
  }
  bent({ orgId: "x".repeat(64) })();
});

test("methods and paths of other forms are refused", () => {
  for (const method of ["", "post", "POST ", "P0ST", "X".repeat(11)])
    refused(bent({ method }), "evidence_malformed", method);
  for (const path of ["", "keys", "/a b", "/é", "/a\n", `/${"x".repeat(2_048)}`, "/\u0000"])
    refused(bent({ path }), "evidence_malformed", path);
  bent({ path: `/${"x".repeat(2_047)}` })();
});

test("a payload over its bytes of UTF-8 is refused, however few its characters", () => {
  bent({ payload: "x".repeat(262_144) })();
  refused(bent({ payload: "x".repeat(262_145) }), "evidence_malformed");
  refused(bent({ payload: "é".repeat(131_073) }), "evidence_malformed");
});

test("a nonce of another length, and a time that is no whole millisecond of a safe integer, are refused", () => {
  for (const size of [0, 31, 33]) refused(bent({ nonce: new Uint8Array(size) }), "evidence_malformed");
  for (const expiresAtMs of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 2 ** 64])
    refused(bent({ expiresAtMs }), "evidence_malformed", String(expiresAtMs));
});

test("assertion fields that are too long or of other characters are refused", () => {
  for (const kind of ["", "Key ", "x".repeat(33), "Kéy"]) refused(bentAssertion({ kind }), "evidence_malformed", kind);
  for (const credId of ["", "a=", "a+b", "a b", "x".repeat(1_365)])
    refused(bentAssertion({ credId }), "evidence_malformed", credId);
  refused(bentAssertion({ clientData: new Uint8Array(4_097) }), "evidence_malformed");
  refused(bentAssertion({ signature: new Uint8Array(513) }), "evidence_malformed");
  bentAssertion({ clientData: new Uint8Array(4_096), signature: new Uint8Array(512) })();
});

test("every field changes the evidence hash, and no two pieces of evidence share one (P1)", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "\u0000"), maxLength: 2 });
  const bytes = fc.uint8Array({ maxLength: 2, max: 1 });
  const any: fc.Arbitrary<Evidence> = fc.record({
    orgId: text,
    principalId: text,
    appId: text,
    method: text,
    path: text,
    payload: text,
    nonce: bytes,
    expiresAtMs: fc.nat({ max: 2 }),
    assertion: fc.record({ kind: text, credId: text, clientData: bytes, signature: bytes }),
  });
  const spell = (one: Evidence) =>
    JSON.stringify(one, (_, value) => (value instanceof Uint8Array ? hex(value) : value));
  fc.assert(
    fc.property(any, any, (a, b) => {
      assert.equal(hex(evidenceHash(a)) === hex(evidenceHash(b)), spell(a) === spell(b));
    }),
    { numRuns: 2_000 },
  );

  const { assertion } = evidence;
  const changed: Evidence[] = [
    { ...evidence, orgId: "or-x" },
    { ...evidence, principalId: "us-x" },
    { ...evidence, appId: "ap-x" },
    { ...evidence, method: "PUT" },
    { ...evidence, path: "/x" },
    { ...evidence, payload: "{}" },
    { ...evidence, nonce: new Uint8Array(32) },
    { ...evidence, expiresAtMs: 1 },
    { ...evidence, assertion: { ...assertion, kind: "Fido2" } },
    { ...evidence, assertion: { ...assertion, credId: "x" } },
    { ...evidence, assertion: { ...assertion, clientData: new Uint8Array(1) } },
    { ...evidence, assertion: { ...assertion, signature: new Uint8Array(1) } },
  ];
  assert.equal(new Set([evidence, ...changed].map((one) => hex(evidenceHash(one)))).size, changed.length + 1);
});
