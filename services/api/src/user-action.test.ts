import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { after, afterEach, before, test } from "node:test";
import { actionDigest } from "@countersign/authority";
import { base64url, decodeBase64url } from "@countersign/bytes";
import { deriveId } from "@countersign/intent";
import { KeySigner } from "@countersign/sdk";
import { Compile } from "typebox/compile";
import { ActionChallenge } from "./actions/action-schema.ts";
import { sweep } from "./housekeeping.ts";
import { type Answer, TestApi } from "./testing/test-api.ts";

const BODY = '{"scheme":"EdDSA","curve":"ed25519","name":"a"}';

let api: TestApi;
before(async () => {
  api = await TestApi.start();
});
after(() => api.close());
afterEach(() => {
  api.clockAheadMs = 0;
});

function code(answer: Answer): [number, string] {
  return [answer.status, answer.json.error?.code];
}

test("a challenge answers the digest of the request, and everything to recompute it", async () => {
  const { status, json } = await api.init("POST", "/keys", BODY);

  assert.equal(status, 200);
  assert.deepEqual([...Compile(ActionChallenge).Errors(json)], []);
  const { nonce, expiresAt, v, label, ...fields } = json.countersign;
  assert.deepEqual([v, label], [1, "countersign/user-action/v1"]);
  const c = actionDigest({ ...fields, payload: BODY, nonce: decodeBase64url(nonce), expiresAtMs: expiresAt });
  assert.equal(json.challenge, base64url(c));
  assert.deepEqual(json.allowCredentials, { key: [{ type: "public-key", id: api.alice.signer.credId }], webauthn: [] });
  assert.equal(json.externalAuthenticationUrl, "");
  assert.ok(expiresAt <= Date.now() + 240_000);
  assert.equal(fields.principalId, api.alice.principalId);
  assert.equal(fields.appId, api.alice.appId);
});

test("the id of a new key is the one that the approval determines", async () => {
  const challenge = await api.init("POST", "/keys", BODY);
  const userAction = (await api.complete(challenge)).json.userAction;

  const key = await api.call("POST", "/keys", { body: BODY, userAction });

  assert.equal(key.json.id, deriveId("key", decodeBase64url(challenge.json.challenge), 0));
});

test("what cannot be approved is refused before anybody is asked to approve it", async () => {
  const key = await api.createKey();
  const schnorr = await api.createKey("Schnorr");
  const path = `/keys/${key.json.id}/signatures`;
  const hash = `0x${"11".repeat(32)}`;
  const bad: [string, string, string, [number, string]][] = [
    ["POST", "/nothing", "{}", [404, "operation_unknown"]],
    ["DELETE", "/keys", "{}", [404, "operation_unknown"]],
    ["POST", "/keys", "", [400, "encoding_invalid"]],
    ["POST", "/keys", '{"scheme":"EdDSA","scheme":"EdDSA","curve":"ed25519"}', [400, "encoding_invalid"]],
    ["POST", "/keys", '{"scheme":"EdDSA","curve":"ed25519","orgId":"or-1"}', [400, "payload_invalid"]],
    ["POST", "/keys", '{"scheme":"EdDSA","curve":"ed25519","__proto__":{"name":"x"}}', [400, "payload_invalid"]],
    ["POST", "/keys", '{"scheme":"EdDSA","curve":"ed25519","status":"Active"}', [400, "payload_invalid"]],
    ["POST", "/keys", '{"scheme":"EdDSA","curve":"ed25519","delegateTo":"us-1"}', [400, "option_not_supported"]],
    ["POST", "/keys", '{"scheme":"EdDSA","curve":"ed25519","name":"a\\u0000"}', [400, "text_not_storable"]],
    ["POST", "/keys", '{"scheme":"ECDSA","curve":"stark"}', [400, "scheme_not_supported"]],
    ["POST", path, '{"kind":"Transaction","transaction":"0x00"}', [400, "signature_kind_not_supported"]],
    ["POST", path, `{"kind":"Hash","hash":"${hash.toUpperCase()}"}`, [400, "encoding_invalid"]],
    ["POST", path, `{"kind":"Hash","hash":"${hash}","taprootMerkleRoot":""}`, [400, "key_unfit"]],
    ["POST", path, `{"kind":"Hash","hash":"${hash}","externalId":"\\u0000"}`, [400, "text_not_storable"]],
    ["POST", `/keys/${schnorr.json.id}/signatures`, '{"kind":"Message","message":"0x00"}', [400, "key_unfit"]],
    [
      "POST",
      "/keys/key-aaaaa-aaaaa-aaaaaaaaaaaaaaaa/signatures",
      `{"kind":"Hash","hash":"${hash}"}`,
      [404, "key_unknown"],
    ],
  ];

  for (const [method, request, payload, expected] of bad)
    assert.deepEqual(code(await api.init(method, request, payload)), expected, `${method} ${request} ${payload}`);
});

