import { hkdfSync } from "node:crypto";
import { lengthPrefixed, Secret, sha256 } from "@countersign/bytes";
import sodium from "libsodium-wrappers-sumo";

/** One end of a channel as both ends see it. */
export interface ChannelEnd {
  readonly nodeId: string;
  /** 16 random bytes, drawn when the process started. */
  readonly bootId: Uint8Array;
  /** Fresh X25519 public key, 32 bytes. */
  readonly key: Uint8Array;
}

/** T of architecture 7, hashed: everything both ends must agree on before they trust the channel. */
export function channelTranscript(deploymentId: string, initiator: ChannelEnd, responder: ChannelEnd): Uint8Array {
  return sha256(
    lengthPrefixed(
      "countersign/channel/v1",
      deploymentId,
      initiator.nodeId,
      initiator.bootId,
      responder.nodeId,
      responder.bootId,
      initiator.key,
      responder.key,
    ),
  );
}

/** What an end signs with its identity to vouch for its half. The role is in the label, so no signature serves both ends. */
export function channelStatement(role: "initiator" | "responder", transcript: Uint8Array): Uint8Array {
  return lengthPrefixed(`countersign/channel/v1/${role}`, transcript);
}

/** The channel's public name, 16 bytes. */
export function channelId(transcript: Uint8Array): Uint8Array {
  return transcript.slice(0, 16);
}

/**
 * The channel's key from this end's X25519 secret and the other end's public key; undefined when the other end's key is of small
 * order, which would let a stranger know the result. The secret is not wiped here.
 */
export function channelKey(secret: Secret, peerKey: Uint8Array, transcript: Uint8Array): Secret | undefined {
  let shared: Uint8Array;
  try {
    shared = sodium.crypto_scalarmult(secret.expose(), peerKey);
  } catch {
    // libsodium's only complaint about 32-byte inputs: the result would be zero.
    return undefined;
  }
  const key = hkdfSync("sha256", shared, transcript, "countersign/channel/v1/key", 32);
  shared.fill(0);
  return new Secret(new Uint8Array(key));
}
