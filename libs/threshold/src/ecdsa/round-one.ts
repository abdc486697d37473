import { concatBytes } from "@countersign/bytes";
import type { Point } from "../curves/curve.ts";
import type { PartyIndex } from "../delivery.ts";
import { EXTENSION_BYTES } from "./ot-extension.ts";
import { WORD_SIZE } from "./parameters.ts";
import { listParts, TH } from "./transcript.ts";

/** One item's R1 message (ECDSA specification, section 3.d): 10,896 bytes. */
export const REQUEST_BYTES = 4 * WORD_SIZE + EXTENSION_BYTES;

/** What a party says to all alike: its nonce and its commitment to R. */
export interface Opening {
  readonly party: PartyIndex;
  /** nonce_i. */
  readonly nonce: Uint8Array;
  /** com_i. */
  readonly commitment: Uint8Array;
}

/** R1 from one party to another. */
export interface RequestMessage extends Omit<Opening, "party"> {
  readonly sid: Uint8Array;
  /** pairFp(sender <- receiver): the sender of this message receives the multiplication. */
  readonly fingerprint: Uint8Array;
  /** Message 1 of the multiplication: C ‖ xh ‖ th. */
  readonly request: Uint8Array;
}

export function encodeRequest({ sid, fingerprint, nonce, commitment, request }: RequestMessage): Uint8Array {
  return concatBytes(sid, fingerprint, nonce, commitment, request);
}

/** Cuts a message of `REQUEST_BYTES`. All its parts may be anything; each has its own check. */
export function decodeRequest(bytes: Uint8Array): RequestMessage {
  const word = (place: number) => bytes.slice(WORD_SIZE * place, WORD_SIZE * (place + 1));
  const [sid, fingerprint, nonce, commitment] = [word(0), word(1), word(2), word(3)];
  return { sid, fingerprint, nonce, commitment, request: bytes.slice(4 * WORD_SIZE) };
}

/** com_i = TH("Rcom", sid, i, R_i, salt_i). */
export function commitToNonce(sid: Uint8Array, party: PartyIndex, R: Point, salt: Uint8Array): Uint8Array {
  return TH("Rcom", sid, party, R, salt);
}

/** D = TH("r1", sid, all openings ascending): what everyone must have heard alike. */
export function openingsDigest(sid: Uint8Array, openings: readonly Opening[]): Uint8Array {
  return TH("r1", sid, ...listParts(openings.map(({ party, nonce, commitment }) => [party, nonce, commitment])));
}

/** psid1 = TH("rv1", sid, i, j, pairFp(i <- j), nonce_i): fresh by the receiver's nonce. */
export function requestPsid(
  sid: Uint8Array,
  receiver: PartyIndex,
  sender: PartyIndex,
  fingerprint: Uint8Array,
  nonce: Uint8Array,
): Uint8Array {
  return TH("rv1", sid, receiver, sender, fingerprint, nonce);
}

/** psid2 = TH("rv2", psid1, D): fresh by the sender's nonce too, so that a replayed request meets other masks. */
export function answerPsid(psid1: Uint8Array, D: Uint8Array): Uint8Array {
  return TH("rv2", psid1, D);
}