test("members that the API does not know are refused, prototypes included", async () => {
  const init = { userActionPayload: BODY, userActionHttpMethod: "POST", userActionHttpPath: "/keys" };
  const bad = [
    JSON.stringify({ ...init, orgId: "or-1" }),
    `{"__proto__":{"admin":true},${JSON.stringify(init).slice(1)}`,
    `{"constructor":{},${JSON.stringify(init).slice(1)}`,
    JSON.stringify({ ...init, userActionServerKind: "Staff" }),
    JSON.stringify({ ...init, userActionHttpMethod: "post" }),
    JSON.stringify({ ...init, userActionPayload: 1 }),
    JSON.stringify({ ...init, userActionPayload: undefined }),
    "[]",
    "null",
    '"text"',
  ];

  for (const body of bad)
    assert.deepEqual(code(await api.call("POST", "/auth/action/init", { body })), [400, "request_invalid"], body);
  assert.equal(Object.hasOwn(Object.prototype, "admin"), false);
});

test("another spacing or order of the body executes the string that was signed", async () => {
  const userAction = await api.approve("POST", "/keys", BODY);

  const answer = await api.call("POST", "/keys", {
    body: '{ "name": "a",\n "curve": "ed25519", "scheme": "EdDSA" }',
    userAction,
  });

  assert.equal(answer.status, 200);
  assert.equal(answer.json.name, "a");
});

test("another value, member, number form or a duplicate key in the body is refused", async () => {
  const bodies: [string, [number, string]][] = [
    ['{"scheme":"EdDSA","curve":"ed25519","name":"b"}', [401, "user_action_mismatch"]],
    ['{"scheme":"EdDSA","curve":"ed25519"}', [401, "user_action_mismatch"]],
    ['{"scheme":"EdDSA","curve":"ed25519","name":"a","storeId":"x"}', [401, "user_action_mismatch"]],
    ['{"scheme":"EdDSA","curve":"ed25519","name":["a"]}', [401, "user_action_mismatch"]],
    ['{"scheme":"EdDSA","curve":"ed25519","name":null}', [401, "user_action_mismatch"]],
    ["[]", [401, "user_action_mismatch"]],
    ['{"scheme":"EdDSA","curve":"ed25519","name":"b","name":"a"}', [400, "encoding_invalid"]],
    ['{"scheme":"EdDSA","curve":"ed25519","name":1.0}', [400, "encoding_invalid"]],
    ['{"scheme":"EdDSA","curve":"ed25519","name":"a"}x', [400, "encoding_invalid"]],
  ];

  for (const [body, expected] of bodies) {
    const before = api.orchestrator.calls.createKey;
    const userAction = await api.approve("POST", "/keys", BODY);
    assert.deepEqual(code(await api.call("POST", "/keys", { body, userAction })), expected, body);
    assert.equal(api.orchestrator.calls.createKey, before);
  }
});

test("an escape that spells the same value is the same value", async () => {
  const userAction = await api.approve("POST", "/keys", BODY);

  const answer = await api.call("POST", "/keys", { body: BODY.replace('"a"', '"\\u0061"'), userAction });

  assert.equal(answer.status, 200);
});

