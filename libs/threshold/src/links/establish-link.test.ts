import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { inspect } from "node:util";
import { hex } from "@countersign/bytes";
import { prepareCurves } from "../curves/prepare-curves.ts";
import type { Rng } from "../delivery.ts";
import { bitOf } from "../ecdsa/ot-extension.ts";
import { COLUMNS, EXPANDED_BYTES } from "../ecdsa/parameters.ts";
import { MultiplicationReceiver, MultiplicationSender } from "../ecdsa/rvole.ts";
import { systemRng } from "../testing/system-rng.ts";
import { confirmsLink, linkRounds } from "./establish-link.ts";
import { Link } from "./link.ts";
import { establishedPair, type LinkInterference, linkNetwork, runLinkSetup } from "./testing/link-network.ts";

before(() => prepareCurves(systemRng));

const KEY = { keyId: "key-a", epoch: 0, tau: new Uint8Array(32).fill(9) };
const seed = (seeds: Uint8Array, index: number) => hex(seeds.subarray(32 * index, 32 * (index + 1)));

/** No end sets up a link; the named ends fail with the one code for that reason, and nobody is named. */
async function fails(interference: LinkInterference, why: RegExp, ends: readonly number[] = [1]): Promise<void> {
  const outcomes = await runLinkSetup(linkNetwork(), interference);
  for (const [place, outcome] of outcomes.entries()) {
    assert.ok(outcome.status === "rejected", `end ${place + 1} set up a link`);
    if (!ends.includes(place + 1)) continue;
    assert.match(outcome.reason.message, why);
    const { code, culprits, suspects } = outcome.reason;
    assert.deepEqual({ code, culprits, suspects }, { code: "link_setup_failed", culprits: [], suspects: [] });
  }
}

const change = (body: Uint8Array, at: number, value = 1) => {
  const changed = body.slice();
  changed[at] = (changed[at] ?? 0) ^ value;
  return changed;
};

describe("the setup of a link", () => {
  test("gives both ends what base OTs promise, in both directions, and one zero-share seed", async () => {
    const [{ link: one }, { link: other }] = await establishedPair();

    for (const [receiver, sender] of [
      [one, other],
      [other, one],
    ] as const) {
      const { seeds } = receiver.receivingSide();
      const { seeds: chosen, nabla } = sender.sendingSide();
      for (let j = 0; j < COLUMNS; j++) {
        const missing = bitOf(nabla, j);
        assert.equal(seed(chosen, j), seed(seeds, 2 * j + 1 - missing));
        assert.notEqual(seed(chosen, j), seed(seeds, 2 * j + missing));
      }
      assert.deepEqual(receiver.receivingSide().gadget, sender.sendingSide().gadget);
      assert.equal(hex(receiver.fingerprints.receiving), hex(sender.fingerprints.sending));
    }
    assert.notEqual(hex(one.sendingSide().nabla), hex(other.sendingSide().nabla));
    assert.equal(hex(one.zeroSeedOf(KEY)), hex(other.zeroSeedOf(KEY)));
    assert.notEqual(hex(one.zeroSeedOf(KEY)), hex(one.zeroSeedOf({ ...KEY, epoch: 1 })));
  });

  test("carries a multiplication", async () => {
    const [{ link: one }, { link: other }] = await establishedPair(linkNetwork({ nodeIds: ["z", "y"] }));
    const psid1 = systemRng(32);
    const receiver = new MultiplicationReceiver(one.receivingSide(), psid1, systemRng(EXPANDED_BYTES));

    assert.ok(MultiplicationSender.check(other.sendingSide(), psid1, receiver.request) !== undefined);
  });

  test("draws everything anew: a renewed link shares nothing with the one before", async () => {
    const network = linkNetwork();
    const [{ link: before }] = await establishedPair(network);
    const [{ link: after }] = await establishedPair(network);

    assert.notEqual(hex(before.fingerprints.receiving), hex(after.fingerprints.receiving));
    assert.notEqual(hex(before.zeroSeedOf(KEY)), hex(after.zeroSeedOf(KEY)));
    assert.notEqual(seed(before.receivingSide().seeds, 0), seed(after.receivingSide().seeds, 0));
  });

  test("sends bodies of the announced sizes", async () => {
    const sizes = new Map<string, number>();

    await runLinkSetup(linkNetwork(), {
      forge: ({ round, body }) => {
        sizes.set(round, body.length);
        return undefined;
      },
    });

    assert.deepEqual(Object.fromEntries(sizes), linkRounds);
  });

  test("stages the link before it confirms it, and hands over the peer's signed confirmation", async () => {
    const events: string[] = [];
    const [first] = await runLinkSetup(linkNetwork(), {
      options: (party, options) => ({
        ...options,
        stage: async (link) => {
          events.push(`staged ${party}`);
          assert.ok(link.receivingSide().seeds.length > 0);
        },
      }),
      forge: ({ from, round }) => {
        events.push(`${round} ${from}`);
        return undefined;
      },
    });

    assert.ok(events.indexOf("staged 1") < events.indexOf("confirm 1"));
    assert.ok(first.status === "fulfilled" && confirmsLink(first.value.link, first.value.confirmation.body));
  });

  test("a confirmation of another link, or cut short, confirms nothing", async () => {
    const [{ link }] = await establishedPair();
    const [, { confirmation }] = await establishedPair();

    assert.equal(confirmsLink(link, confirmation.body), false);
    assert.equal(confirmsLink(link, new Uint8Array(0)), false);
  });

  test("a link that cannot be staged is confirmed to nobody and wiped", async () => {
    const staged: Link[] = [];

    const [first, second] = await runLinkSetup(linkNetwork(), {
      options: (party, options) => ({
        ...options,
        stage: async (link) => {
          staged.push(link);
          if (party === 1) throw new Error("disk full");
        },
      }),
    });

    assert.equal(first.status === "rejected" && first.reason.message, "disk full");
    assert.equal(second.status === "rejected" && second.reason.code, "session_deadline");
    for (const link of staged) assert.throws(() => link.receivingSide(), /wiped/);
  });
});

