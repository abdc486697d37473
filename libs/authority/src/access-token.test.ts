import assert from "node:assert/strict";
import { test } from "node:test";
import { ACCESS_TOKEN_SECONDS_MAX, accessTokenClaims, randomId, tokenHeader } from "./access-token.ts";

const HOLDER = { deploymentId: "dep-test", orgId: "or-1", principalId: "us-1", tokenId: "to-1" };

test("the claims name the holder where clients of the reference look for it", () => {
  const claims = accessTokenClaims(HOLDER, { issuedAt: 1_000, lifetimeSeconds: 60 });

  assert.deepEqual(claims, {
    iss: "countersign/dep-test",
    aud: "countersign/api",
    sub: "us-1",
    jti: "to-1",
    iat: 1_000,
    exp: 1_060,
    "https://custom/app_metadata": { orgId: "or-1", userId: "us-1", tokenId: "to-1", tokenKind: "ServiceAccount" },
  });
});

test("no token lives longer than 730 days", () => {
  for (const lifetimeSeconds of [0, -1, 1.5, ACCESS_TOKEN_SECONDS_MAX + 1, Number.NaN])
    assert.throws(() => accessTokenClaims(HOLDER, { issuedAt: 0, lifetimeSeconds }), RangeError);
});

test("a header names type and key and nothing else", () => {
  const header = tokenHeader("some-type+jwt", new Uint8Array(44));

  assert.deepEqual(Object.keys(header), ["alg", "typ", "kid"]);
  assert.equal(header.alg, "EdDSA");
  assert.match(header.kid, /^[A-Za-z0-9_-]{43}$/);
});

test("a random id has the shape of a derived one and takes five bits of every byte", () => {
  const zero = new Uint8Array(26);

  assert.equal(randomId("to", zero), "to-aaaaa-aaaaa-aaaaaaaaaaaaaaaa");
  for (let place = 0; place < zero.length; place++)
    assert.notEqual(randomId("ch", zero.with(place, 31)), randomId("ch", zero));
  assert.throws(() => randomId("to", new Uint8Array(16)), RangeError);
});
