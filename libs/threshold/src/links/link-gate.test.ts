import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Secret } from "@countersign/bytes";
import { Link } from "./link.ts";
import { linkGate } from "./link-gate.ts";

function testLink(): Link {
  const word = () => new Uint8Array(32);
  return new Link({
    linkEpoch: 1,
    self: "signer-a",
    peer: "signer-b",
    fingerprints: { receiving: word(), sending: word() },
    pairSids: { receiving: word(), sending: word() },
    receivingSeeds: new Secret(new Uint8Array(8192)),
    sendingSeeds: new Secret(new Uint8Array(4096)),
    nabla: new Secret(new Uint8Array(16)),
    zeroSeed: new Secret(word()),
  });
}

/** A store whose answers a test may hold back. */
function heldStore() {
  const bans: string[] = [];
  let isActive = true;
  const held = Promise.withResolvers<void>();
  return {
    bans,
    release: () => held.resolve(),
    replace: () => {
      isActive = false;
    },
    isActive: async () => isActive,
    storeBan: async (_: Link, reason: string) => {
      await held.promise;
      bans.push(reason);
    },
  };
}

describe("the gate of a link", () => {
  test("lets messages pass while the link is active", async () => {
    const link = testLink();
    const gate = linkGate(link, heldStore());

    assert.equal(await gate.pass(async () => "sent"), "sent");
    assert.equal(gate.open(), link);
  });

  test("is shut from the first moment of a ban, also while the ban is being stored", async () => {
    const store = heldStore();
    const gate = linkGate(testLink(), store);
    let sent = 0;
    const send = async () => {
      sent++;
    };

    const ban = gate.ban("ot_check_failed");
    await assert.rejects(gate.pass(send), { code: "link_banned" });
    assert.throws(() => gate.open(), { code: "link_banned" });
    store.release();
    await ban;

    await assert.rejects(gate.pass(send), { code: "link_banned" });
    assert.equal(sent, 0);
  });

  test("one that asked for the status before a ban does not pass after it", async () => {
    const asked = Promise.withResolvers<boolean>();
    const gate = linkGate(testLink(), { isActive: () => asked.promise, storeBan: async () => {} });

    const passing = gate.pass(async () => "sent");
    const ban = gate.ban("ot_check_failed");
    asked.resolve(true);

    await assert.rejects(passing, { code: "link_banned" });
    await ban;
  });

  test("a ban is stored beside who is already sending, and ends when they have", async () => {
    const store = heldStore();
    store.release();
    const link = testLink();
    const gate = linkGate(link, store);
    const sending = Promise.withResolvers<void>();
    const isSending = Promise.withResolvers<void>();
    let isBanned = false;

    const passing = gate.pass(() => {
      isSending.resolve();
      return sending.promise;
    });
    await isSending.promise;
    const ban = gate.ban("multiplication_check_failed").then(() => {
      isBanned = true;
    });
    // Whatever can go on without the message has gone on by the next turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(store.bans, ["multiplication_check_failed"]);
    assert.ok(!isBanned);
    link.sendingSide();
    sending.resolve();
    await Promise.all([passing, ban]);

    assert.throws(() => link.sendingSide(), /wiped/);
  });

  test("many bans are one", async () => {
    const store = heldStore();
    store.release();
    const gate = linkGate(testLink(), store);

    await Promise.all(Array.from({ length: 20 }, () => gate.ban("ot_check_failed")));

    assert.deepEqual(store.bans, ["ot_check_failed"]);
  });

  test("a link that the store no longer holds as active is refused", async () => {
    const store = heldStore();
    const gate = linkGate(testLink(), store);

    store.replace();

    await assert.rejects(
      gate.pass(async () => "sent"),
      { code: "link_banned" },
    );
  });

  test("a ban that cannot be stored rejects, and the gate stays shut and the seeds destroyed", async () => {
    const link = testLink();
    const gate = linkGate(link, {
      isActive: async () => true,
      storeBan: async () => {
        throw new Error("disk full");
      },
    });

    await assert.rejects(gate.ban("ot_check_failed"), /disk full/);

    await assert.rejects(
      gate.pass(async () => "sent"),
      { code: "link_banned" },
    );
    assert.throws(() => link.sendingSide(), /wiped/);
  });

  test("a ban that could not be stored is stored by the next one, and the gate is shut all the time", async () => {
    const bans: string[] = [];
    let isBroken = true;
    const gate = linkGate(testLink(), {
      isActive: async () => true,
      storeBan: async (_, reason) => {
        if (isBroken) throw new Error("disk full");
        bans.push(reason);
      },
    });
    await assert.rejects(gate.ban("ot_check_failed"), /disk full/);
    assert.throws(() => gate.open(), { code: "link_banned" });
    isBroken = false;

    await gate.ban("ot_check_failed");
    await gate.ban("multiplication_check_failed");

    assert.deepEqual(bans, ["ot_check_failed"]);
    assert.throws(() => gate.open(), { code: "link_banned" });
  });
});
