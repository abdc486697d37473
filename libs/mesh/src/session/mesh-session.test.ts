import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { concatBytes, hex } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import { type Envelope, EnvelopeSchema, SignedBodySchema } from "@countersign/proto/mesh";
import type { MessageFacts, PartyIndex, SignedMessage } from "@countersign/threshold";
import type { Channel } from "../channel/channel.ts";
import { decodeChannelMessage } from "../channel/handshake.ts";
import { type DropReason, MeshCounters } from "../counters.ts";
import { ENVELOPE_BYTES_MAX, sealEnvelope } from "../envelope.ts";
import { MeshAbort } from "../errors.ts";
import { signMessage } from "../header.ts";
import { PeerIdentity } from "../identity.ts";
import { JoinedChannels } from "../testing/joined-channels.ts";
import { DEPLOYMENT, testNode } from "../testing/simulated-nodes.ts";
import { MeshSession } from "./mesh-session.ts";

const SESSION = new Uint8Array(32).fill(0x51);
const OTHER_SESSION = new Uint8Array(32).fill(0x52);
const DIGEST = new Uint8Array(32).fill(0xd1);
const BODY = Uint8Array.of(1, 2, 3);
const ROUNDS = { commit: 64, share: 64 };

/** Node 1's session with node 2 over a real channel, and everything a malicious node 2 needs to write to it. */
class Stage {
  readonly joined: JoinedChannels;
  readonly session: MeshSession;
  readonly counters = new MeshCounters();
  readonly published: { session: string; envelope: Uint8Array }[] = [];
  readonly controller = new AbortController();
  closed = 0;

  private constructor(joined: JoinedChannels, parties: readonly PartyIndex[]) {
    this.joined = joined;
    const peer = {
      index: 2,
      identity: new PeerIdentity(testNode(2).publicKey),
      channels: joined.end(1).channels,
      publish: (session: string, envelope: Uint8Array) => this.published.push({ session, envelope }),
    };
    const { signal } = this.controller;
    const options = { sessionId: SESSION, sessionDigest: DIGEST, parties, rounds: ROUNDS, signal };
    this.session = new MeshSession(options, {
      deploymentId: DEPLOYMENT,
      self: 1,
      identity: testNode(1).identity,
      rng: joined.end(1).ends.rng,
      counters: this.counters,
      peers: new Map([[2, peer]]),
      onClose: () => this.closed++,
    });
  }

  static async create(options: { readonly isJoined?: boolean } = {}): Promise<Stage> {
    const joined = await JoinedChannels.create();
    if (options.isJoined ?? true) await joined.establish();
    return new Stage(joined, [1, 2]);
  }

  /** What node 2 signs, with whatever it likes to say. */
  signed(facts: Partial<MessageFacts> = {}, body = BODY, signer: PartyIndex = 2): SignedMessage {
    const honest = { sessionId: SESSION, sessionDigest: DIGEST, round: "commit", from: 2, to: 0 };
    return signMessage(testNode(signer).identity, DEPLOYMENT, { ...honest, ...facts }, body);
  }

  sealed(
    message: SignedMessage,
    options: { readonly session?: Uint8Array; readonly channel?: Channel } = {},
  ): Uint8Array {
    const { session = SESSION, channel = this.joined.current(2) } = options;
    return sealEnvelope(channel, hex(session), message, this.joined.end(2).ends.rng);
  }

  /** An honest message of node 2, sealed. */
  honest(): Uint8Array {
    return this.sealed(this.signed());
  }

  /** Delivers bytes and checks that they were dropped for this reason, and that the session runs on as if they never came. */
  async assertDropped(bytes: Uint8Array, reason: DropReason, from: PartyIndex = 2): Promise<void> {
    const before = this.counters.dropped[reason];
    assert.equal(this.session.receive(from, bytes), "done");
    assert.equal(this.counters.dropped[reason], before + 1, `not dropped as ${reason}`);
    assert.equal(this.counters.envelopesAccepted, 0);
    this.session.receive(2, this.honest());
    const received = await this.session.complete("commit");
    assert.deepEqual(received.get(2)?.body, BODY);
  }
}

/** An envelope with some fields changed, encoded canonically. */
function changed(bytes: Uint8Array, change: (envelope: Envelope) => void): Uint8Array {
  const envelope = fromBinary(EnvelopeSchema, bytes);
  change(envelope);
  return toBinary(EnvelopeSchema, envelope);
}

