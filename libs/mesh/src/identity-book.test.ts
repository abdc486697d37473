import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Secret, utf8 } from "@countersign/bytes";
import { signMessage } from "./header.ts";
import { NodeIdentity } from "./identity.ts";
import { identityBook } from "./identity-book.ts";
import { DEPLOYMENT, testNode, testNodes } from "./testing/simulated-nodes.ts";

const book = identityBook(DEPLOYMENT, testNodes(2));
const facts = {
  sessionId: new Uint8Array(32).fill(1),
  sessionDigest: new Uint8Array(32).fill(2),
  round: "commit",
  from: 1,
  to: 0,
};

describe("an identity book", () => {
  const honest = signMessage(testNode(1).identity, DEPLOYMENT, facts, Uint8Array.of(1));

  test("opens what the named sender signed", () => {
    assert.deepEqual(book.openSignedMessage(honest), facts);
  });

  for (const [what, message] of Object.entries({
    "another node's signature": signMessage(testNode(2).identity, DEPLOYMENT, facts, Uint8Array.of(1)),
    "another deployment's signature": signMessage(testNode(1).identity, "dep-other", facts, Uint8Array.of(1)),
    "another body": { ...honest, body: Uint8Array.of(2) },
    "a stranger's message": signMessage(testNode(3).identity, DEPLOYMENT, { ...facts, from: 3 }, Uint8Array.of(1)),
    "a header that is none": { ...honest, header: Uint8Array.of(1) },
    "a short signature": { ...honest, signature: honest.signature.subarray(1) },
  }))
    test(`does not open ${what}`, () => {
      assert.equal(book.openSignedMessage(message), undefined);
    });

  test("verifies statements of its own nodes alone", () => {
    const statement = utf8("a statement");
    const signature = testNode(1).identity.sign(statement);

    assert(book.verifyIdentity(1, statement, signature));
    assert(!book.verifyIdentity(2, statement, signature));
    assert(!book.verifyIdentity(9, statement, signature));
  });
});

test("an identity takes its seed over and never shows it", () => {
  const seed = new Secret(new Uint8Array(32).fill(9));

  const identity = new NodeIdentity(seed);

  assert.throws(() => seed.expose(), /wiped/);
  assert.equal(identity.publicKey.length, 32);
  assert.deepEqual(Object.keys(identity), ["publicKey"]);
});

test("an identity signs as RFC 8032 says (section 7.1, test 2)", () => {
  const seed = new Secret(
    Uint8Array.from(Buffer.from("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "hex")),
  );

  const identity = new NodeIdentity(seed);

  assert.equal(
    Buffer.from(identity.publicKey).toString("hex"),
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
  );
  assert.equal(
    Buffer.from(identity.sign(Uint8Array.of(0x72))).toString("hex"),
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
  );
});
