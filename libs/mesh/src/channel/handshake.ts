import { create, toBinary } from "@bufbuild/protobuf";
import { equalBytes, hex, Secret } from "@countersign/bytes";
import {
  type ChannelAnswer,
  type ChannelConfirmation,
  type ChannelMessage,
  ChannelMessageSchema,
  type ChannelOffer,
} from "@countersign/proto/mesh";
import type { PartyIndex, Rng } from "@countersign/threshold";
import sodium from "libsodium-wrappers-sumo";
import type { NodeIdentity, PeerIdentity } from "../identity.ts";
import { decodeStrict } from "../strict-message.ts";
import { Channel } from "./channel.ts";
import { channelId, channelKey, channelStatement, channelTranscript } from "./transcript.ts";

/** The two processes that make a channel, as this one sees them. */
export interface ChannelEnds {
  readonly deploymentId: string;
  readonly self: {
    readonly id: string;
    readonly index: PartyIndex;
    readonly bootId: Uint8Array;
    readonly identity: NodeIdentity;
  };
  readonly peer: { readonly id: string; readonly index: PartyIndex; readonly identity: PeerIdentity };
  readonly rng: Rng;
}

/** The initiator's half while it waits for an answer. */
export interface OutstandingOffer {
  readonly offer: { readonly bootId: Uint8Array; readonly a: Uint8Array };
  readonly secret: Secret;
  readonly message: Uint8Array;
}

/** The responder's half while it waits for the confirmation; trusted for nothing before that. */
export interface PendingAnswer {
  /** Channel id in hex. */
  readonly name: string;
  readonly offer: { readonly bootId: Uint8Array; readonly a: Uint8Array };
  readonly transcript: Uint8Array;
  readonly key: Secret;
  readonly message: Uint8Array;
}

/** Decodes a handshake message; undefined unless it is canonical and every field has its length. */
export function decodeChannelMessage(bytes: Uint8Array): ChannelMessage["kind"] | undefined {
  const kind = decodeStrict(ChannelMessageSchema, bytes)?.kind;
  switch (kind?.case) {
    case "offer":
      return isOffer(kind.value) ? kind : undefined;
    case "answer": {
      const { offer, bootId, b, signature } = kind.value;
      const isWhole = offer !== undefined && isOffer(offer) && bootId.length === 16;
      return isWhole && b.length === 32 && signature.length === 64 ? kind : undefined;
    }
    case "confirmation": {
      const { channelId, signature } = kind.value;
      return channelId.length === 16 && signature.length === 64 ? kind : undefined;
    }
    default:
      return undefined;
  }
}

function isOffer(offer: ChannelOffer): boolean {
  return offer.bootId.length === 16 && offer.a.length === 32;
}

/** First message: a fresh key. */
export function makeOffer(ends: ChannelEnds): OutstandingOffer {
  const secret = new Secret(ends.rng(32));
  const offer = { bootId: ends.self.bootId, a: sodium.crypto_scalarmult_base(secret.expose()) };
  return { offer, secret, message: encode({ case: "offer", value: offer }) };
}

/** Second message: the responder's fresh key, signed; undefined when the offer's key is of small order. */
export function answerOffer(ends: ChannelEnds, offer: ChannelOffer): PendingAnswer | undefined {
  const { self, peer, deploymentId } = ends;
  const secret = new Secret(ends.rng(32));
  const b = sodium.crypto_scalarmult_base(secret.expose());
  const transcript = channelTranscript(
    deploymentId,
    { nodeId: peer.id, bootId: offer.bootId, key: offer.a },
    { nodeId: self.id, bootId: self.bootId, key: b },
  );
  const key = channelKey(secret, offer.a, transcript);
  secret.wipe();
  if (key === undefined) return undefined;
  const signature = self.identity.sign(channelStatement("responder", transcript));
  const message = encode({ case: "answer", value: { offer, bootId: self.bootId, b, signature } });
  return { name: hex(channelId(transcript)), offer, transcript, key, message };
}

/**
 * The initiator's judgement of an answer: the channel and the third message, or undefined when it answers another offer, its
 * signature is not the peer's over this transcript, or its key is of small order. The outstanding offer is not consumed here.
 */
export function acceptAnswer(
  ends: ChannelEnds,
  outstanding: OutstandingOffer,
  answer: ChannelAnswer,
): { channel: Channel; confirmation: Uint8Array } | undefined {
  const { self, peer, deploymentId } = ends;
  const { offer, secret } = outstanding;
  if (answer.offer === undefined || !equalBytes(answer.offer.a, offer.a)) return undefined;
  if (!equalBytes(answer.offer.bootId, offer.bootId)) return undefined;
  const transcript = channelTranscript(
    deploymentId,
    { nodeId: self.id, bootId: offer.bootId, key: offer.a },
    { nodeId: peer.id, bootId: answer.bootId, key: answer.b },
  );
  if (!peer.identity.verify(channelStatement("responder", transcript), answer.signature)) return undefined;
  const key = channelKey(secret, answer.b, transcript);
  if (key === undefined) return undefined;
  const id = channelId(transcript);
  const signature = self.identity.sign(channelStatement("initiator", transcript));
  return {
    channel: new Channel({ id, key, self: self.index, peer: peer.index, peerBootId: answer.bootId }),
    confirmation: encode({ case: "confirmation", value: { channelId: id, signature } }),
  };
}

/** The responder's judgement of a confirmation: the channel, or undefined when the signature is not the initiator's. */
export function acceptConfirmation(
  ends: ChannelEnds,
  pending: PendingAnswer,
  confirmation: ChannelConfirmation,
): Channel | undefined {
  const { self, peer } = ends;
  if (!peer.identity.verify(channelStatement("initiator", pending.transcript), confirmation.signature))
    return undefined;
  const { key, transcript, offer } = pending;
  return new Channel({
    id: channelId(transcript),
    key,
    self: self.index,
    peer: peer.index,
    peerBootId: offer.bootId,
  });
}

type ChannelMessageInit = NonNullable<Parameters<typeof create<typeof ChannelMessageSchema>>[1]>["kind"];

function encode(kind: NonNullable<ChannelMessageInit>): Uint8Array {
  return toBinary(ChannelMessageSchema, create(ChannelMessageSchema, { kind }));
}
