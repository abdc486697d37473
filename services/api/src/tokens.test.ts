import assert from "node:assert/strict";
import { createHmac, createPrivateKey, createPublicKey, randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { ACCESS_TOKEN_TYPE, accessTokenClaims, tokenHeader } from "@countersign/authority";
import { exportJWK, SignJWT } from "jose";
import { makeToken, spkiOf, TestApi } from "./testing/test-api.ts";
import { DEPLOYMENT_ID, makeTokenKey } from "./testing/test-deployment.ts";
import { Tokens } from "./tokens.ts";

let api: TestApi;
before(async () => {
  api = await TestApi.start();
});
after(() => api.close());

function holder() {
  const { orgId, principalId } = api.alice;
  return { deploymentId: DEPLOYMENT_ID, orgId, principalId, tokenId: "to-1" };
}

function claims(overrides: object = {}) {
  const issuedAt = Math.floor(Date.now() / 1_000);
  return { ...accessTokenClaims(holder(), { issuedAt, lifetimeSeconds: 600 }), ...overrides };
}

function sign(payload: object, header: object = {}, pem = api.tokenKey): Promise<string> {
  return new SignJWT({ ...payload })
    .setProtectedHeader({ ...tokenHeader(ACCESS_TOKEN_TYPE, spkiOf(api.tokenKey)), ...header })
    .sign(createPrivateKey(pem));
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

async function refuses(token: string, why: string): Promise<void> {
  const answer = await api.call("GET", "/keys", { token });
  assert.equal(answer.status, 401, why);
  assert.equal(answer.json.error.code, "token_invalid", why);
  assert.equal(answer.json.error.message, "Not Authorized.", why);
}

test("a token as the operator makes it lets its holder read", async () => {
  const answer = await api.call("GET", "/keys", { token: await sign(claims()) });

  assert.equal(answer.status, 200);
});

test("forged tokens are refused: no algorithm, the public key as a secret, another key, a cut or changed one", async () => {
  const good = await sign(claims());
  const [header = "", payload = "", signature = ""] = good.split(".");
  const asSecret = `${part({ ...tokenHeader(ACCESS_TOKEN_TYPE, spkiOf(api.tokenKey)), alg: "HS256" })}.${payload}`;
  const publicPem = createPublicKey(createPrivateKey(api.tokenKey)).export({ format: "pem", type: "spki" });
  const foreign = makeTokenKey();

  await refuses(`${part({ alg: "none", typ: ACCESS_TOKEN_TYPE })}.${payload}.`, "alg none");
  await refuses(`${header}.${payload}.`, "no signature");
  await refuses(`${asSecret}.${createHmac("sha256", publicPem).update(asSecret).digest("base64url")}`, "HS256");
  await refuses(await sign(claims(), {}, foreign), "another key under our kid");
  await refuses(
    await sign(claims(), tokenHeader(ACCESS_TOKEN_TYPE, spkiOf(foreign)), foreign),
    "another key and its kid",
  );
  await refuses(`${header}.${part({ ...claims(), sub: "us-other" })}.${signature}`, "changed payload");
  await refuses("a.b.c", "junk");
  await refuses(`${header}.${payload}.${signature}${"A".repeat(5_000)}`, "too long");
});

test("a header may hold alg, typ and kid only, even when we signed it", async () => {
  const jwk = await exportJWK(createPublicKey(createPrivateKey(makeTokenKey())));
  const extras = { jwk, jku: "https://evil.example/keys", x5u: "https://evil.example/cert", x5c: ["AA"], cty: "JWT" };

  for (const [name, value] of Object.entries(extras)) await refuses(await sign(claims(), { [name]: value }), name);
  await refuses(await sign(claims(), { kid: "../../etc/passwd" }), "kid path");
  await refuses(await sign(claims(), { typ: "JWT" }), "typ");
  const [, payload = ""] = (await sign(claims())).split(".");
  await refuses(`${part({ alg: "EdDSA", typ: ACCESS_TOKEN_TYPE, crit: ["exp"], exp: 1 })}.${payload}.AA`, "crit");
});

test("claims are judged: issuer, audience, times, holder, and nothing beside them", async () => {
  const now = Math.floor(Date.now() / 1_000);
  const metadata = {
    orgId: api.alice.orgId,
    userId: api.alice.principalId,
    tokenId: "to-1",
    tokenKind: "ServiceAccount",
  };
  const bad: Record<string, object> = {
    "another deployment": { iss: "countersign/other" },
    "another audience": { aud: "countersign/user-action" },
    "several audiences": { aud: ["countersign/api", "x"] },
    expired: { iat: now - 100, exp: now - 1 },
    "no end": { exp: undefined },
    "no beginning": { iat: undefined },
    "issued in the future": { iat: now + 3_600, exp: now + 3_700 },
    "not yet valid": { nbf: now + 100 },
    "too long a life": { iat: now, exp: now + 731 * 86_400 },
    "another user in the metadata": { "https://custom/app_metadata": { ...metadata, userId: "us-2" } },
    "another token in the metadata": { "https://custom/app_metadata": { ...metadata, tokenId: "to-2" } },
    "another kind": { "https://custom/app_metadata": { ...metadata, tokenKind: "Staff" } },
    "an unknown claim": { scope: "everything" },
  };

  for (const [why, overrides] of Object.entries(bad)) await refuses(await sign(claims(overrides)), why);
});

test("a token outlives its holder's rights without effect", async () => {
  const { token, orgId, principalId } = api.alice;
  const before = api.state;
  const organisation = before.organisations.get(orgId);
  assert.ok(organisation !== undefined);
  const principals = new Map([[principalId, { principalId, active: false, permissions: "all" as const }]]);
  try {
    api.state = { ...before, organisations: new Map([[orgId, { ...organisation, principals }]]) };
    await refuses(token, "deactivated principal");
    api.state = { ...before, organisations: new Map() };
    await refuses(token, "organisation gone");
  } finally {
    api.state = before;
  }
});

test("a missing, malformed or doubled authorization header is no authorisation", async () => {
  const { token } = api.alice;
  for (const authorization of ["", "Bearer", `Basic ${token}`, token, `Bearer ${token} ${token}`, `Bearer ${token},`]) {
    const answer = await api.call("GET", "/keys", { token: undefined, headers: { authorization } });
    assert.equal(answer.status, 401, authorization);
  }
  const response = await api.server.inject({
    method: "GET",
    url: "/keys",
    headers: { authorization: [`Bearer ${token}`, `Bearer ${token}`] as never },
  });
  assert.equal(response.statusCode, 401);
  assert.equal(response.headers["www-authenticate"], "Bearer");
});

test("an application header must name an active application of the caller's own organisation", async () => {
  const withApplication = (appId: string) => api.call("GET", "/keys", { headers: { "x-dfns-appid": appId } });

  assert.equal((await withApplication(api.alice.appId)).status, 200);
  for (const appId of [api.bob.appId, "ap-aaaaa-aaaaa-aaaaaaaaaaaaaaaa", ""]) {
    const answer = await withApplication(appId);
    assert.deepEqual([answer.status, answer.json.error.code], [401, "application_refused"], appId);
  }
});

test("a token of one kind is refused wherever another kind is expected", async () => {
  const challenge = await api.init("POST", "/keys", '{"scheme":"EdDSA","curve":"ed25519"}');
  const userAction = await api.approve("POST", "/keys", '{"scheme":"EdDSA","curve":"ed25519"}');
  const tokens = { access: api.alice.token, challenge: challenge.json.challengeIdentifier, userAction };
  const assertion = { kind: "Key", credentialAssertion: { credId: "YQ", clientData: "YQ", signature: "YQ" } };
  const doors: Record<keyof typeof tokens, (token: string) => ReturnType<TestApi["call"]>> = {
    access: (token) => api.call("GET", "/keys", { token }),
    challenge: (challengeIdentifier) =>
      api.call("POST", "/auth/action", { body: { challengeIdentifier, firstFactor: assertion } }),
    userAction: (token) =>
      api.call("POST", "/keys", { body: { scheme: "EdDSA", curve: "ed25519" }, userAction: token }),
  };

  for (const [door, knock] of Object.entries(doors)) {
    for (const [kind, token] of Object.entries(tokens)) {
      if (kind === door) continue;
      assert.equal((await knock(token)).status, 401, `${kind} at the door for ${door}`);
    }
  }
  // The tokens were good: each opens its own door.
  assert.equal((await doors.access(tokens.access)).status, 200);
  assert.equal((await api.complete(challenge)).status, 200);
  assert.equal((await doors.userAction(tokens.userAction)).status, 200);
});

test("a token key that is none is refused without a word of it", () => {
  const options = { deploymentId: DEPLOYMENT_ID, now: Date.now };
  const secret = randomUUID();

  for (const pem of [
    "",
    `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----\n`,
    api.otherDeployment.privateKey,
  ]) {
    assert.throws(
      () => new Tokens(pem, options),
      (error: Error & { code?: string }) =>
        error.code === "token_key_invalid" && !JSON.stringify([error.message, String(error.cause)]).includes(secret),
    );
  }
});

test("a token with a lifetime of 730 days is the longest that is taken", async () => {
  const token = await makeToken(api.tokenKey, api.alice, { lifetimeSeconds: 730 * 86_400 });

  assert.equal((await api.call("GET", "/keys", { token })).status, 200);
});