/** Any bytes under node 2's seal. */
function sealedRaw(stage: Stage, header: Uint8Array, plain: Uint8Array): Uint8Array {
  const channel = stage.joined.current(2);
  const { nonce, sealed } = channel.seal(hex(SESSION), header, plain, stage.joined.end(2).ends.rng);
  return toBinary(EnvelopeSchema, create(EnvelopeSchema, { header, channelId: channel.id, nonce, sealed }));
}

const UNKNOWN_FIELD = Uint8Array.of(0x78, 1);

describe("an envelope", () => {
  test("that is as it should be is delivered with its signature", async () => {
    const stage = await Stage.create();

    assert.equal(stage.session.receive(2, stage.honest()), "done");

    const received = await stage.session.complete("commit");
    assert.deepEqual(received.get(2), stage.signed());
    assert.equal(stage.counters.envelopesAccepted, 1);
    assert.equal(stage.counters.droppedTotal, 0);
  });

  test("with any bit flipped is dropped", async () => {
    const stage = await Stage.create();
    const honest = stage.honest();

    for (let bit = 0; bit < honest.length * 8; bit++) {
      const bytes = honest.slice();
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      stage.session.receive(2, bytes);
      assert.equal(stage.counters.droppedTotal, bit + 1, `bit ${bit}`);
    }

    stage.session.receive(2, honest);
    assert.equal((await stage.session.complete("commit")).size, 1);
  });

  test("cut off anywhere, or with anything behind it, is dropped", async () => {
    const stage = await Stage.create();
    const honest = stage.honest();

    for (let length = 0; length < honest.length; length++) stage.session.receive(2, honest.subarray(0, length));
    assert.equal(stage.counters.droppedTotal, honest.length);

    await stage.assertDropped(concatBytes(honest, UNKNOWN_FIELD), "envelope_malformed");
  });

  const cases: Record<string, [(stage: Stage) => Uint8Array, DropReason]> = {
    "whose channel id is short": [
      (stage) => changed(stage.honest(), (envelope) => (envelope.channelId = envelope.channelId.subarray(1))),
      "envelope_malformed",
    ],
    "whose nonce is short": [
      (stage) => changed(stage.honest(), (envelope) => (envelope.nonce = envelope.nonce.subarray(1))),
      "envelope_malformed",
    ],
    "longer than the bus carries": [() => new Uint8Array(ENVELOPE_BYTES_MAX + 1), "envelope_oversized"],
    "whose header has another version": [
      (stage) => sealedRaw(stage, Uint8Array.of(0x08, 2, ...stage.signed().header.subarray(2)), BODY),
      "header_malformed",
    ],
    "whose header has an unknown field": [
      (stage) => sealedRaw(stage, concatBytes(stage.signed().header, UNKNOWN_FIELD), BODY),
      "header_malformed",
    ],
    "whose session id is short": [
      (stage) => stage.sealed(stage.signed({ sessionId: SESSION.subarray(1) })),
      "header_malformed",
    ],
    "whose session digest is short": [
      (stage) => stage.sealed(stage.signed({ sessionDigest: DIGEST.subarray(1) })),
      "header_malformed",
    ],
    "without a round": [(stage) => stage.sealed(stage.signed({ round: "" })), "header_malformed"],
    "with a round longer than names are": [
      (stage) => stage.sealed(stage.signed({ round: "r".repeat(33) })),
      "header_malformed",
    ],
    "from party 0": [(stage) => stage.sealed(stage.signed({ from: 0 })), "header_malformed"],
    "that claims another sender, signed and sealed by its real one": [
      (stage) => stage.sealed(stage.signed({ from: 3 })),
      "header_misplaced",
    ],
    "that claims to be from the receiver": [(stage) => stage.sealed(stage.signed({ from: 1 })), "header_misplaced"],
    "addressed to another party": [(stage) => stage.sealed(stage.signed({ to: 3 })), "header_misplaced"],
    "of another session, sealed for this one": [
      (stage) => stage.sealed(stage.signed({ sessionId: OTHER_SESSION })),
      "header_misplaced",
    ],
    "recorded in another session": [
      (stage) => stage.sealed(stage.signed({ sessionId: OTHER_SESSION }), { session: OTHER_SESSION }),
      "header_misplaced",
    ],
    "recorded in another session, with this session's header": [
      (stage) => stage.sealed(stage.signed(), { session: OTHER_SESSION }),
      "seal_broken",
    ],
    "recorded in another round, with this round's header": [
      (stage) => {
        const { header } = stage.signed();
        return changed(stage.sealed(stage.signed({ round: "share" })), (envelope) => (envelope.header = header));
      },
      "seal_broken",
    ],
    "sealed by the receiver itself, turned around": [
      (stage) => stage.sealed(stage.signed(), { channel: stage.joined.current(1) }),
      "seal_broken",
    ],
    "under a channel that does not exist": [
      (stage) => changed(stage.honest(), (envelope) => (envelope.channelId = new Uint8Array(16))),
      "channel_unknown",
    ],
    "with nothing under the seal that can be read": [
      (stage) => sealedRaw(stage, stage.signed().header, Uint8Array.of(0xff)),
      "body_malformed",
    ],
    "with an unknown field under the seal": [
      (stage) => {
        const { header, body, signature } = stage.signed();
        const plain = toBinary(SignedBodySchema, create(SignedBodySchema, { body, signature }));
        return sealedRaw(stage, header, concatBytes(plain, UNKNOWN_FIELD));
      },
      "body_malformed",
    ],
    "signed by another node": [(stage) => stage.sealed(stage.signed({}, BODY, 3)), "signature_invalid"],
    "signed by the receiver": [(stage) => stage.sealed(stage.signed({}, BODY, 1)), "signature_invalid"],
    "without a signature": [
      (stage) => stage.sealed({ ...stage.signed(), signature: new Uint8Array(0) }),
      "signature_invalid",
    ],
    "whose body was exchanged by who sealed it": [
      (stage) => stage.sealed({ ...stage.signed(), body: Uint8Array.of(9) }),
      "signature_invalid",
    ],
    "whose signature is for another round": [
      (stage) => stage.sealed({ ...stage.signed({ round: "share" }), header: stage.signed().header }),
      "signature_invalid",
    ],
    "whose signature is for another receiver": [
      (stage) => stage.sealed({ ...stage.signed({ to: 3 }), header: stage.signed().header }),
      "signature_invalid",
    ],
    "signed for another deployment": [
      (stage) => {
        const facts = { sessionId: SESSION, sessionDigest: DIGEST, round: "commit", from: 2, to: 0 };
        return stage.sealed(signMessage(testNode(2).identity, "dep-other", facts, BODY));
      },
      "signature_invalid",
    ],
  };
  for (const [what, [make, reason]] of Object.entries(cases))
    test(`${what} is dropped as ${reason}`, async () => {
      const stage = await Stage.create();

      await stage.assertDropped(make(stage), reason);
    });

  test("from a node that is no party of the session is dropped", async () => {
    const stage = await Stage.create();

    await stage.assertDropped(stage.sealed(stage.signed({ from: 3 }, BODY, 3)), "sender_not_party", 3);
  });

  test("under a wiped channel is dropped, whoever recorded it", async () => {
    const stage = await Stage.create();
    const recorded = stage.honest();
    for (let renewal = 0; renewal < 4; renewal++) {
      stage.joined.end(1).channels.renew();
      await stage.joined.clock.advance(100);
    }

    await stage.assertDropped(recorded, "channel_unknown");
  });

  test("whose channel awaits its confirmation has to wait", async () => {
    const stage = await Stage.create();
    stage.joined.tap = ({ bytes }) => decodeChannelMessage(bytes)?.case !== "confirmation";
    stage.joined.end(2).channels.renew();
    await stage.joined.clock.advance(100);

    assert.equal(stage.session.receive(2, stage.honest()), "wait");
    stage.joined.tap = () => true;
    await stage.joined.clock.advance(1_000);

    assert.equal(stage.session.receive(2, stage.honest()), "done");
    assert.equal((await stage.session.complete("commit")).size, 1);
  });

  test("repeated by the bus is dropped before its signature is verified", async () => {
    const stage = await Stage.create();
    stage.session.receive(2, stage.honest());
    const { header, body } = stage.signed();

    stage.session.receive(2, stage.honest());
    stage.session.receive(2, stage.sealed({ header, body, signature: new Uint8Array(64) }));

    assert.equal(stage.counters.dropped.repeated, 2);
    assert.equal(stage.counters.envelopesAccepted, 1);
  });

  test("under a channel unknown here makes the two nodes agree on a fresh one", async () => {
    const stage = await Stage.create();
    const { name } = stage.joined.current(1);

    await stage.assertDropped(
      changed(stage.honest(), (envelope) => (envelope.channelId = new Uint8Array(16))),
      "channel_unknown",
    );
    await stage.joined.clock.advance(100);

    assert.notEqual(stage.joined.current(1).name, name);
  });
});

