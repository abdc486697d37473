import { create, toBinary } from "@bufbuild/protobuf";
import { type Envelope, EnvelopeSchema, SignedBodySchema } from "@countersign/proto/mesh";
import type { Rng, SignedMessage } from "@countersign/threshold";
import { type Channel, NONCE_BYTES } from "./channel/channel.ts";
import { decodeStrict } from "./strict-message.ts";

/** Longest envelope: what the bus is configured to carry (`max_payload`). */
export const ENVELOPE_BYTES_MAX = 1_048_576;
/** Longest body of a message: an envelope without its header, signature, seal and framing, rounded down. */
export const BODY_BYTES_MAX = 1_048_000;

/** Seals a signed message for one receiver: the header in the clear and authenticated, body and signature under the seal. */
export function sealEnvelope(channel: Channel, session: string, message: SignedMessage, rng: Rng): Uint8Array {
  const { header, body, signature } = message;
  const signedBody = toBinary(SignedBodySchema, create(SignedBodySchema, { body, signature }));
  const { nonce, sealed } = channel.seal(session, header, signedBody, rng);
  return toBinary(EnvelopeSchema, create(EnvelopeSchema, { header, channelId: channel.id, nonce, sealed }));
}

/** Decodes an envelope; undefined unless it is canonical and its fields have their lengths. */
export function decodeEnvelope(bytes: Uint8Array): Envelope | undefined {
  const envelope = decodeStrict(EnvelopeSchema, bytes);
  if (envelope === undefined || envelope.channelId.length !== 16 || envelope.nonce.length !== NONCE_BYTES)
    return undefined;
  return envelope;
}

/** Decodes what was under the seal; undefined unless it is canonical. */
export function decodeSignedBody(header: Uint8Array, plain: Uint8Array): SignedMessage | undefined {
  const decoded = decodeStrict(SignedBodySchema, plain);
  return decoded === undefined ? undefined : { header, body: decoded.body, signature: decoded.signature };
}
