import assert from "node:assert/strict";
import { sign } from "node:crypto";
import { test } from "node:test";
import { base64url, concatBytes, hex, lengthPrefixed, sha256, u64be, utf8 } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import { deriveId } from "@countersign/intent";
import { p256 } from "@noble/curves/nist.js";
import fc from "fast-check";
import { actionDigest } from "./action-digest.ts";
import { authorize } from "./authorize.ts";
import { CredentialKey } from "./credential-key.ts";
import type { Evidence } from "./evidence.ts";
import type { Application, AuthorityState, Credential, Organisation, Principal } from "./state.ts";
import { fixture, freshP256Key, NOW, PATH, PAYLOAD, seededKey, spkiOf } from "./testing/fixture.ts";
import { refused } from "./testing/refused.ts";

const { approve, ids, state, descriptor } = fixture();
const clock = { now: NOW };
const judge = (evidence: Evidence, by: AuthorityState = state) => authorize(evidence, by, clock);

/** The state with one record of the organisation bent. */
function withRecord(bend: (organisation: Organisation) => Partial<Organisation>): AuthorityState {
  const organisation = state.organisations.get(ids.orgId);
  assert.ok(organisation);
  return { ...state, organisations: new Map([[ids.orgId, { ...organisation, ...bend(organisation) }]]) };
}
const withCredential = (change: Partial<Credential>) =>
  withRecord(({ credentials }) => ({
    credentials: new Map([...credentials].map(([id, one]) => [id, { ...one, ...change }])),
  }));
const withPrincipal = (change: Partial<Principal>) =>
  withRecord(({ principals }) => ({
    principals: new Map([...principals].map(([id, one]) => [id, { ...one, ...change }])),
  }));
const withApplication = (change: Partial<Application>) =>
  withRecord(({ applications }) => ({
    applications: new Map([...applications].map(([id, one]) => [id, { ...one, ...change }])),
  }));

test("an approval by an Ed25519 key is understood: who, through what, and what it means", () => {
  const evidence = approve();

  const approval = judge(evidence);

  assert.deepEqual(approval, {
    c: actionDigest({ ...evidence, deploymentId: "dep-test" }),
    intent: {
      kind: "sign",
      keyId: "key-aaaaa-bbbbb-cccccccccccccccc",
      signatureId: deriveId("signature", approval.c, 0),
      body: { kind: "Hash", hash: new Uint8Array(32).fill(0x11) },
    },
    orgId: ids.orgId,
    principalId: ids.principalId,
    appId: ids.appId,
    credId: ids.credId,
  });
});

test("an approval by a P-256 key is understood", () => {
  const network = fixture(freshP256Key());
  const payload = '{"scheme":"EdDSA","curve":"ed25519"}';

  const { intent } = authorize(network.approve({ path: "/keys", payload }), network.state, clock);

  assert.equal(intent.kind, "create-key");
});

test("step 1: evidence of a wrong shape is refused", () => {
  refused(() => judge({ ...approve(), nonce: new Uint8Array(31) }), "evidence_malformed");
  refused(() => judge(approve({ payload: `"${"x".repeat(262_144)}"` })), "evidence_malformed");
});

test("step 1: a payload that two parsers could read differently is refused, although it was signed (U1)", () => {
  const hash = `"hash":"0x${"11".repeat(32)}"`;
  const payloads = [
    `{"kind":"Hash",${hash},${hash}}`,
    `{"kind":"Hash",${hash}} x`,
    `{"kind":"Hash",${hash},"n":9007199254740993}`,
    `{"kind":"Hash",${hash},"n":1.0}`,
    `{"kind":"Hash",${hash},"s":"\\ud800"}`,
    "",
  ];
  for (const payload of payloads) refused(() => judge(approve({ payload })), "encoding_invalid", payload);
});

test("step 1: clientData with a duplicate member is refused, although it was signed", () => {
  const challenge = base64url(judge(approve()).c);
  const clientDataBytes = utf8(`{"type":"key.create","type":"key.get","challenge":"${challenge}"}`);
  refused(() => judge(approve({ clientDataBytes })), "encoding_invalid");
  refused(() => judge(approve({ clientDataBytes: utf8(`{"type":"key.get"}`) })), "client_data_malformed");
});

test("step 2: an assertion of another type is refused (A10)", () => {
  for (const type of ["key.create", "webauthn.get", "key.get ", "KEY.GET", ""])
    refused(() => judge(approve({ clientData: { type } })), "ceremony_unexpected", type);
});

