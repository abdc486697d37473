import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import { inspect } from "node:util";
import { actionDigest } from "@countersign/authority";
import { CountersignError } from "@countersign/errors";
import { CountersignClient, TRUST_API } from "./client.ts";
import { ApiError } from "./errors.ts";
import { type ActionSigner, KeySigner } from "./key-signer.ts";
import { answer, type Behaviour, KEY_ID, startApi } from "./testing/api-stand-in.ts";

const PEM = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }).toString();
const SIGNATURES = `/keys/${KEY_ID}/signatures`;
const HASH = { kind: "Hash", hash: `0x${"11".repeat(32)}` };

/** A signer that counts how often its key was used. */
function countingSigner() {
  const signer = new KeySigner({ privateKey: PEM, credId: "cred-1" });
  const used: string[] = [];
  const counting: ActionSigner = {
    credId: signer.credId,
    sign: (challenge) => {
      used.push(challenge);
      return signer.sign(challenge);
    },
  };
  return { signer: counting, used };
}

async function setUp(
  behaviour: Behaviour = {},
  options: { timeoutMs?: number; orgId?: string; deploymentId?: string } = {},
) {
  const api = await startApi(behaviour);
  const { signer, used } = countingSigner();
  const client = new CountersignClient({
    apiUrl: api.url,
    token: "secret-token",
    signer,
    descriptor: TRUST_API,
    ...options,
  });
  return { api, client, used, [Symbol.asyncDispose]: () => api[Symbol.asyncDispose]() };
}
const fails = (run: Promise<unknown>, code: string) =>
  assert.rejects(run, (error) => {
    assert.ok(error instanceof CountersignError, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  });

test("a change walks init, approval and request, over one and the same body", async () => {
  await using network = await setUp({}, { orgId: "or-1", deploymentId: "dep-test" });

  const signature = await network.client.sign(KEY_ID, HASH);

  assert.equal(signature.signature?.r, `0x${"11".repeat(32)}`);
  const [init, action, request] = network.api.arrivals;
  assert.deepEqual(
    network.api.arrivals.map(({ method, url }) => `${method} ${url}`),
    ["POST /auth/action/init", "POST /auth/action", `POST ${SIGNATURES}`],
  );
  assert.deepEqual(JSON.parse(init?.body ?? ""), {
    userActionPayload: JSON.stringify(HASH),
    userActionHttpMethod: "POST",
    userActionHttpPath: SIGNATURES,
    userActionServerKind: "Api",
  });
  const approval = JSON.parse(action?.body ?? "");
  assert.equal(approval.challengeIdentifier, "challenge-token");
  assert.equal(approval.firstFactor.kind, "Key");
  assert.equal(approval.firstFactor.credentialAssertion.credId, "cred-1");
  assert.equal(request?.body, JSON.stringify(HASH));
  assert.equal(request?.headers["x-dfns-useraction"], "single-use");
  for (const { headers } of network.api.arrivals) assert.equal(headers.authorization, "Bearer secret-token");
  assert.equal(network.used.length, 1);
});

test("reading needs no approval", async () => {
  await using network = await setUp();

  assert.equal((await network.client.key(KEY_ID)).id, KEY_ID);
  const page = await network.client.keys({ limit: 1, paginationToken: "a+b" });
  assert.deepEqual([page.items.length, page.nextPageToken], [1, "next"]);
  assert.equal((await network.client.signatures(KEY_ID)).items[0]?.status, "Signed");
  assert.deepEqual(
    await network.client.request("GET", "/anything?x=1"),
    Object.assign(Object.create(null), { ok: true }),
  );
  assert.deepEqual(network.used, []);
});

test("a challenge for another request is refused before the key is touched and before anything else is sent (A11)", async () => {
  const hostile: Behaviour[] = [
    { commitTo: { payload: '{"kind":"Hash","hash":"0x22"}' } },
    { commitTo: { path: "/keys/other/signatures" } },
    { commitTo: { orgId: "or-other" } },
    { bend: ({ challenge, challengeIdentifier }) => ({ challenge, challengeIdentifier }) },
    { bend: (good) => ({ ...good, countersign: { ...good.countersign, label: "countersign/login/v1" } }) },
  ];
  for (const behaviour of hostile) {
    await using network = await setUp(behaviour);

    await fails(network.client.sign(KEY_ID, HASH), "challenge_refused");

    assert.deepEqual(network.used, []);
    assert.equal(network.api.arrivals.length, 1);
  }
});

test("a challenge for another organisation or deployment than pinned is refused before the key is touched", async () => {
  for (const pins of [{ orgId: "or-mine" }, { deploymentId: "dep-mine" }]) {
    await using network = await setUp({}, pins);

    await fails(network.client.createKey({ scheme: "EdDSA", curve: "ed25519" }), "challenge_refused");

    assert.deepEqual(network.used, []);
  }
});

test("a challenge dated far ahead is refused before the key is touched", async () => {
  const expiresAtMs = Date.now() + 86_400_000;
  const bend: Behaviour["bend"] = (good) => ({ ...good, countersign: { ...good.countersign, expiresAt: expiresAtMs } });
  await using network = await setUp({ commitTo: { expiresAtMs }, bend });

  await fails(network.client.sign(KEY_ID, HASH), "challenge_refused");

  assert.deepEqual(network.used, []);
});

test("a created key has the id that the approval determines and the approved scheme; any other is refused", async () => {
  await using honest = await setUp();
  await honest.client.createKey({ scheme: "EdDSA", curve: "ed25519" });

  const other = {
    id: KEY_ID,
    scheme: "EdDSA",
    curve: "ed25519",
    publicKey: "ab",
    status: "Active",
    dateCreated: "2026",
  };
  await using hostile = await setUp({ answers: { "POST /keys": (response) => answer(response, 200, other) } });
  await fails(hostile.client.createKey({ scheme: "EdDSA", curve: "ed25519" }), "api_answer_invalid");
  await fails(honest.client.createKey({ scheme: "Schnorr", curve: "secp256k1" }), "api_answer_invalid");
});

test("answers about another key than asked for are refused", async () => {
  const answers = {
    [`GET /keys/${KEY_ID}`]: (response: ServerResponse) =>
      answer(response, 200, {
        id: "key-other",
        scheme: "EdDSA",
        curve: "ed25519",
        publicKey: "ab",
        status: "Active",
        dateCreated: "",
      }),
    [`POST ${SIGNATURES}`]: (response: ServerResponse) =>
      answer(response, 200, { id: "sig-1", keyId: "key-other", status: "Signed" }),
  };
  await using network = await setUp({ answers });

  await fails(network.client.key(KEY_ID), "api_answer_invalid");
  await fails(network.client.sign(KEY_ID, HASH), "api_answer_invalid");
});

test("an error answer keeps the API's code, status, sentence and plain details", async () => {
  const error = {
    id: "17",
    status: 403,
    message: "No.",
    code: "permission_missing",
    details: { permission: "Keys:Create", regions: ["eu", 1, {}], deep: {} },
  };
  await using network = await setUp({ answers: { "GET /keys": (response) => answer(response, 403, { error }) } });

  await assert.rejects(network.client.keys(), (thrown) => {
    assert.ok(thrown instanceof ApiError);
    assert.deepEqual(
      [thrown.code, thrown.http, thrown.kind, thrown.message],
      ["permission_missing", 403, "refusal", "No."],
    );
    assert.deepEqual(thrown.details, { permission: "Keys:Create", regions: ["eu", 1] });
    return true;
  });
});

test("error answers without a code become refusals or outages by their status", async () => {
  const cases: [number, string, string][] = [
    [400, "api_refused", "refusal"],
    [404, "api_refused", "refusal"],
    [429, "api_unavailable", "outage"],
    [500, "api_unavailable", "outage"],
    [503, "api_unavailable", "outage"],
  ];
  for (const [status, code, kind] of cases) {
    for (const body of [
      { error: { message: "m" } },
      { message: "m" },
      { error: "m" },
      {},
      [],
      { error: { code: "<script>" } },
    ]) {
      await using network = await setUp({ answers: { "GET /keys": (response) => answer(response, status, body) } });
      await assert.rejects(
        network.client.keys(),
        (error) => error instanceof ApiError && error.code === code && error.kind === kind,
      );
    }
  }
});

test("a request that waits for others is told apart from success", async () => {
  await using network = await setUp({ answers: { "GET /keys": (response) => answer(response, 202, {}) } });
  await fails(network.client.keys(), "approval_pending");
});

test("answers that are not strict JSON, not of their form or too long are refused", async () => {
  const bodies = [
    "",
    "<html>",
    '{"items":[],"items":[]}',
    '{"items":{}}',
    '{"items":[1]}',
    '{"items":[{"id":"key-1"}]}',
  ];
  for (const body of bodies) {
    await using network = await setUp({ answers: { "GET /keys": (response) => response.end(body) } });
    await assert.rejects(network.client.keys(), CountersignError, body);
  }
  const gateway = (response: ServerResponse) => response.writeHead(502).end("<html>Bad Gateway</html>");
  await using down = await setUp({ answers: { "GET /keys": gateway } });
  await fails(down.client.keys(), "api_unavailable");
  const endless = (response: ServerResponse) => {
    const chunk = Buffer.alloc(1_048_576, "x");
    for (let count = 0; count < 17; count++) response.write(chunk);
    response.end();
  };
  await using flood = await setUp({ answers: { "GET /keys": endless } });
  await fails(flood.client.keys(), "api_answer_invalid");
});

test("a redirect is not followed, so the token goes nowhere else", async () => {
  await using elsewhere = await startApi();
  const redirect = (response: ServerResponse) => response.writeHead(307, { location: `${elsewhere.url}/keys` }).end();
  await using network = await setUp({ answers: { "GET /keys": redirect } });

  await fails(network.client.keys(), "api_unavailable");

  assert.deepEqual(elsewhere.arrivals, []);
});

test("a path that would be sent other than signed is refused before anything is sent", async () => {
  await using network = await setUp();
  const paths = [
    "//evil.example/keys",
    "keys",
    "/keys/../x",
    "/a/%2e%2e/b",
    "/a\\b",
    "/keys#x",
    "https://evil.example/",
    "/a b",
    "/é",
    "",
    "\\\\evil.example/x",
  ];
  for (const path of paths) {
    await fails(network.client.request("GET", path), "request_path_invalid");
  }
  assert.deepEqual(network.api.arrivals, []);
});

test("an API that does not answer ends with the deadline", async () => {
  const never = () => {};
  await using network = await setUp({ answers: { "GET /keys": never } }, { timeoutMs: 50 });

  await fails(network.client.keys(), "api_deadline");
  await fails(network.client.keys({}, { timeoutMs: 20 }), "api_deadline");
});

test("a caller can cancel", async () => {
  await using network = await setUp({ answers: { "GET /keys": () => cancel.abort() } });
  const cancel = new AbortController();

  await fails(network.client.keys({}, { signal: cancel.signal }), "api_call_cancelled");
});

test("an API that is not there is an outage", async () => {
  const { url, [Symbol.asyncDispose]: close } = await startApi();
  await close();
  const client = new CountersignClient({
    apiUrl: url,
    token: "t",
    signer: countingSigner().signer,
    descriptor: TRUST_API,
  });

  await fails(client.keys(), "api_unavailable");
});

test("a client prints neither its token nor its key", () => {
  const client = new CountersignClient({
    apiUrl: "http://127.0.0.1:1",
    token: "secret-token",
    signer: new KeySigner({ privateKey: PEM }),
    descriptor: TRUST_API,
  });

  assert.doesNotMatch(inspect(client, { depth: 9, showHidden: true }) + JSON.stringify(client), /secret-token|PRIVATE/);
});

test("what the client signs is C of the request it sends", async () => {
  await using network = await setUp({ bend: (good) => Object.assign(seen, good) });
  const seen: {
    countersign?: {
      deploymentId: string;
      orgId: string;
      principalId: string;
      appId: string;
      nonce: string;
      expiresAt: number;
    };
  } = {};

  await network.client.sign(KEY_ID, HASH);

  assert.ok(seen.countersign);
  const { nonce, expiresAt, ...ids } = seen.countersign;
  const { deploymentId, orgId, principalId, appId } = ids;
  const c = actionDigest({
    deploymentId,
    orgId,
    principalId,
    appId,
    method: "POST",
    path: SIGNATURES,
    payload: JSON.stringify(HASH),
    nonce: new Uint8Array(Buffer.from(nonce, "base64url")),
    expiresAtMs: expiresAt,
  });
  assert.deepEqual(network.used, [Buffer.from(c).toString("base64url")]);
});