test("an approval for one path opens no other, however it is spelt", async () => {
  const one = (await api.createKey()).json.id;
  const two = (await api.createKey()).json.id;
  const body = '{"kind":"Message","message":"0x00"}';
  const paths = [
    `/keys/${two}/signatures`,
    `/keys/${one}/../${two}/signatures`,
    `/keys/${one}/%2e%2e/${two}/signatures`,
    `/keys/${one}%2F..%2F${two}/signatures`,
    `//keys/${one}/signatures`,
    `/keys//${one}/signatures`,
    `/keys/${one}/signatures/`,
    `/keys/${one}/signatures;x`,
    `/keys/${one}/signatures%20`,
    `/KEYS/${one}/signatures`,
    `/keys/${one.toUpperCase()}/signatures`,
    `/%6beys/${one}/signatures`,
    `/keys/${one}/signatures?force=true`,
    "/keys",
  ];

  for (const path of paths) {
    const before = api.orchestrator.calls.sign + api.orchestrator.calls.createKey;
    const userAction = await api.approve("POST", `/keys/${one}/signatures`, body);
    const answer = await api.call("POST", path, { body, userAction });
    assert.ok([400, 401, 404].includes(answer.status), `${path} ${answer.status}`);
    assert.equal(api.orchestrator.calls.sign + api.orchestrator.calls.createKey, before, path);
  }
  const userAction = await api.approve("POST", `/keys/${one}/signatures`, body);
  const headers = { "x-http-method-override": "GET", "x-method-override": "DELETE" };
  const answer = await api.call("POST", `/keys/${one}/signatures`, { body, userAction, headers });
  assert.equal(answer.status, 200);
});

test("a path that was signed with a query executes the path", async () => {
  const key = (await api.createKey()).json.id;
  const body = '{"kind":"Message","message":"0x00"}';
  const userAction = await api.approve("POST", `/keys/${key}/signatures?force=true`, body);

  const answer = await api.call("POST", `/keys/${key}/signatures`, { body, userAction });

  assert.equal(answer.status, 200);
});

test("a user action is good for one request, also when 64 arrive at once", async () => {
  const path = `/keys/${(await api.createKey()).json.id}/signatures`;
  const body = '{"kind":"Message","message":"0x00"}';
  const before = api.orchestrator.calls.sign;
  const userAction = await api.approve("POST", path, body);

  const answers = await Promise.all(Array.from({ length: 64 }, () => api.call("POST", path, { body, userAction })));
  const later = await api.call("POST", path, { body, userAction });

  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  for (const answer of [...answers.filter(({ status }) => status !== 200), later]) {
    assert.deepEqual(code(answer), [400, "user_action_used"]);
    assert.equal(answer.json.error.message, "user action has already been used");
  }
  assert.equal(api.orchestrator.calls.sign, before + 1);
});

test("a user action survives a restart of the API, and is still good for one request only", async () => {
  const userAction = await api.approve("POST", "/keys", BODY);
  await api.shut();
  await api.open();

  const first = await api.call("POST", "/keys", { body: BODY, userAction });
  await api.shut();
  await api.open();
  const second = await api.call("POST", "/keys", { body: BODY, userAction });

  assert.equal(first.status, 200);
  assert.deepEqual(code(second), [400, "user_action_used"]);
});

test("without a user action nothing is executed", async () => {
  const answer = await api.call("POST", "/keys", { body: BODY });

  assert.deepEqual(code(answer), [403, "user_action_missing"]);
  assert.equal(answer.json.error.message, "user action signature is missing or invalid");
});

test("a user action ends after a minute, a challenge after four", async () => {
  const userAction = await api.approve("POST", "/keys", BODY);
  const challenge = await api.init("POST", "/keys", BODY);

  api.clockAheadMs = 61_000;
  assert.deepEqual(code(await api.call("POST", "/keys", { body: BODY, userAction })), [401, "user_action_invalid"]);
  api.clockAheadMs = 240_001;
  const late = await api.complete(challenge);
  assert.deepEqual(code(late), [400, "challenge_unknown"]);
  assert.equal(late.json.error.message, "Challenge token is not valid.");
});

