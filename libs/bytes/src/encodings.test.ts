import assert from "node:assert/strict";
import { test } from "node:test";
import { CountersignError } from "@countersign/errors";
import fc from "fast-check";
import { base64url, decodeBase64url } from "./base64url.ts";
import { decodeHex, decodeHexBytes, decodePrefixedHex, hex, prefixedHex } from "./hex.ts";
import { decodeUtf8, utf8 } from "./utf8.ts";

const bytes = fc.uint8Array({ maxLength: 64 });
const refused = (run: () => unknown) =>
  assert.throws(run, (error) => error instanceof CountersignError && error.code === "encoding_invalid");

/** A decoder accepts a text exactly if it is what the encoder prints for the decoded bytes: one byte string, one spelling. */
const isCanonical = (
  decode: (text: string) => Uint8Array,
  encode: (bytes: Uint8Array) => string,
  texts: fc.Arbitrary<string>,
) =>
  fc.assert(
    fc.property(texts, (text) => {
      let decoded: Uint8Array;
      try {
        decoded = decode(text);
      } catch (error) {
        assert.ok(error instanceof CountersignError && error.code === "encoding_invalid");
        return;
      }
      assert.equal(encode(decoded), text);
    }),
    { numRuns: 2_000 },
  );

test("every byte string survives each encoding", () => {
  fc.assert(
    fc.property(bytes, (original) => {
      assert.deepEqual(decodeHex(hex(original)), original);
      assert.deepEqual(decodePrefixedHex(prefixedHex(original)), original);
      assert.deepEqual(decodeBase64url(base64url(original)), original);
    }),
  );
});

test("a view into a larger buffer encodes its own bytes only", () => {
  const view = Uint8Array.from([1, 2, 3, 4, 5]).subarray(1, 3);

  assert.equal(hex(view), "0203");
  assert.equal(base64url(view), "AgM");
});

test("whatever a decoder accepts has no second spelling", () => {
  const nearHex = fc.string({ unit: fc.constantFrom(..."0123456789abcdefABCDEF xg\n"), maxLength: 12 });
  const nearBase64 = fc.string({ unit: fc.constantFrom(..."ABCDabcd0189-_+/= \n\u00e9"), maxLength: 12 });
  isCanonical(decodeHex, hex, nearHex);
  isCanonical(
    decodePrefixedHex,
    prefixedHex,
    nearHex.map((text) => `0x${text}`),
  );
  isCanonical(decodeBase64url, base64url, nearBase64);
  isCanonical(decodeBase64url, base64url, fc.string());
});

test("hex that Buffer.from would cut short, and upper case, are refused", () => {
  for (const text of ["abxxcd", "zz", "0x00", "a", "AB", "ab ", " ab", "ab\n", "ａｂ"]) refused(() => decodeHex(text));
  for (const text of ["00", "0X00", "0x0", "0xAB", "x00", "", "0x 0"]) refused(() => decodePrefixedHex(text));
  assert.deepEqual(decodePrefixedHex("0x"), new Uint8Array(0));
});

test("base64url with padding, the other alphabet, junk or left-over bits is refused", () => {
  assert.deepEqual(decodeBase64url("AA"), Uint8Array.of(0));
  for (const text of ["AA==", "AA=", "AB", "A", "-_+/", "A A", "AA\n", "AAB", "AAAA="])
    refused(() => decodeBase64url(text));
});

test("UTF-8 that is malformed, overlong, cut short or a surrogate is refused", () => {
  const broken = ["c080", "e08080", "f0808080", "eda080", "80", "ff", "f4908080", "e282", "c3", "f888808080"];
  for (const text of broken) refused(() => decodeUtf8(decodeHex(text)));
  assert.equal(decodeUtf8(decodeHex("efbbbf41")), "\ufeffA");
  assert.equal(decodeUtf8(decodeHex("f09f9880")), "😀");
});

test("a refused UTF-8 text leaves nothing behind for the next one", () => {
  refused(() => decodeUtf8(decodeHex("e282")));
  refused(() => decodeUtf8(decodeHex("ac")));
  assert.equal(decodeUtf8(decodeHex("41")), "A");
});

test("a lone surrogate has no UTF-8 form and is refused instead of becoming U+FFFD", () => {
  for (const text of ["\ud800", "a\udc00", "\udc00\ud800"]) refused(() => utf8(text));
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      fc.pre(text.isWellFormed());
      assert.equal(decodeUtf8(utf8(text)), text);
    }),
  );
});

test("hex digits that are bytes are read and refused exactly like hex text", () => {
  const digit = fc.constantFrom(..."0123456789abcdefABFGg/:`@ \n");
  fc.assert(
    fc.property(fc.string({ unit: digit, maxLength: 8 }), (text) => {
      let expected: Uint8Array | undefined;
      try {
        expected = decodeHex(text);
      } catch {
        // Then the other refuses too.
      }
      if (expected === undefined) refused(() => decodeHexBytes(utf8(text)));
      else assert.deepEqual(decodeHexBytes(utf8(text)), expected);
    }),
    { numRuns: 2_000 },
  );
  fc.assert(fc.property(bytes, (original) => assert.deepEqual(decodeHexBytes(utf8(hex(original))), original)));
});
