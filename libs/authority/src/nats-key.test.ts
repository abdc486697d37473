import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeHex } from "@countersign/bytes";
import { natsUserKey } from "./nats-key.ts";
import { natsUserText, rawPublicKey, seededKey } from "./testing/fixture.ts";

/** Made with @nats-io/nkeys 2.0.3: a user's public key and its raw bytes. */
const USER = "UCEZDLXVRYUQYOXI62AMOM53EWGRAOPLNIUOHDLP4W47QENYQACN6TPK";
const USER_KEY = "8991aef58e290c3ae8f680c733bb258d1039eb6a28e38d6fe5b9f811b88004df";
/** An account's public key of the same library. */
const ACCOUNT = "AAHACM6RNYUVR4NCOQCZG3OXVNDKWHV5SOVDQFTEJ6Y5MNIMPAD26KR7";

test("a public nkey of a user holds its Ed25519 key", () => {
  assert.deepEqual(natsUserKey(USER), decodeHex(USER_KEY));
  const key = rawPublicKey(seededKey(9));
  assert.deepEqual(natsUserKey(natsUserText(key)), key);
});

test("an nkey of another type is refused", () => {
  assert.equal(natsUserKey(ACCOUNT), undefined);
  // Begins with U as well, but the other bits of the type byte are set.
  assert.equal(natsUserKey(`UD${USER.slice(2)}`), undefined);
});

test("every single wrong character is refused", () => {
  for (let at = 0; at < USER.length; at++) {
    const other = USER[at] === "A" ? "B" : "A";
    assert.equal(natsUserKey(USER.slice(0, at) + other + USER.slice(at + 1)), undefined, String(at));
  }
});

test("other lengths, lower case, padding and a seed are refused", () => {
  const seed = "SUAIBDPBAUTWCWBKIO6XHQNINK5FWJW4OHLXC3HQ2KFE4PEJUA44CNHTC4";
  for (const text of ["", USER.slice(1), `${USER}A`, USER.toLowerCase(), `${USER}=`, `${USER}\n`, seed])
    assert.equal(natsUserKey(text), undefined, text);
});
