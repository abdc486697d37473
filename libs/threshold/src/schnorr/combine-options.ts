import type { OpenSignedMessage, PartyIndex, VerifyIdentity } from "../delivery.ts";
import type { PublicKeyPackage } from "../key-share.ts";
import type { SchnorrPartial } from "./partial.ts";
import type { SchnorrItem } from "./signing-key.ts";

/** One item of one session as its combiner knows it, and what the parties returned for it. */
export interface CombineOptions {
  readonly publicKey: PublicKeyPackage;
  readonly item: SchnorrItem;
  /** k of the session's item list, from 0. */
  readonly itemIndex: number;
  /** 32 bytes. */
  readonly sessionId: Uint8Array;
  /** 32 bytes, computed by the combiner from its own view of the session. */
  readonly sessionDigest: Uint8Array;
  /** The quorum, strictly ascending. */
  readonly parties: readonly PartyIndex[];
  readonly partials: ReadonlyMap<PartyIndex, SchnorrPartial>;
  readonly openSignedMessage: OpenSignedMessage;
  readonly verifyIdentity: VerifyIdentity;
}