describe("a cheater in the setup of a link", () => {
  /** Party 2 sends something else in a round. */
  const forged =
    (round: string, forge: (body: Uint8Array) => Uint8Array): NonNullable<LinkInterference["forge"]> =>
    (sent) =>
      sent.from === 2 && sent.round === round ? forge(sent.body) : undefined;

  test("who opens another half or salt than it committed to is refused", async () => {
    for (const at of [3, 40]) await fails({ forge: forged("request", (body) => change(body, at)) }, /another half/);
  });

  test("who commits to another half than it opens is refused", () =>
    fails({ forge: forged("commit", (body) => change(body, 40)) }, /another half/));

  test("who reflects the other's request is refused", async () => {
    const request = Promise.withResolvers<Uint8Array>();
    await fails(
      {
        delivery: (party, delivery) => ({
          ...delivery,
          send: async (round, to, body) => {
            if (round !== "request") return await delivery.send(round, to, body);
            if (party === 1) request.resolve(body.slice(64));
            const reflected = body.slice();
            if (party === 2) reflected.set(await request.promise, 64);
            return await delivery.send(round, to, reflected);
          },
        }),
      },
      /own request back/,
    );
  });

  test("who offers one element twice is refused", () =>
    fails(
      {
        forge: forged("request", (body) => {
          const twice = body.slice();
          twice.copyWithin(64 + 64 * 7 + 32, 64 + 64 * 7, 64 + 64 * 7 + 32);
          return twice;
        }),
      },
      /one element twice/,
    ));

  test("who sends the identity or no element is refused, in either message", async () => {
    for (const round of ["request", "answer"])
      for (const bad of [new Uint8Array(32), new Uint8Array(32).fill(0xff)])
        await fails(
          {
            forge: forged(round, (sent) => {
              const body = sent.slice();
              body.set(bad, body.length - 32);
              return body;
            }),
          },
          /an element of ristretto255/,
        );
  });

  test("whose messages arrive changed is found by the fingerprints", async () => {
    for (const round of ["request", "answer"])
      await fails(
        {
          forge: forged(round, (sent) => {
            // Two valid elements change places.
            const body = sent.slice();
            const last = body.length - 32;
            body.set(sent.subarray(last - 32, last), last);
            body.set(sent.subarray(last), last - 32);
            return body;
          }),
        },
        /different fingerprints/,
        [1, 2],
      );
  });

  test("who confirms something else is refused", async () => {
    for (const at of [0, 63])
      await runLinkSetup(linkNetwork(), { forge: forged("confirm", (body) => change(body, at)) }).then(([first]) => {
        assert.ok(first.status === "rejected");
        assert.match(first.reason.message, /different fingerprints/);
      });
  });

  test("who sends another length is refused in every round", async () => {
    const lengths: readonly ((body: Uint8Array) => Uint8Array)[] = [
      (body) => body.slice(1),
      (body) => new Uint8Array([...body, 0]),
    ];
    for (const round of Object.keys(linkRounds))
      for (const change of lengths) {
        // Changed at the receiver: a mesh would drop what is too long, which is not what keeps us safe.
        const [first] = await runLinkSetup(linkNetwork(), {
          delivery: (party, delivery) => ({
            ...delivery,
            complete: async (name) => {
              const messages = await delivery.complete(name);
              if (party === 2 || name !== round) return messages;
              return new Map(
                [...messages].map(([from, message]) => [from, { ...message, body: change(message.body) }]),
              );
            },
          }),
        });
        assert.ok(first.status === "rejected", `a changed "${round}" was accepted`);
        assert.equal(first.reason.code, "link_setup_failed");
      }
  });

  test("whose terms differ gets no link", async () => {
    const others = { linkEpoch: 2, deploymentId: "other" };
    for (const [name, value] of Object.entries(others))
      await fails(
        { options: (party, options) => (party === 1 ? options : { ...options, [name]: value }) },
        /another half/,
        [1, 2],
      );
  });

  test("terms that join anything but two nodes are refused before anything is sent", async () => {
    const refused: LinkInterference[] = [
      { options: (_, options) => ({ ...options, peer: options.self }) },
      { options: (_, options) => ({ ...options, linkEpoch: 0 }) },
      { options: (_, options) => ({ ...options, linkEpoch: 2 ** 32 }) },
      { options: (_, options) => ({ ...options, self: { ...options.self, identityKey: new Uint8Array(31) } }) },
      { delivery: (_, delivery) => ({ ...delivery, parties: [1, 2, 3] }) },
    ];
    for (const interference of refused) {
      const [first] = await runLinkSetup(linkNetwork(), interference);
      assert.equal(first.status === "rejected" && first.reason.code, "link_terms_invalid");
    }
  });
});

