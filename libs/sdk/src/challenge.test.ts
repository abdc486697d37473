import assert from "node:assert/strict";
import { test } from "node:test";
import { type ActionFields, actionDigest, challengeMember } from "@countersign/authority";
import { base64url, parseJson } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import { type Pins, verifyChallenge } from "./challenge.ts";

const NOW = 1_767_225_600_000;
const REQUEST = { method: "POST", path: "/keys", payload: '{"scheme":"EdDSA","curve":"ed25519"}' };
const FIELDS: ActionFields = {
  deploymentId: "dep-test",
  orgId: "or-1",
  principalId: "us-1",
  appId: "ap-1",
  ...REQUEST,
  nonce: new Uint8Array(32).fill(7),
  expiresAtMs: NOW + 240_000,
};

/** The answer of an API that committed to these fields, bent. */
function answerOf(fields: ActionFields, member: object = {}, answer: object = {}) {
  const countersign = { ...challengeMember(fields), ...member };
  const challenge = base64url(actionDigest(fields));
  return parseJson(JSON.stringify({ challenge, challengeIdentifier: "token", countersign, other: [], ...answer }));
}
const verify = (answer: ReturnType<typeof answerOf>, pins: Pins = {}) => verifyChallenge(answer, REQUEST, pins, NOW);
const refused = (run: () => unknown, context = "") =>
  assert.throws(run, (error) => error instanceof CountersignError && error.code === "challenge_refused", context);

test("a challenge that is the digest of the request is accepted, with all pins right", () => {
  const { deploymentId, orgId, principalId, appId } = FIELDS;

  assert.deepEqual(verify(answerOf(FIELDS), { deploymentId, orgId, principalId, appId }), {
    challenge: base64url(actionDigest(FIELDS)),
    challengeIdentifier: "token",
    c: actionDigest(FIELDS),
  });
});

test("a challenge for another payload is refused, whatever the member says (A11)", () => {
  refused(() => verify(answerOf({ ...FIELDS, payload: '{"scheme":"Schnorr","curve":"secp256k1"}' })));
  refused(() => verify(answerOf({ ...FIELDS, payload: `${FIELDS.payload} ` })));
});

test("a challenge for another method or path is refused, openly told or hidden (A11)", () => {
  for (const other of [{ method: "PUT" }, { path: "/keys/x" }]) {
    refused(() => verify(answerOf({ ...FIELDS, ...other })), "told");
    refused(() => verify(answerOf({ ...FIELDS, ...other }, { method: "POST", path: "/keys" })), "hidden");
    refused(() => verify(answerOf(FIELDS, other)), "only told");
  }
});

test("a challenge whose member differs from what it commits to is refused", () => {
  const others = [
    { deploymentId: "dep-x" },
    { orgId: "or-x" },
    { principalId: "us-x" },
    { appId: "ap-x" },
    { expiresAt: NOW },
  ];
  for (const other of others) refused(() => verify(answerOf(FIELDS, other)), Object.keys(other).join());
  refused(() => verify(answerOf(FIELDS, { nonce: base64url(new Uint8Array(32)) })), "nonce");
});

test("a challenge for another deployment, organisation, principal or application than pinned is refused", () => {
  for (const name of ["deploymentId", "orgId", "principalId", "appId"] as const) {
    refused(() => verify(answerOf(FIELDS), { [name]: "other" }), name);
    refused(() => verify(answerOf({ ...FIELDS, [name]: "other" }), { [name]: FIELDS[name] }), name);
  }
});

test("a challenge that stays valid for more than five minutes is refused: it could be kept and used later", () => {
  verify(answerOf({ ...FIELDS, expiresAtMs: NOW + 300_000 }));
  refused(() => verify(answerOf({ ...FIELDS, expiresAtMs: NOW + 300_001 })));
  refused(() => verify(answerOf({ ...FIELDS, expiresAtMs: Number.MAX_SAFE_INTEGER })));
});

test("a challenge for another ceremony or of another version is refused (A10)", () => {
  refused(() => verify(answerOf(FIELDS, { label: "countersign/login/v1" })));
  refused(() => verify(answerOf(FIELDS, { v: 2 })));
});

test("a random challenge without the member is refused", () => {
  refused(() => verify(parseJson('{"challenge":"Y2gtMDAwMDAtMDAwMDAtdGVzdA","challengeIdentifier":"token"}')));
  refused(() => verify(answerOf(FIELDS, {}, { challenge: "Y2gtMDAwMDAtMDAwMDAtdGVzdA" })));
});

test("a member with something this version does not know is refused: it may change what the nonce stands for", () => {
  refused(() => verify(answerOf(FIELDS, { completion: { bytes: "0x", random: "0x" } })));
});

test("misshapen answers are refused", () => {
  const wrong = [
    { challenge: 1 },
    { challengeIdentifier: "" },
    { challengeIdentifier: null },
    { countersign: [] },
    { countersign: null },
  ];
  for (const one of wrong) refused(() => verify(answerOf(FIELDS, {}, one)), JSON.stringify(one));
  for (const one of [
    { nonce: "AA" },
    { nonce: 7 },
    { expiresAt: "1" },
    { expiresAt: -1 },
    { orgId: "" },
    { appId: null },
  ])
    refused(() => verify(answerOf(FIELDS, one)), JSON.stringify(one));
  refused(() => verify(parseJson("[]")));
  assert.throws(() => verify(answerOf(FIELDS, { nonce: `${"A".repeat(42)}B` })), CountersignError);
});