describe("a validly signed misdeed ends the session with its evidence", () => {
  const failing = async (stage: Stage): Promise<unknown> => {
    const error = await stage.session.complete("commit").catch((thrown: unknown) => thrown);
    assert(error instanceof MeshAbort);
    await assert.rejects(stage.session.send("share", "all", BODY), error);
    stage.session.receive(2, stage.honest());
    assert.equal(stage.counters.dropped.session_over, 1);
    return [error.code, error.culprits, error.evidence.messages.length];
  };

  test("two messages for one round", async () => {
    const stage = await Stage.create();

    stage.session.receive(2, stage.honest());
    stage.session.receive(2, stage.sealed(stage.signed({}, Uint8Array.of(7))));

    assert.deepEqual(await failing(stage), ["message_equivocated", [2], 2]);
  });

  test("another session digest", async () => {
    const stage = await Stage.create();

    stage.session.receive(2, stage.sealed(stage.signed({ sessionDigest: SESSION })));

    assert.deepEqual(await failing(stage), ["session_views_differ", [], 1]);
  });

  test("a round that does not exist", async () => {
    const stage = await Stage.create();

    stage.session.receive(2, stage.sealed(stage.signed({ round: "toString" })));

    assert.deepEqual(await failing(stage), ["message_oversized", [2], 1]);
  });

  test("a message longer than its round allows", async () => {
    const stage = await Stage.create();

    stage.session.receive(2, stage.sealed(stage.signed({}, new Uint8Array(65))));

    assert.deepEqual(await failing(stage), ["message_oversized", [2], 1]);
  });
});