test("step 2: a valid assertion over another request is refused, whichever field differs (U6)", () => {
  const evidence = approve();
  const others: Partial<Evidence>[] = [
    { method: "PUT" },
    { path: `${PATH}?x=1` },
    { path: "/keys/key-aaaaa-bbbbb-dddddddddddddddd/signatures" },
    { payload: PAYLOAD.replace("11", "12") },
    { payload: `${PAYLOAD} ` },
    { nonce: new Uint8Array(32).fill(6) },
    { expiresAtMs: NOW + 60_001 },
    { orgId: "or-other" },
    { principalId: "us-other" },
    { appId: "ap-other" },
  ];
  for (const other of others)
    refused(() => judge({ ...evidence, ...other }), "challenge_mismatch", Object.keys(other).join());
});

test("step 2: a valid assertion for another deployment is refused", () => {
  refused(() => judge(approve({ deploymentId: "dep-other" })), "challenge_mismatch");
});

test("step 2: an old valid assertion over a live challenge's place is refused (A1)", () => {
  const old = approve({ nonce: new Uint8Array(32).fill(4) });
  refused(() => judge({ ...approve(), assertion: old.assertion }), "challenge_mismatch");
});

test("step 2: the challenge is compared to the letter: padded, twice encoded and shortened ones are refused", () => {
  const challenge = base64url(judge(approve()).c);
  const spellings = [
    `${challenge}=`,
    base64url(utf8(challenge)),
    challenge.slice(0, -1),
    challenge.toLowerCase(),
    "",
    `${challenge}\n`,
  ];
  for (const other of spellings)
    refused(() => judge(approve({ clientData: { challenge: other } })), "challenge_mismatch", other);
});

test("step 2: an assertion for another ceremony, made over the same fields, is refused (A10)", () => {
  const evidence = approve();
  for (const label of ["countersign/login/v1", "countersign/register/v1", "countersign/recover/v1"]) {
    const { orgId, principalId, appId, nonce, expiresAtMs } = evidence;
    const other = sha256(
      concatBytes(lengthPrefixed(label, "dep-test", orgId, principalId, appId, "", nonce), u64be(expiresAtMs)),
    );
    refused(() => judge(approve({ clientData: { challenge: base64url(other) } })), "challenge_mismatch", label);
  }
});

test("step 2: an unknown organisation is refused", () => {
  refused(() => judge(approve({ orgId: "or-other" })), "organisation_unknown");
  refused(() => judge(approve({ orgId: "constructor" })), "organisation_unknown");
});

test("step 2: an application that is unknown or was deactivated is refused (T6)", () => {
  refused(() => judge(approve({ appId: "ap-other" })), "application_unknown");
  refused(() => judge(approve(), withApplication({ active: false })), "application_unknown");
});

test("step 2: an origin is let through where none is pinned, and compared to the letter where one is (A3)", () => {
  const pinned = withApplication({ origins: ["https://app.example.com"] });
  judge(approve({ clientData: { origin: "https://anywhere.example", crossOrigin: false } }));
  judge(approve({ clientData: { origin: "https://app.example.com" } }), pinned);
  judge(approve(), pinned);
  const others = [
    "https://app.example.com.evil.io",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://app.example.com/",
    "https://APP.example.com",
    "null",
    "",
  ];
  for (const origin of others)
    refused(() => judge(approve({ clientData: { origin } }), pinned), "origin_unexpected", origin);
});

test("step 2: an assertion made in a foreign frame is refused", () => {
  refused(() => judge(approve({ clientData: { crossOrigin: true } })), "origin_unexpected");
});

test("members of clientData that nobody knows are let through", () => {
  judge(approve({ clientData: { other_keys_can_be_added_here: "by browsers" } }));
});

test("step 4: a principal that is unknown or was deactivated is refused (T3)", () => {
  refused(() => judge(approve({ principalId: "us-other" })), "principal_unknown");
  refused(() => judge(approve(), withPrincipal({ active: false })), "principal_unknown");
});

test("step 4: a credential of nobody is refused (U7)", () => {
  refused(() => judge(approve({ credId: "other" })), "credential_unknown");
  refused(() => judge(approve({ credId: "__proto__" })), "credential_unknown");
});

test("step 4: a credential of another principal of the organisation is refused (U5)", () => {
  refused(() => judge(approve(), withCredential({ principalId: "us-other" })), "credential_foreign");
});

