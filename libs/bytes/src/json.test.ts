import assert from "node:assert/strict";
import { test } from "node:test";
import { CountersignError } from "@countersign/errors";
import fc from "fast-check";
import { parseJson } from "./json.ts";

const refused = (text: string, limits = {}) => {
  assert.throws(
    () => parseJson(text, "body", limits),
    (error) => error instanceof CountersignError && error.code === "encoding_invalid",
    `accepted ${text.slice(0, 60)}`,
  );
};

/** Objects of the parser have no prototype; JSON.parse reads them back into ordinary ones. */
const plain = (value: unknown) => JSON.parse(JSON.stringify(value));

/** JSON values as JavaScript prints them, within the parser's range. */
const jsonValue = fc.jsonValue({ maxDepth: 6 }).filter((value) => !/e\+|-0(?![.\d])/.test(JSON.stringify(value)));

test("what JSON.stringify prints is read back as JSON.parse reads it", () => {
  fc.assert(
    fc.property(jsonValue, (value) => {
      const text = JSON.stringify(value);
      fc.pre(text.isWellFormed());

      let parsed: unknown;
      try {
        parsed = parseJson(text);
      } catch {
        // Integers beyond 2^53-1 and lone surrogates behind escapes are refused on purpose.
        fc.pre(false);
      }

      assert.deepEqual(plain(parsed), JSON.parse(text));
    }),
    { numRuns: 1_000 },
  );
});

test("arbitrary text is read as JSON.parse reads it, or refused; nothing is accepted that JSON.parse refuses", () => {
  const fragments = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    '"',
    '"a"',
    '"b"',
    "\\",
    "\\u0041",
    "\\ud800",
    "1",
    "-",
    "0",
    ".",
    "e",
    "+",
  ];
  const more = [
    "true",
    "false",
    "null",
    " ",
    "\n",
    "\t",
    "\u0000",
    "\ufeff",
    "\u00a0",
    "é",
    "😀",
    "'",
    "/",
    "NaN",
    "Infinity",
  ];
  const text = fc.array(fc.constantFrom(...fragments, ...more), { maxLength: 14 }).map((parts) => parts.join(""));
  const mutated = fc
    .tuple(jsonValue, fc.nat(), fc.constantFrom(...fragments, ...more))
    .map(([value, place, insert]) => {
      const original = JSON.stringify(value);
      const at = place % (original.length + 1);
      return original.slice(0, at) + insert + original.slice(at);
    });
  fc.assert(
    fc.property(fc.oneof(text, mutated), (candidate) => {
      let parsed: unknown;
      try {
        parsed = parseJson(candidate);
      } catch (error) {
        assert.ok(error instanceof CountersignError);
        return;
      }

      assert.deepEqual(plain(parsed), JSON.parse(candidate));
    }),
    { numRuns: 5_000 },
  );
});

test("a key that appears twice in one object is refused, however it is spelt", () => {
  refused('{"a":1,"a":1}');
  refused('{"a":1,"\\u0061":2}');
  refused('{"x":{"a":1,"b":2,"a":3}}');
  refused('{"__proto__":1,"__proto__":2}');
  assert.deepEqual(plain(parseJson('{"a":{"a":1},"b":{"a":1}}')), { a: { a: 1 }, b: { a: 1 } });
});

test("__proto__ and the like are ordinary keys and change nothing else", () => {
  const parsed = parseJson('{"__proto__":{"polluted":true},"constructor":1,"toString":2,"hasOwnProperty":3}');

  assert.ok(typeof parsed === "object" && parsed !== null && !Array.isArray(parsed));
  assert.deepEqual(Object.keys(parsed), ["__proto__", "constructor", "toString", "hasOwnProperty"]);
  assert.equal(Object.getPrototypeOf(parsed), null);
  assert.equal(Reflect.get({}, "polluted"), undefined);
});

test("lone surrogates are refused, as characters and as escapes; pairs are read", () => {
  refused('"\ud800"');
  refused('"\\ud800"');
  refused('"\\udc00\\ud800"');
  refused('{"\\ud800":1}');
  assert.equal(parseJson('"\\ud83d\\ude00"'), "😀");
  assert.equal(parseJson('"😀"'), "😀");
});

