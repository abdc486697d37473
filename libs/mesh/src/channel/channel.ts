import { hkdfSync } from "node:crypto";
import { hex, lengthPrefixed, type Secret, u32be, wipe } from "@countersign/bytes";
import type { PartyIndex, Rng } from "@countersign/threshold";
import sodium from "libsodium-wrappers-sumo";

/** Bytes of an XChaCha20-Poly1305 nonce: long enough to draw at random for every message of a channel's life. */
export const NONCE_BYTES = 24;

/** What a channel is made of. */
export interface ChannelParts {
  /** 16 bytes. */
  readonly id: Uint8Array;
  /** Taken over: wiped with the channel. */
  readonly key: Secret;
  readonly self: PartyIndex;
  readonly peer: PartyIndex;
  readonly peerBootId: Uint8Array;
}

interface SessionKeys {
  readonly outgoing: Uint8Array;
  readonly incoming: Uint8Array;
}

/**
 * The encrypted connection of two processes, RAM only. Seals and opens under one key per session and direction; these are
 * derived once per session and wiped with the session or with the channel, whichever ends first.
 */
export class Channel {
  readonly id: Uint8Array;
  readonly name: string;
  readonly peerBootId: Uint8Array;
  readonly #parts: ChannelParts;
  readonly #sessions = new Map<string, SessionKeys>();

  constructor(parts: ChannelParts) {
    this.id = parts.id;
    this.name = hex(parts.id);
    this.peerBootId = parts.peerBootId;
    this.#parts = parts;
  }

  /** Seals with a fresh random nonce; `header` travels in the clear but cannot be changed. */
  seal(session: string, header: Uint8Array, plain: Uint8Array, rng: Rng): { nonce: Uint8Array; sealed: Uint8Array } {
    const nonce = rng(NONCE_BYTES);
    const { outgoing } = this.#keys(session);
    return { nonce, sealed: sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, header, null, nonce, outgoing) };
  }

  /** Opens what the peer sealed for this session; undefined when anything about it was changed. */
  open(session: string, header: Uint8Array, nonce: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
    const { incoming } = this.#keys(session);
    try {
      return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(null, sealed, header, nonce, incoming);
    } catch {
      // A broken seal is a stranger's doing: the caller counts and drops it.
      return undefined;
    }
  }

  /** Wipes the keys of a session that is over. */
  forget(session: string): void {
    const keys = this.#sessions.get(session);
    if (keys === undefined) return;
    wipe(keys.outgoing, keys.incoming);
    this.#sessions.delete(session);
  }

  /** Wipes everything: nothing sealed under this channel opens any more. */
  wipe(): void {
    for (const session of [...this.#sessions.keys()]) this.forget(session);
    this.#parts.key.wipe();
  }

  #keys(session: string): SessionKeys {
    const known = this.#sessions.get(session);
    if (known !== undefined) return known;
    const { key, self, peer } = this.#parts;
    const keys = { outgoing: directedKey(key, session, self, peer), incoming: directedKey(key, session, peer, self) };
    this.#sessions.set(session, keys);
    return keys;
  }
}

/** HKDF(channel key, session id, direction): a message moved to another session or turned around does not open. */
function directedKey(key: Secret, session: string, from: PartyIndex, to: PartyIndex): Uint8Array {
  const info = lengthPrefixed("countersign/envelope/v1/key", session, u32be(from), u32be(to));
  return new Uint8Array(hkdfSync("sha256", key.expose(), new Uint8Array(0), info, 32));
}