test("step 4: a deactivated credential is refused (T3)", () => {
  refused(() => judge(approve(), withCredential({ active: false })), "credential_inactive");
});

test("step 4: a kind other than the record's is refused (A7)", () => {
  for (const kind of ["Fido2", "RecoveryKey", "PasswordProtectedKey", "key"])
    refused(() => judge(approve({ kind })), "credential_kind_mismatch", kind);
});

test("step 4: a signature by any other key, or over other bytes, is refused", () => {
  const evidence = approve();
  const { clientData, signature } = evidence.assertion;
  const bend = (change: Partial<Evidence["assertion"]>) => () =>
    judge({ ...evidence, assertion: { ...evidence.assertion, ...change } });
  const byOther = new Uint8Array(sign(null, clientData, seededKey(2)));

  refused(bend({ signature: byOther }), "assertion_invalid");
  refused(bend({ signature: signature.with(0, (signature[0] ?? 0) ^ 1) }), "assertion_invalid");
  refused(bend({ signature: new Uint8Array(0) }), "assertion_invalid");
  refused(bend({ signature: new Uint8Array(64) }), "assertion_invalid");
  // The same members in other bytes: the received bytes are what must have been signed.
  refused(bend({ clientData: concatBytes(clientData, utf8(" ")) }), "assertion_invalid");
});

test("step 4: the algorithm is the record's: a P-256 signature for an Ed25519 record, and the reverse, are refused (A7)", () => {
  const p256Key = freshP256Key();
  const record = withCredential({ key: new CredentialKey(spkiOf(p256Key)) });
  const evidence = approve();

  refused(() => judge(evidence, record), "assertion_invalid");
  const signature = new Uint8Array(sign("sha256", evidence.assertion.clientData, p256Key));
  refused(() => judge({ ...evidence, assertion: { ...evidence.assertion, signature } }), "assertion_invalid");
});

test("a second P-256 signature over one approval is the same approval: C, not signature bytes, tells approvals apart (A9)", () => {
  const network = fixture(freshP256Key());
  const evidence = network.approve();
  const { r, s } = p256.Signature.fromBytes(evidence.assertion.signature, "der");
  const flipped = new p256.Signature(r, p256.Point.CURVE().n - s).toBytes("der");
  const twin = { ...evidence, assertion: { ...evidence.assertion, signature: flipped } };

  assert.equal(hex(authorize(twin, network.state, clock).c), hex(authorize(evidence, network.state, clock).c));
});

test("step 5: an approval is good until the millisecond before its end (U4)", () => {
  const evidence = approve({ expiresAtMs: NOW + 60_000 });

  authorize(evidence, state, { now: NOW + 59_999 });
  refused(() => authorize(evidence, state, { now: NOW + 60_000 }), "approval_expired");
});

test("step 5: an approval that ends more than five minutes ahead is refused (U4)", () => {
  judge(approve({ expiresAtMs: NOW + 300_000 }));
  refused(() => judge(approve({ expiresAtMs: NOW + 300_001 })), "approval_expiry_too_far");
  refused(() => judge(approve({ expiresAtMs: Number.MAX_SAFE_INTEGER })), "approval_expiry_too_far");
});

test("step 5: a request taken in while fresh is judged by that time, and never by a later one than now", () => {
  const evidence = approve({ expiresAtMs: NOW + 60_000 });

  authorize(evidence, state, { now: NOW + 3_600_000, seenAt: NOW });
  refused(() => authorize(evidence, state, { now: NOW + 3_600_000, seenAt: NOW + 60_000 }), "approval_expired");
  refused(
    () => authorize(approve({ expiresAtMs: NOW + 300_001 }), state, { now: NOW, seenAt: NOW + 1_000 }),
    "approval_expiry_too_far",
  );
});

test("step 5: a credential that nobody confirmed approves nothing", () => {
  refused(() => judge(approve(), withCredential({ confirmed: false })), "credential_unconfirmed");
});

test("step 6: what is no operation, or an operation with another body, is refused although it was signed (U2)", () => {
  refused(() => judge(approve({ path: `${PATH}/` })), "operation_unknown");
  refused(() => judge(approve({ path: PATH.replace("/signatures", "/../signatures") })), "operation_unknown");
  refused(() => judge(approve({ method: "PUT" })), "operation_unknown");
  refused(() => judge(approve({ payload: '{"kind":"Hash"}' })), "payload_invalid");
  refused(() => judge(approve({ payload: '{"kind":"Psbt","psbt":"0x"}' })), "signature_kind_not_supported");
});

