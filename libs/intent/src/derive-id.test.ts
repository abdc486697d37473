import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { decodeBase64url } from "@countersign/bytes";
import fc from "fast-check";
import { deriveCredentialId, deriveId, isDerivedId } from "./derive-id.ts";

/** C of the threat model, 5.1. */
const C = decodeBase64url("u0xSHs-O2TRfRC_EtonagPIfChSdNH467nMttvg6YN4");

test("ids match the known answers of the architecture, section 6", () => {
  assert.equal(deriveId("wallet", C, 0), "wa-5e7ad-3vsjp-3jgpzcw7fa75aom3");
  assert.equal(deriveId("wallet", C, 1), "wa-fwvtw-bpo7r-o7vfbcihuqc7cg4w");
});

test("ids of the other kinds stay what they are", () => {
  assert.deepEqual(
    (["organisation", "user", "service-account", "application", "approval", "key", "signature"] as const).map((kind) =>
      deriveId(kind, C, 0),
    ),
    [
      "or-vvrbq-kkjdu-lijpmz7gg6tuwe2j",
      "us-nybnx-cnz6w-qct2y7i3lfa7opn6",
      "us-4axe6-gp6hc-ozho2uey5nex6gjp",
      "ap-qkh7w-pwt4z-k4jw57cyvbiw5wjv",
      "ap-3xt5r-qsknd-jii7m3ophxpybdbi",
      "key-d4m5h-zqdk7-lfvxqxniez4x4oxx",
      "sig-woict-bmste-enb4l47n5b4h4rzd",
    ],
  );
});

test("one prefix for two kinds still gives two ids", () => {
  assert.notEqual(deriveId("user", C, 0), deriveId("service-account", C, 0));
  assert.notEqual(deriveId("application", C, 0), deriveId("approval", C, 0));
});

test("an id is the first 130 bits of its hash, spelt independently here", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.nat({ max: 1_000 }), (c, index) => {
      const u32 = (value: number) =>
        Buffer.from([value >>> 24, value >>> 16, value >>> 8, value].map((byte) => byte & 255));
      const LP = (part: Uint8Array) => Buffer.concat([u32(part.length), part]);
      const preimage = [LP(Buffer.from("countersign/id/v1")), LP(Buffer.from("key")), LP(c), u32(index)];
      const digest = createHash("sha256").update(Buffer.concat(preimage)).digest();
      const bits = [...digest].map((byte) => byte.toString(2).padStart(8, "0")).join("");
      const letters = Array.from({ length: 26 }, (_, place) => {
        return "abcdefghijklmnopqrstuvwxyz234567"[Number.parseInt(bits.slice(place * 5, place * 5 + 5), 2)];
      }).join("");

      const id = deriveId("key", c, index);

      assert.equal(id, `key-${letters.slice(0, 5)}-${letters.slice(5, 10)}-${letters.slice(10)}`);
      assert.ok(isDerivedId("key", id));
    }),
  );
});

test("a credential's id binds tenant, user and key, and never meets an id made from C", () => {
  const spki = Uint8Array.of(1, 2, 3);
  const one = deriveCredentialId({ orgId: "or-1", userId: "us-1", spki });

  assert.match(one, /^cr-[a-z2-7]{5}-[a-z2-7]{5}-[a-z2-7]{16}$/);
  assert.notEqual(one, deriveCredentialId({ orgId: "or-2", userId: "us-1", spki }));
  assert.notEqual(one, deriveCredentialId({ orgId: "or-1", userId: "us-2", spki }));
  assert.notEqual(one, deriveCredentialId({ orgId: "or-1u", userId: "s-1", spki }));
  assert.notEqual(one, deriveCredentialId({ orgId: "or-1", userId: "us-1", spki: Uint8Array.of(1, 2, 4) }));
});

test("only the exact form is a derived id", () => {
  const id = deriveId("wallet", C, 0);

  assert.ok(isDerivedId("wallet", id));
  assert.ok(!isDerivedId("key", id));
  for (const other of [
    id.toUpperCase(),
    `${id}\n`,
    ` ${id}`,
    id.replace("-", "_"),
    `${id}a`,
    id.slice(0, -1),
    "wa-",
    "",
  ])
    assert.ok(!isDerivedId("wallet", other), other);
});
