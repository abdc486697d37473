import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import fc from "fast-check";
import { readClientData } from "./client-data.ts";
import { refused } from "./testing/refused.ts";

const read = (text: string) => readClientData(utf8(text));

test("clientData of every official client is read", () => {
  const challenge = "Y2gtMDAwMDAtMDAwMDAtdGVzdA";
  const plain = { type: "key.get", challenge, crossOrigin: false };

  assert.deepEqual(read(`{"type":"key.get","challenge":"${challenge}"}`), plain);
  // One client sorts its members and adds crossOrigin; another adds an origin; browsers add members of their own.
  assert.deepEqual(read(`{"challenge":"${challenge}","crossOrigin":false,"type":"key.get"}`), plain);
  assert.deepEqual(
    read(`{"type":"key.get","challenge":"${challenge}","origin":"https://a.example","crossOrigin":true}`),
    {
      ...plain,
      origin: "https://a.example",
      crossOrigin: true,
    },
  );
  const grease = '"other_keys_can_be_added_here":"do not compare clientDataJSON against a template"';
  assert.deepEqual(read(`{"type":"key.get","challenge":"${challenge}",${grease}}`), plain);
});

test("missing members and members of another type are refused", () => {
  const texts = [
    '{"type":"key.get"}',
    '{"challenge":"a"}',
    '{"type":1,"challenge":"a"}',
    '{"type":"key.get","challenge":null}',
    '{"type":"key.get","challenge":["a"]}',
    '{"type":"key.get","challenge":"a","origin":null}',
    '{"type":"key.get","challenge":"a","crossOrigin":"false"}',
    '{"type":"key.get","challenge":"a","crossOrigin":0}',
    "[]",
    '"key.get"',
  ];
  for (const text of texts) refused(() => read(text), "client_data_malformed", text);
});

test("duplicate members, trailing bytes and bytes that are not UTF-8 are refused", () => {
  refused(() => read('{"type":"key.create","type":"key.get","challenge":"a"}'), "encoding_invalid");
  refused(() => read('{"type":"key.get","challenge":"a","challeng\\u0065":"b"}'), "encoding_invalid");
  refused(() => read('{"type":"key.get","challenge":"a","x":1,"x":1}'), "encoding_invalid");
  refused(() => read('{"type":"key.get","challenge":"a"}}'), "encoding_invalid");
  refused(() => read('{"type":"key.get","challenge":"a"}\u0000'), "encoding_invalid");
  refused(() => readClientData(Uint8Array.of(0xff)), "encoding_invalid");
  refused(() => readClientData(new Uint8Array(0)), "encoding_invalid");
});

test("any bytes are clientData or refused with a typed error", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.json().map((text) => Uint8Array.from(Buffer.from(text))),
      ),
      (bytes) => {
        try {
          readClientData(bytes);
        } catch (error) {
          assert.ok(error instanceof CountersignError, String(error));
        }
      },
    ),
    { numRuns: 1_000 },
  );
});
