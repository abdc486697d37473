import assert from "node:assert/strict";
import { test } from "node:test";
import { requireSessionHeads, sessionHeads } from "./session-heads.ts";
import { fixture } from "./testing/fixture.ts";
import { refused } from "./testing/refused.ts";

const { descriptor, ids, state } = fixture();
const heads = sessionHeads(state, ids.orgId);

test("a session that names this node's heads is let through", () => {
  assert.deepEqual(heads, { organisationHead: descriptor.hash, deploymentHead: descriptor.hash });
  requireSessionHeads(state, ids.orgId, {
    organisationHead: descriptor.hash.slice(),
    deploymentHead: descriptor.hash.slice(),
  });
});

test("a session with another organisation head is refused (U9)", () => {
  for (const organisationHead of [new Uint8Array(32), descriptor.hash.subarray(1), new Uint8Array(0)])
    refused(() => requireSessionHeads(state, ids.orgId, { ...heads, organisationHead }), "heads_differ");
});

test("a session with another deployment head is refused (U9)", () => {
  for (const deploymentHead of [new Uint8Array(32), descriptor.hash.subarray(1), new Uint8Array(0)])
    refused(() => requireSessionHeads(state, ids.orgId, { ...heads, deploymentHead }), "heads_differ");
});

test("an organisation that this node does not know has no heads", () => {
  refused(() => sessionHeads(state, "or-x"), "organisation_unknown");
});
