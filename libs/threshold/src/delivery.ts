/** Index of a party: 1..n of the deployment descriptor, also its Shamir x coordinate. */
export type PartyIndex = number;

/**
 * A protocol message with its sender's identity signature. `header` names session, session digest, round, sender and receiver;
 * with the sender's public key, (header, body, signature) convinces a third party.
 */
export interface SignedMessage {
  readonly header: Uint8Array;
  readonly body: Uint8Array;
  readonly signature: Uint8Array;
}

/**
 * The network as a protocol sees it. One message per sender and round: an implementation delivers only messages that are
 * authenticated, for this session, this session digest and this round; the same bytes again are ignored, other bytes of the
 * same sender and round end the session with `message_equivocated`. Every wait ends at the session's deadline with
 * `session_deadline`, which names the silent parties.
 */
export interface Delivery {
  /** This party. */
  readonly self: PartyIndex;
  /** All parties of the session, strictly ascending, this one included. */
  readonly parties: readonly PartyIndex[];
  /**
   * Sends the round's message to one party or to all others (`"all"`: one signature over the same bytes for everyone).
   * Resolves with the message as signed, before it is known to have arrived.
   */
  send(round: string, to: PartyIndex | "all", body: Uint8Array): Promise<SignedMessage>;
  /** Resolves with the round's message of every other party. */
  complete(round: string): Promise<ReadonlyMap<PartyIndex, SignedMessage>>;
}

/** What a header says, once its signature is known to be the sender's. */
export interface MessageFacts {
  readonly sessionId: Uint8Array;
  readonly sessionDigest: Uint8Array;
  readonly round: string;
  readonly from: PartyIndex;
  /** 0 for a broadcast. */
  readonly to: PartyIndex | 0;
}

/**
 * Opens a signed message for a judge of evidence: verifies the signature under the pinned identity of the sender that the header
 * names, and tells what the header says; undefined when anything about it is invalid.
 */
export type OpenSignedMessage = (message: SignedMessage) => MessageFacts | undefined;

/** This party's identity key, as far as a protocol may use it: over statements that carry their own domain tag. */
export interface IdentitySigner {
  sign(statement: Uint8Array): Uint8Array;
}

/** Verifies a statement under a party's pinned identity key. */
export type VerifyIdentity = (party: PartyIndex, statement: Uint8Array, signature: Uint8Array) => boolean;

/** Cryptographic randomness: `size` fresh bytes. Tests inject a seeded or a recorded one. */
export type Rng = (size: number) => Uint8Array;
