import assert from "node:assert/strict";
import { test } from "node:test";
import { hex, utf8 } from "@countersign/bytes";
import fc from "fast-check";
import { type AuditEntry, auditGenesis, auditHash, decodeAuditEntry, encodeAuditEntry } from "./audit-entry.ts";

const entry: AuditEntry = {
  index: 7,
  time: 1767225600000,
  kind: "accepted",
  fields: { session: "ab", attempt: 1 },
  prevHash: new Uint8Array(32).fill(0xcd),
};
const ENCODED = `{"fields":{"attempt":1,"session":"ab"},"index":7,"kind":"accepted","prevHash":"${"cd".repeat(32)}","time":1767225600000}`;

test("an entry has one encoding, and its hash is of these bytes under a label of their own", () => {
  const encoded = encodeAuditEntry(entry);

  assert.equal(Buffer.from(encoded).toString(), ENCODED);
  assert.deepEqual(decodeAuditEntry(encoded), { ...entry, fields: { ...entry.fields } });
  // SHA-256 over u32be(20) "countersign/audit/v1" u32be(length) entry, computed with Python's hashlib.
  assert.equal(hex(auditHash(encoded)), "53999989265a7a9987fea37a16eaaa8de7a9e650047b24514d8ee1ef204f94fd");
});

test("chains of two nodes or deployments begin differently", () => {
  const starts = [auditGenesis("dep-1", "node-1"), auditGenesis("dep-1", "node-2"), auditGenesis("dep-1n", "ode-1")];

  assert.equal(new Set(starts.map(hex)).size, 3);
});

test("entries survive encoding whatever their fields are", () => {
  const fields = fc.dictionary(
    fc.stringMatching(/^[a-z][A-Za-z0-9-]{0,31}$/),
    fc.oneof(fc.maxSafeInteger(), fc.string({ unit: "binary" })),
    { maxKeys: 24 },
  );
  fc.assert(
    fc.property(fields, fc.nat(), fc.nat(), (record, index, time) => {
      const made = { ...entry, fields: record, index, time };
      const decoded = decodeAuditEntry(encodeAuditEntry(made));
      assert.deepEqual({ ...decoded?.fields }, { ...record });
      assert.equal(decoded?.index, index);
    }),
    { numRuns: 25 },
  );
});

test("any other spelling of an entry is no entry", () => {
  const spellings = [
    "",
    "null",
    "[]",
    ENCODED.replace(",", ", "),
    `${ENCODED}\n`,
    ENCODED.replace('"attempt":1,"session":"ab"', '"session":"ab","attempt":1'),
    ENCODED.replace('"index":7', '"index":7,"index":7'),
    ENCODED.replace('"index":7', '"extra":1,"index":7'),
    ENCODED.replace('"index":7', '"index":-7'),
    ENCODED.replace('"index":7', '"index":7.0'),
    ENCODED.replace('"index":7', '"index":"7"'),
    ENCODED.replace('"time":1767225600000', '"time":1.5'),
    ENCODED.replace("cdcd", "CDCD"),
    ENCODED.replace('"ab"', "null"),
    ENCODED.replace('{"attempt":1,"session":"ab"}', "[]"),
    ENCODED.replace('"accepted"', '"not one word"'),
  ];

  for (const spelling of spellings) assert.equal(decodeAuditEntry(utf8(spelling)), undefined, spelling);
  assert.equal(decodeAuditEntry(Uint8Array.of(0xff, 0xfe)), undefined);
});

test("fields out of bounds are a bug of the caller", () => {
  const bad: readonly Partial<AuditEntry>[] = [
    { kind: "Two words" },
    { fields: { "bad name": 1 } },
    { fields: { share: "x".repeat(513) } },
    { fields: { half: 0.5 } },
    { fields: { text: "\ud800" } },
    { fields: Object.fromEntries(Array.from({ length: 25 }, (_, index) => [`f${index}`, 1])) },
  ];

  for (const change of bad) assert.throws(() => encodeAuditEntry({ ...entry, ...change }), { name: "AssertionError" });
});