test("tokens of another caller or organisation are refused", async () => {
  const { alice, bob } = api;
  const userAction = await api.approve("POST", "/keys", BODY, alice);
  const challenge = await api.init("POST", "/keys", BODY, alice);

  const stolen = await api.call("POST", "/keys", { token: bob.token, body: BODY, userAction });
  const completed = await api.complete(challenge, bob);

  assert.deepEqual(code(stolen), [401, "user_action_invalid"]);
  assert.deepEqual(code(completed), [401, "challenge_token_invalid"]);
  assert.equal((await api.call("POST", "/keys", { body: BODY, userAction })).status, 200);
});

test("of two completions of one challenge at once exactly one succeeds", async () => {
  const challenge = await api.init("POST", "/keys", BODY);

  const answers = await Promise.all([api.complete(challenge), api.complete(challenge), api.complete(challenge)]);

  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  for (const answer of answers.filter(({ status }) => status !== 200))
    assert.deepEqual(code(answer), [400, "challenge_unknown"]);
});

test("wrong assertions are refused for what is wrong, and leave the challenge open", async () => {
  const challenge = await api.init("POST", "/keys", BODY);
  const other = await api.init("POST", "/keys", BODY);
  const stranger = new KeySigner({
    privateKey: generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    credId: api.alice.signer.credId,
  });
  const { challengeIdentifier } = challenge.json;
  const assertion = async (signer: KeySigner, signed: string, overrides: object = {}, kind = "Key") => {
    const { clientData, signature } = await signer.sign(signed);
    const credentialAssertion = {
      credId: signer.credId,
      clientData: base64url(clientData),
      signature: base64url(signature),
      ...overrides,
    };
    return api.call("POST", "/auth/action", {
      body: { challengeIdentifier, firstFactor: { kind, credentialAssertion } },
    });
  };
  const { alice, bob } = api;
  const mine = challenge.json.challenge;

  assert.deepEqual(code(await assertion(alice.signer, other.json.challenge)), [401, "challenge_mismatch"]);
  assert.deepEqual(code(await assertion(stranger, mine)), [401, "assertion_invalid"]);
  assert.deepEqual(code(await assertion(bob.signer, mine)), [401, "credential_unknown"]);
  assert.deepEqual(code(await assertion(alice.signer, mine, { credId: "unknown" })), [401, "credential_unknown"]);
  assert.deepEqual(code(await assertion(alice.signer, mine, {}, "Fido2")), [401, "credential_kind_mismatch"]);
  assert.deepEqual(code(await assertion(alice.signer, mine, {}, "RecoveryKey")), [401, "credential_kind_mismatch"]);
  assert.deepEqual(code(await assertion(alice.signer, mine, {}, "Password")), [400, "request_invalid"]);
  assert.deepEqual(code(await assertion(alice.signer, mine, { signature: "AA==" })), [400, "request_invalid"]);
  assert.deepEqual(code(await assertion(alice.signer, mine, { signature: "AB" })), [400, "encoding_invalid"]);
  assert.deepEqual(code(await assertion(alice.signer, mine, { rpId: "x" })), [400, "request_invalid"]);
  const create = Buffer.from(JSON.stringify({ type: "key.create", challenge: mine })).toString("base64url");
  assert.deepEqual(code(await assertion(alice.signer, mine, { clientData: create })), [401, "ceremony_unexpected"]);
  assert.equal((await assertion(alice.signer, mine, { algorithm: "SHA512" })).status, 200);
});

