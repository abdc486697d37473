import assert from "node:assert/strict";
import { test } from "node:test";
import { MeshAbort } from "@countersign/mesh";
import { KeygenAbort, ProtocolAbort } from "@countersign/threshold";
import { outcomeOf } from "./outcome.ts";

test("an abort is noted with the parties that signed messages convict, also when it came as a complaint", () => {
  const abort = new ProtocolAbort("keygen_share_invalid", "Party 2 dealt a bad share.", { culprits: [2] });

  assert.deepEqual(outcomeOf(abort), { outcome: "keygen_share_invalid", audit: { culprits: "2" } });
  assert.deepEqual(outcomeOf(new KeygenAbort(abort, [])), outcomeOf(abort));
  assert.deepEqual(outcomeOf(new MeshAbort("message_equivocated", "Two messages.", [1, 3], [])), {
    outcome: "message_equivocated",
    audit: { culprits: "1,3" },
  });
});

test("a party that only its receiver suspects is noted as that", () => {
  const abort = new ProtocolAbort("partial_invalid", "No signature.", { suspects: [3] });

  assert.deepEqual(outcomeOf(abort), { outcome: "partial_invalid", audit: { suspects: "3" } });
});

test("an error that is none of ours is noted without its text", () => {
  assert.deepEqual(outcomeOf(new Error("a secret")), { outcome: "internal", audit: {} });
});
