import assert from "node:assert/strict";
import { test } from "node:test";
import { CountersignError } from "@countersign/errors";
import { encodingError } from "./errors.ts";
import { JsonMembers } from "./json-members.ts";

const refuse = (sentence: string) => encodingError("encoding_invalid", sentence);
const members = (text: string) => JsonMembers.parse(text, "body", refuse);
const refused = (run: () => unknown, message: RegExp) =>
  assert.throws(run, (error) => error instanceof CountersignError && message.test(error.message));

test("members are read by name and type, and an object that was read whole is finished", () => {
  const body = members('{"a":"text","b":7,"c":[1,2],"d":{"e":"x"},"f":"two","g":null}');

  assert.equal(body.text("a", { lengthMax: 4 }), "text");
  assert.equal(body.integer("b", 0, 7), 7);
  assert.deepEqual(body.list("c", 2, 2), [1, 2]);
  assert.equal(body.object("d").text("e", { lengthMax: 1 }), "x");
  assert.equal(body.choice("f", ["one", "two"]), "two");
  assert.equal(body.value("g"), null);
  assert.equal(body.optionalText("h", { lengthMax: 1 }), undefined);
  assert.equal(body.has("h"), false);
  body.finish();
});

test("a member that nobody read is refused by its name, unless the name is odd", () => {
  refused(() => members('{"amonut":1}').finish(), /"amonut"/);
  refused(() => members('{"<b>hi":1}').finish(), /of another name/);
  refused(() => members('{"__proto__":1}').finish(), /__proto__/);
});

test("a missing member is refused, also when every object has one of that name", () => {
  refused(() => members("{}").value("toString"), /missing/);
  refused(() => members("{}").text("__proto__", { lengthMax: 9 }), /missing/);
});

test("other types and other sizes than asked for are refused", () => {
  const body = members('{"a":"text","b":1.5,"c":[1],"d":null,"e":"A"}');

  refused(() => body.text("b", { lengthMax: 9 }), /not a string/);
  refused(() => body.text("a", { lengthMax: 3 }), /characters/);
  refused(() => body.text("a", { lengthMin: 5, lengthMax: 9 }), /characters/);
  refused(() => body.text("e", { lengthMax: 9, pattern: /^[a-z]$/ }), /match/);
  refused(() => body.optionalText("d", { lengthMax: 9 }), /not a string/);
  refused(() => body.integer("b", 0, 9), /integer/);
  refused(() => body.integer("a", 0, 9), /integer/);
  refused(() => members('{"b":10}').integer("b", 0, 9), /integer/);
  refused(() => members('{"b":-1}').integer("b", 0, 9), /integer/);
  refused(() => body.list("a", 0, 9), /list/);
  refused(() => body.list("c", 2, 9), /list/);
  refused(() => members('{"c":[1,2]}').list("c", 0, 1), /list/);
  refused(() => body.object("c"), /not an object/);
  refused(() => body.object("d"), /not an object/);
  refused(() => body.choice("a", ["one", "two"]), /one of/);
});

test("only an object has members", () => {
  for (const text of ["null", "[]", '"a"', "1", "true"]) refused(() => members(text), /not an object/);
});