test("a number is accepted in its one spelling only, and only where a double holds it", () => {
  const accepted = [
    "0",
    "1",
    "-1",
    "0.5",
    "-0.1",
    "1e-7",
    "9007199254740991",
    "-9007199254740991",
    "123.456",
    "5e-324",
  ];
  for (const text of accepted) assert.equal(parseJson(text), Number(text));
  const others = [
    "1.0",
    "1e2",
    "1E-7",
    "1e-07",
    "-0",
    "0.10",
    "100e-9",
    "+1",
    "01",
    "1.",
    ".5",
    "0x10",
    "1_000",
    "NaN",
    "--1",
  ];
  for (const text of others) refused(text);
  const inexact = [
    "9007199254740992",
    "-9007199254740993",
    "1e400",
    "1e+21",
    "1e-400",
    "0.1000000000000000055511151231257827",
  ];
  for (const text of inexact) refused(text);
  refused("9007199254740991.4");
  refused("0.99999999999999999999");
  refused("9".repeat(200_000));
});

test("nesting is accepted up to the bound and refused beyond it", () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  parseJson(nested(32));
  refused(nested(33));
  refused("[".repeat(200_000));
  refused('{"a":'.repeat(40_000));
  parseJson('{"a":[1]}', "body", { depthMax: 2 });
  refused('{"a":[[1]]}', { depthMax: 2 });
});

test("text is accepted up to the bound and refused beyond it", () => {
  parseJson('"1234"', "body", { textLengthMax: 6 });
  refused('"12345"', { textLengthMax: 6 });
  refused(`"${"x".repeat(262_143)}"`);
});

test("values are accepted up to the bound and refused beyond it", () => {
  parseJson(`[${Array(9_999).fill("1").join(",")}]`);
  refused(`[${Array(10_000).fill("1").join(",")}]`);
  parseJson('{"a":[1]}', "body", { valuesMax: 3 });
  refused('{"a":[1]}', { valuesMax: 2 });
});

test("whitespace is JSON's own; a byte order mark and other spaces are refused", () => {
  assert.deepEqual(plain(parseJson(' \t\r\n{ "a" : [ 1 , 2 ] } \n')), { a: [1, 2] });
  for (const space of ["\ufeff", "\u00a0", "\u2028", "\v", "\f", "/**/"]) refused(`${space}1`);
});

test("trailing and missing parts are refused", () => {
  const broken = [
    "",
    " ",
    "1 1",
    "{}{}",
    "[1,]",
    '{"a":1,}',
    "{a:1}",
    "{'a':1}",
    '{"a"}',
    "[1",
    '{"a":1',
    '"abc',
    '"abc\\',
    "tru",
    "nul",
    "truex",
  ];
  for (const text of broken) refused(text);
  refused('"a\nb"');
  refused('"\\x41"');
  refused('"\\u00g0"');
});

test("an error tells the place and repeats nothing of the input", () => {
  const secret = "correct-horse-battery";
  const inputs = [`{"${secret}":1,"${secret}":2}`, `"${secret}\\q"`, `["${secret}" "x"]`, `{"a":"${secret}\\ud800"}`];
  for (const input of inputs) {
    assert.throws(
      () => parseJson(input),
      (error) => error instanceof CountersignError && !error.message.includes(secret),
    );
  }
});

test("hostile input of the largest size costs work in proportion to its size", () => {
  // Each of these is a classic against a parser: backtracking strings, many keys, many escapes, deep repeats.
  const size = 262_000;
  const hostile = [
    `"${"\\".repeat(size)}`,
    `"${'\\"'.repeat(size / 2)}`,
    `"${"\\u0041".repeat(size / 6)}`,
    `[${'"",'.repeat(size / 3)}`,
    `{${Array.from({ length: 20_000 }, (_, index) => `"${index}":1`).join(",")}}`,
    `${" ".repeat(size)}`,
    `[${"-".repeat(size)}`,
  ];
  const operations = hostile.map((text) => {
    const before = process.cpuUsage();
    try {
      parseJson(text);
    } catch (error) {
      assert.ok(error instanceof CountersignError);
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  });

  // CPU time, not wall time, and far above the few milliseconds it takes: quadratic work would need minutes.
  assert.ok(Math.max(...operations) < 1_000, `milliseconds: ${operations.join(", ")}`);
});
