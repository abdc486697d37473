import type { PartyIndex, SignedMessage } from "../delivery.ts";

/** One party's part of one signature, with what makes it attributable. */
export interface SchnorrPartial {
  /** Hash of the package this party signed in, 32 bytes. */
  readonly packageHash: Uint8Array;
  /** Every party's signed round-1 message as this party holds it, ascending by party, its own included. */
  readonly commitments: readonly SignedMessage[];
  /** z_i, 32 bytes in the suite's scalar encoding. */
  readonly z: Uint8Array;
  /** Identity signature over `shareStatement(packageHash, z)`, 64 bytes. */
  readonly signature: Uint8Array;
}

/** A partial without the messages: what its party is bound to by its identity. */
export interface SignedShare {
  readonly party: PartyIndex;
  readonly packageHash: Uint8Array;
  readonly z: Uint8Array;
  readonly signature: Uint8Array;
}