describe("a session", () => {
  test("seals for its receiver what it sends, and gives back what it signed", async () => {
    const stage = await Stage.create();

    const message = await stage.session.send("share", 2, BODY);

    const [sent] = stage.published;
    assert(sent);
    assert.equal(sent.session, hex(SESSION));
    const { header, channelId, nonce, sealed } = fromBinary(EnvelopeSchema, sent.envelope);
    assert.deepEqual(header, message.header);
    assert.deepEqual(channelId, stage.joined.current(1).id);
    assert.equal(nonce.length, 24);
    const plain = stage.joined.current(2).open(hex(SESSION), header, nonce, sealed);
    assert(plain);
    assert.deepEqual(fromBinary(SignedBodySchema, plain).signature, message.signature);
    assert(!Buffer.from(sent.envelope).includes(Buffer.from(message.signature)));
  });

  test("draws another nonce for every envelope", async () => {
    const stage = await Stage.create();

    for (let count = 0; count < 50; count++) await stage.session.send("share", 2, BODY);

    const nonces = stage.published.map(({ envelope }) => hex(fromBinary(EnvelopeSchema, envelope).nonce));
    assert.equal(new Set(nonces).size, 50);
  });

  test("starts a handshake when it has no channel, and sends once there is one", async () => {
    const stage = await Stage.create({ isJoined: false });

    const sending = stage.session.send("commit", "all", BODY);
    assert.equal(stage.published.length, 0);
    await stage.joined.clock.settle(sending, 1_000);

    assert.equal(stage.published.length, 1);
  });

  test("names the party it could not reach when its deadline passes", async () => {
    const stage = await Stage.create({ isJoined: false });
    stage.joined.tap = () => false;
    const sending = stage.session.send("commit", "all", BODY);

    stage.controller.abort(new DOMException("late", "TimeoutError"));

    const error = await sending.catch((thrown: unknown) => thrown);
    assert(error instanceof CountersignError && error.code === "session_deadline");
    assert.deepEqual(error.details, { silent: [2] });
  });

  test("refuses to send what its own rounds do not allow: that is a bug", async () => {
    const stage = await Stage.create();

    await assert.rejects(stage.session.send("commit", "all", new Uint8Array(65)), /too many/);
    await assert.rejects(stage.session.send("nothing", "all", BODY), /too many/);
    await assert.rejects(stage.session.send("commit", 3, BODY), /no other party/);
    await assert.rejects(stage.session.send("commit", 1, BODY), /no other party/);
    assert.equal(stage.published.length, 0);
  });

  test("that is closed sends, receives and remembers nothing", async () => {
    const stage = await Stage.create();
    const recorded = stage.honest();

    stage.session.close();
    stage.session.close();

    assert.equal(stage.closed, 1);
    stage.session.receive(2, recorded);
    assert.equal(stage.counters.dropped.session_over, 1);
    await assert.rejects(stage.session.send("commit", "all", BODY), { code: "session_cancelled" });
    await assert.rejects(stage.session.complete("commit"), { code: "session_cancelled" });
  });
});