describe("a link", () => {
  test("survives its encoding", async () => {
    const [{ link }] = await establishedPair();

    const decoded = Link.decode(link.encode());

    assert.equal(hex(decoded.encode()), hex(link.encode()));
    assert.deepEqual(decoded.receivingSide(), link.receivingSide());
    assert.equal(decoded.peer, "signer-b");
  });

  test("does not decode from anything else", async () => {
    const encoded = (await establishedPair())[0].link.encode();
    const longName = encoded.slice();
    longName.set([1, 0], 6);

    for (const bytes of [
      encoded.slice(1),
      encoded.slice(0, -1),
      new Uint8Array([...encoded, 0]),
      change(encoded, 0),
      longName,
      change(encoded, 5),
      change(encoded, 8, 0x80),
      // signer-b becomes signer-a, which is this end.
      change(encoded, 6 + 2 + 8 + 2 + 7, 3),
    ])
      assert.throws(() => Link.decode(bytes), { code: "link_record_invalid" });
  });

  test("is the same made of Buffers, whose slices are views", async () => {
    const pooledRng: Rng = (size) => Buffer.concat([Uint8Array.of(1), systemRng(size)]).subarray(1);
    const [{ link }, { link: other }] = await establishedPair(linkNetwork({ rng: pooledRng }));

    const encoded = link.encode();
    const decoded = Link.decode(Buffer.concat([Uint8Array.of(1), encoded]).subarray(1));
    encoded.fill(0);

    const psid1 = systemRng(32);
    const receiver = new MultiplicationReceiver(other.receivingSide(), psid1, pooledRng(EXPANDED_BYTES));
    for (const end of [link, decoded]) {
      assert.notDeepEqual(end.sendingSide().nabla, new Uint8Array(16));
      assert.ok(MultiplicationSender.check(end.sendingSide(), psid1, receiver.request));
    }
  });

  test("prints no secret and gives none once wiped", async () => {
    const [{ link }] = await establishedPair();
    const printed = inspect(link, { depth: 9, showHidden: true }) + JSON.stringify(link);
    assert.doesNotMatch(printed, new RegExp(hex(link.sendingSide().nabla)));

    link.wipe();

    assert.throws(() => link.sendingSide(), /wiped/);
    assert.throws(() => link.encode(), /wiped/);
  });
});
