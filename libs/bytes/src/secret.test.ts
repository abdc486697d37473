import assert from "node:assert/strict";
import { test } from "node:test";
import { format, inspect } from "node:util";
import { Secret } from "./secret.ts";

const CANARY = Uint8Array.from(Buffer.from("canary-share-bytes"));
/** Every spelling in which bytes usually reach a log. */
const spellings = [
  Buffer.from(CANARY).toString("utf8"),
  Buffer.from(CANARY).toString("hex"),
  Buffer.from(CANARY).toString("base64"),
  [...CANARY].join(","),
  [...CANARY].join(", "),
  Buffer.from(CANARY).toString("hex").match(/../g)?.join(" ") ?? "",
];

test("a secret shows in no way that values are printed", () => {
  const secret = new Secret(CANARY.slice());
  const holder = { share: secret, list: [secret], nested: { deep: { deeper: { secret } } } };
  const error = new Error(`with ${secret}`, { cause: holder });

  const printed = [
    `${secret}`,
    String(secret),
    `${[secret]}`,
    "".concat(JSON.stringify(holder)),
    inspect(holder, { depth: 9, showHidden: true, getters: true }),
    inspect(error, { depth: 9, showHidden: true }),
    format("%s %o %O %j %d", secret, secret, secret, secret, secret),
    JSON.stringify(Object.assign({}, secret)),
    JSON.stringify(structuredClone(Object.assign({}, holder.nested.deep.deeper.secret))),
    Object.getOwnPropertyNames(secret).join(),
    Reflect.ownKeys(secret).join(),
  ];

  for (const text of printed) for (const spelling of spellings) assert.ok(!text.includes(spelling), text);
  assert.equal(`${secret}`, "[secret]");
  assert.equal(JSON.stringify({ secret }), '{"secret":"[secret]"}');
  assert.equal(inspect({ secret }), "{ secret: [secret] }");
});

test("a wiped secret is overwritten in place and gives nothing any more", () => {
  const bytes = CANARY.slice();
  const secret = new Secret(bytes);
  assert.equal(secret.expose(), bytes);

  secret.wipe();
  secret.wipe();

  assert.deepEqual(bytes, new Uint8Array(CANARY.length));
  assert.throws(() => secret.expose(), /wiped/);
});

test("a secret is wiped at the end of its block", () => {
  const bytes = CANARY.slice();

  {
    using secret = new Secret(bytes);
    assert.equal(secret.expose().length, CANARY.length);
  }

  assert.deepEqual(bytes, new Uint8Array(CANARY.length));
});
