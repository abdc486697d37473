import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Type } from "typebox";
import { Value } from "typebox/value";
import { configProblems } from "./config-problems.ts";
import { settings } from "./settings.ts";

const Config = Type.Object({
  name: Type.String({ minLength: 1 }),
  listen: settings.listen,
  kek: Type.Union([
    Type.Object({ provider: Type.Literal("file"), path: settings.path }),
    Type.Object({ provider: Type.Literal("passphrase"), passphraseFile: settings.path }),
  ]),
  peers: Type.Optional(Type.Array(Type.Object({ id: Type.String(), weight: Type.Number() }), { minItems: 2 })),
  url: Type.Optional(Type.String({ pattern: "^redis://" })),
});

const GOOD = { name: "a", listen: { host: "h", port: 1 }, kek: { provider: "file", path: "/k" } };

test("a configuration that fits has no problems", () => {
  assert.deepEqual(configProblems(Config, GOOD), []);
});

test("each problem names the setting, what was expected and what was found", () => {
  const cases: [unknown, string][] = [
    [7, "The file: expected an object, found 7."],
    [{ ...GOOD, name: undefined }, "name: expected text that is not empty, found nothing."],
    [{ ...GOOD, name: "" }, 'name: expected text that is not empty, found "".'],
    [{ ...GOOD, listen: { host: "h" } }, "listen.port is missing; expected a whole number from 0 to 65535."],
    [{ ...GOOD, listen: { host: "h", port: 1.5 } }, "listen.port: expected a whole number from 0 to 65535, found 1.5."],
    [{ ...GOOD, extra: 1 }, "extra is not a setting; there are: name, listen, kek, peers, url."],
    [{ ...GOOD, kek: { provider: "hsm" } }, 'kek.provider: expected "file" or "passphrase", found "hsm".'],
    [{ ...GOOD, kek: {} }, 'kek.provider: expected "file" or "passphrase", found nothing.'],
    [{ ...GOOD, kek: { provider: "file", path: "k" } }, 'kek.path: expected an absolute path, found "k".'],
    [{ ...GOOD, kek: "file" }, 'kek: expected an object or an object, found "file".'],
    [{ ...GOOD, peers: [] }, "peers: expected a list of at least 2, found a list of 0."],
    [
      {
        ...GOOD,
        peers: [
          { id: "a", weight: 1 },
          { id: "b", weight: "2" },
        ],
      },
      'peers[1].weight: expected a number, found "2".',
    ],
    [
      { ...GOOD, url: "http://user:hunter2@host" },
      "url: expected text that matches ^redis://, found 26 characters of text.",
    ],
  ];

  for (const [value, expected] of cases) assert.deepEqual(configProblems(Config, value), [expected]);
});

test("several problems are told at once, up to a bound", () => {
  const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`x${i}`, i]));

  assert.equal(configProblems(Config, { name: 1, listen: 2, kek: 3 }).length, 3);
  assert.equal(configProblems(Config, { ...GOOD, ...many }).length, 20);
});

test("whatever the schema refuses has a problem, and what it accepts has none but unknown settings", () => {
  const member = fc.oneof(fc.constant(undefined), fc.jsonValue());
  const value = fc.record({ name: member, listen: member, kek: member, peers: member }, { requiredKeys: [] });

  fc.assert(
    fc.property(fc.oneof(value, fc.jsonValue()), (candidate) => {
      const problems = configProblems(Config, candidate);
      if (!Value.Check(Config, candidate)) assert.notEqual(problems.length, 0);
      else assert.ok(problems.every((problem) => problem.includes("is not a setting")));
    }),
  );
});