test("one caller holds so many challenges open and no more, and another caller is not touched by it", async () => {
  const { orgId, principalId, appId } = api.alice;
  const row = {
    org_id: orgId,
    principal_id: principalId,
    app_id: appId,
    method: "POST",
    path: "/keys",
    payload: BODY,
    nonce: new Uint8Array(32),
    expires_at: new Date(Date.now() + 60_000),
  };
  const rows = Array.from({ length: 1_000 }, (_, place) => ({ ...row, id: `ch-${place}` }));
  const { database } = api.api;
  await database.inOrganisation(orgId, (transaction) => transaction.insertInto("challenges").values(rows).execute());

  const refused = await api.init("POST", "/keys", BODY);
  const bobs = await api.init("POST", "/keys", BODY, api.bob);

  assert.deepEqual(code(refused), [429, "challenges_too_many"]);
  assert.equal(refused.headers["retry-after"], "1");
  assert.equal(bobs.status, 200);
  api.clockAheadMs = 61_000;
  assert.equal((await api.init("POST", "/keys", BODY)).status, 200);
  await sweep(api.swept);
  api.clockAheadMs = 0;
  assert.equal((await api.init("POST", "/keys", BODY)).status, 200);
});

test("one caller's open challenges hold so many bytes and no more, and another caller is not touched by it", async () => {
  // 127 of them leave room below 16 MiB for what other tests left open; 128 are more than that.
  const large = BODY.replace("{", `{${" ".repeat(131_073 - BODY.length)}`);
  for (let count = 0; count < 127; count++) assert.equal((await api.init("POST", "/keys", large)).status, 200);

  const refused = await api.init("POST", "/keys", large);
  const small = await api.init("POST", "/keys", BODY);
  const bobs = await api.init("POST", "/keys", large, api.bob);

  assert.deepEqual(code(refused), [429, "challenges_too_many"]);
  assert.equal(small.status, 200);
  assert.equal(bobs.status, 200);
  api.clockAheadMs = 4 * 60_000 + 1;
  assert.equal((await api.init("POST", "/keys", large)).status, 200);
  api.clockAheadMs = 9 * 60_000;
  await sweep(api.swept);
  api.clockAheadMs = 0;
  assert.equal((await api.init("POST", "/keys", BODY)).status, 200);
});

test("rows edited by hand grant nothing: evidence is judged anew", async () => {
  const { orgId } = api.alice;
  const { database } = api.api;
  const edits: [string, object, [number, string]][] = [
    ["another payload", { payload: BODY.replace('"a"', '"b"') }, [401, "challenge_mismatch"]],
    ["another path", { path: "/keys?x" }, [401, "challenge_mismatch"]],
    ["another principal", { principal_id: api.bob.principalId }, [401, "challenge_mismatch"]],
    ["a later end", { expires_at: new Date(Date.now() + 299_000) }, [401, "challenge_mismatch"]],
    ["another credential", { cred_id: api.bob.signer.credId }, [401, "credential_unknown"]],
    ["another signature", { assertion_signature: new Uint8Array(64) }, [401, "assertion_invalid"]],
  ];

  for (const [why, edit, expected] of edits) {
    const before = api.orchestrator.calls.createKey;
    const userAction = await api.approve("POST", "/keys", BODY);
    await database.inOrganisation(orgId, (transaction) => transaction.updateTable("user_actions").set(edit).execute());
    assert.deepEqual(code(await api.call("POST", "/keys", { body: BODY, userAction })), expected, why);
    assert.equal(api.orchestrator.calls.createKey, before);
  }
});

test("a whole approval moved to another token's row is refused: the token names the C it stands for", async () => {
  const { orgId } = api.alice;
  const { database } = api.api;
  const other = BODY.replace('"a"', '"other"');
  const first = await api.approve("POST", "/keys", BODY);
  await api.approve("POST", "/keys", other);
  await database.inOrganisation(orgId, async (transaction) => {
    const rows = await transaction.selectFrom("user_actions").selectAll().execute();
    const target = rows.find(({ payload }) => payload === BODY);
    const { id: _, ...source } = rows.find(({ payload }) => payload === other) ?? { id: "" };
    await transaction
      .updateTable("user_actions")
      .set(source)
      .where("id", "=", target?.id ?? "")
      .execute();
  });

  const answer = await api.call("POST", "/keys", { body: other, userAction: first });

  assert.deepEqual(code(answer), [401, "user_action_mismatch"]);
});
