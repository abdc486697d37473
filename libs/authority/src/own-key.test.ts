import { test } from "node:test";
import { authorize } from "./authorize.ts";
import { requireOwnKey } from "./own-key.ts";
import { fixture, NOW } from "./testing/fixture.ts";
import { refused } from "./testing/refused.ts";

test("an approval reaches the keys of its own organisation only", () => {
  const { approve, state, ids } = fixture();
  const approval = authorize(approve(), state, { now: NOW });

  requireOwnKey(approval, { keyId: "key-1", orgId: ids.orgId });
  refused(() => requireOwnKey(approval, { keyId: "key-1", orgId: "or-other" }), "key_foreign");
});