test("step 7: a principal needs the operation's own permission", () => {
  const keys = withPrincipal({ permissions: new Set(["Keys:Create"]) });
  const signatures = withPrincipal({ permissions: new Set(["Keys:Signatures:Create"]) });
  const create = approve({ path: "/keys", payload: '{"scheme":"EdDSA","curve":"ed25519"}' });

  judge(create, keys);
  judge(approve(), signatures);
  refused(() => judge(create, signatures), "permission_missing");
  refused(() => judge(approve(), keys), "permission_missing");
  refused(() => judge(approve(), withPrincipal({ permissions: new Set() })), "permission_missing");
});

test("the steps run in the order of the threat model: evidence wrong in several ways fails at the first", () => {
  const bad = withRecord((organisation) => ({
    ...withPrincipal({ permissions: new Set() }).organisations.get(ids.orgId),
    credentials: new Map([...organisation.credentials].map(([id, one]) => [id, { ...one, confirmed: false }])),
  }));
  const late = { now: NOW + 60_000 };
  const wrong = { path: "/nothing", payload: "{" };
  const judged =
    (evidence: Evidence, by: AuthorityState, at = late) =>
    () =>
      authorize(evidence, by, at);
  const signedWrong = approve({ path: "/nothing" });
  const forged = { ...signedWrong, assertion: { ...signedWrong.assertion, signature: new Uint8Array(64) } };

  refused(judged({ ...approve(wrong), nonce: new Uint8Array(0) }, bad), "evidence_malformed", "shape before parsing");
  refused(judged(approve({ ...wrong, clientData: { type: "x" } }), bad), "encoding_invalid", "parsing before ceremony");
  refused(
    judged(approve({ path: "/nothing", clientData: { type: "x" } }), bad),
    "ceremony_unexpected",
    "ceremony first",
  );
  refused(judged({ ...signedWrong, appId: "ap-x" }, bad), "challenge_mismatch", "challenge before the records");
  refused(judged(forged, bad), "assertion_invalid", "signature before the clock");
  refused(judged(signedWrong, bad), "approval_expired", "clock before confirmation");
  refused(judged(signedWrong, bad, clock), "credential_unconfirmed", "confirmation before meaning");
  refused(
    judged(signedWrong, withPrincipal({ permissions: new Set() }), clock),
    "operation_unknown",
    "meaning before permission",
  );
  refused(judged(approve(), withPrincipal({ permissions: new Set() }), clock), "permission_missing", "permission last");
});

test("judging changes neither evidence nor state, and twice gives the same", () => {
  const evidence = approve();
  const before = structuredClone(evidence);

  assert.deepEqual(judge(evidence), judge(evidence));
  assert.deepEqual(evidence, before);
  assert.deepEqual(state.deploymentHead, descriptor.hash);
});

test("any evidence is judged or refused with a typed error, and nothing but the whole approval passes", () => {
  const good = approve();
  const text = fc.oneof(
    fc.string(),
    fc.constantFrom(good.orgId, good.path, good.payload, good.assertion.credId, "POST", "Key", "__proto__"),
  );
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.constantFrom(good.nonce, good.assertion.clientData, good.assertion.signature),
  );
  const mutations = fc.record(
    {
      orgId: text,
      principalId: text,
      appId: text,
      method: text,
      path: text,
      payload: text,
      nonce: bytes,
      expiresAtMs: fc.oneof(fc.double(), fc.integer(), fc.constant(good.expiresAtMs)),
      assertion: fc
        .record({ kind: text, credId: text, clientData: bytes, signature: bytes }, { requiredKeys: [] })
        .map((change) => ({ ...good.assertion, ...change })),
    },
    { requiredKeys: [] },
  );
  const isGood = (one: Evidence) => {
    try {
      assert.deepEqual(one, good);
      return true;
    } catch {
      // Different evidence is the other answer of this question.
      return false;
    }
  };
  fc.assert(
    fc.property(mutations, (mutation) => {
      const evidence = { ...good, ...mutation };
      try {
        judge(evidence);
      } catch (error) {
        assert.ok(error instanceof CountersignError, String(error));
        return;
      }
      assert.ok(isGood(evidence));
    }),
    { numRuns: 2_000 },
  );
});
