import assert from "node:assert/strict";
import { test } from "node:test";
import { hex, lengthPrefixed, sha256, utf8 } from "@countersign/bytes";
import { MeshAbort } from "@countersign/mesh";
import { KeygenAbort, ProtocolAbort } from "@countersign/threshold";
import { outcomeOf } from "./outcome.ts";

test("an abort is noted with the parties that signed messages convict, also when it came as a complaint", () => {
  const abort = new ProtocolAbort("keygen_share_invalid", "Party 2 dealt a bad share.", { culprits: [2] });

  assert.deepEqual(outcomeOf(abort), { outcome: "keygen_share_invalid", audit: { culprits: "2" } });
  assert.deepEqual(outcomeOf(new KeygenAbort(abort, [])), outcomeOf(abort));
  assert.deepEqual(outcomeOf(new MeshAbort("message_equivocated", "Two messages.", [1, 3], [])), {
    outcome: "message_equivocated",
    audit: { culprits: "1,3", proofHash: hex(sha256(lengthPrefixed("countersign/abort-proof/v1"))) },
  });
});

test("the messages that convict are noted by a hash that every byte of them changes", () => {
  const message = { header: utf8("header"), body: utf8("body"), signature: new Uint8Array(64) };
  const noted = (messages: readonly (typeof message)[], culprits = [2]) =>
    outcomeOf(new ProtocolAbort("keygen_share_invalid", "Bad.", { culprits, evidence: { messages } })).audit[
      "proofHash"
    ];
  const others = [
    [{ ...message, header: utf8("headerb"), body: utf8("ody") }],
    [{ ...message, body: utf8("bodx") }],
    [{ ...message, signature: new Uint8Array(64).fill(1) }],
    [message, message],
  ];

  assert.match(String(noted([message])), /^[0-9a-f]{64}$/);
  assert.equal(noted([message]), noted([{ ...message }]));
  assert.equal(new Set([[message], ...others].map((messages) => noted(messages))).size, 5);
  assert.equal(noted([message], []), undefined, "nobody is convicted");
});

test("a party that only its receiver suspects is noted as that", () => {
  const abort = new ProtocolAbort("partial_invalid", "No signature.", { suspects: [3] });

  assert.deepEqual(outcomeOf(abort), { outcome: "partial_invalid", audit: { suspects: "3" } });
});

test("an error that is none of ours is noted without its text", () => {
  assert.deepEqual(outcomeOf(new Error("a secret")), { outcome: "internal", audit: {} });
});
