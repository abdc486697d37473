import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { concatBytes, hex, u32be } from "@countersign/bytes";
import fc from "fast-check";
import { expandTH, listParts, type Part, TH, TH2S } from "./transcript.ts";

const filled = (value: number) => new Uint8Array(32).fill(value);

describe("the transcript hash", () => {
  test("has the specification's known answer", () => {
    const pairs = listParts([
      [1, filled(0x22)],
      [2, filled(0x33)],
    ]);

    const digest = TH("kat", 1, filled(0x11), ...pairs);

    assert.equal(hex(digest), "dd4a6e33f757c98f440ec89e7e6ef60f2e3cb4139df2e091d36e67fcd995b9e1");
  });

  test("is SHA-256 of the tag's hash and each part behind its length", () => {
    const tag = createHash("sha256").update("countersign/ecdsa/v1/kat").digest();
    const input = concatBytes(tag, u32be(2), Uint8Array.of(0x61, 0x62), u32be(4), u32be(7), u32be(0));

    assert.equal(hex(TH("kat", "ab", 7, new Uint8Array(0))), createHash("sha256").update(input).digest("hex"));
  });

  test("different lists of parts never hash alike", () => {
    const part: fc.Arbitrary<Part> = fc.oneof(
      fc.uint8Array({ maxLength: 5 }),
      fc.constantFrom<Part>(u32be(0), u32be(4), new Uint8Array(0), 0, 4),
    );
    const list = fc.array(part, { maxLength: 4 });
    const spell = (parts: readonly Part[]) =>
      parts.map((p) => hex(typeof p === "number" ? u32be(p) : (p as Uint8Array)));
    fc.assert(
      fc.property(list, list, (a, b) => {
        const isSame = a.length === b.length && spell(a).join("|") === spell(b).join("|");

        assert.equal(hex(TH("kat", ...a)) === hex(TH("kat", ...b)), isSame);
      }),
      { numRuns: 3_000 },
    );
  });

  test("does not change what it is given", () => {
    const part = filled(9);

    TH("kat", part);
    TH2S("kat", part);
    expandTH(68, "kat", part);

    assert.deepEqual(part, filled(9));
  });

  test("stretches by a counter after the other parts", () => {
    const stream = expandTH(68, "kat", "x");

    assert.equal(hex(stream), hex(concatBytes(TH("kat", "x", 0), TH("kat", "x", 1), TH("kat", "x", 2)).slice(0, 68)));
  });

  test("is the only hash of this folder and of the links", async () => {
    for (const folder of ["./", "../links/"]) {
      const url = new URL(folder, import.meta.url);
      for (const name of await readdir(url)) {
        if (!name.endsWith(".ts") || name.endsWith(".test.ts") || name === "transcript.ts") continue;
        const source = await readFile(new URL(name, url), "utf8");
        assert.doesNotMatch(source, /createHash|\bhash\(\s*"|sha256/, `${name} hashes without TH`);
      }
    }
  });
});
