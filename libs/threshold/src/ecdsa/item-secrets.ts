import { wipe } from "@countersign/bytes";
import type { Point, Scalar } from "../curves/curve.ts";
import { secp256k1 } from "../curves/secp256k1.ts";
import type { PartyIndex, Rng } from "../delivery.ts";
import { ProtocolAbort } from "../errors.ts";
import type { KeyShare } from "../key-share.ts";
import { EXPANDED_BYTES, WORD_SIZE } from "./parameters.ts";
import { commitToNonce } from "./round-one.ts";
import { expandTH, TH2S } from "./transcript.ts";

/**
 * What one party draws for one item (ECDSA specification, sections 2.1 and 3.d). Hedged: each secret hashes fresh randomness together
 * with the share, sid and nonce, so that neither a weak generator nor a cloned machine alone repeats one. Secret until `wipe`, but for
 * nonce, R, salt and commitment, which are sent.
 */
export class ItemSecrets {
  readonly nonce: Uint8Array;
  /** r_i. */
  readonly r: Scalar;
  /** phi_i. */
  readonly phi: Scalar;
  /** R_i. */
  readonly R: Point;
  readonly salt: Uint8Array;
  /** com_i. */
  readonly commitment: Uint8Array;
  readonly #share: KeyShare;
  readonly #sid: Uint8Array;
  readonly #rng: Rng;

  constructor(share: KeyShare, sid: Uint8Array, rng: Rng) {
    this.#share = share;
    this.#sid = sid;
    this.#rng = rng;
    this.nonce = rng(WORD_SIZE);
    this.r = this.#scalar("r", 0);
    this.phi = this.#scalar("phi", 0);
    this.R = secp256k1.multiplyBase(this.r);
    this.salt = rng(WORD_SIZE);
    this.commitment = commitToNonce(sid, share.index, this.R, this.salt);
  }

  /** ah of the multiplication that this party answers for a peer. The caller wipes it. */
  checkInput(peer: PartyIndex): Scalar {
    return this.#scalar("ah", peer);
  }

  /** X of the multiplication that this party asks of a peer: 416 choice bits and 128 that mask their check. */
  choices(peer: PartyIndex): Uint8Array {
    const fresh = this.#rng(WORD_SIZE);
    const choices = expandTH(EXPANDED_BYTES, "hedge", "X", ...this.#mix(fresh), peer);
    wipe(fresh);
    return choices;
  }

  wipe(): void {
    wipe(this.r, this.phi, this.salt);
  }

  #scalar(label: "r" | "phi" | "ah", peer: PartyIndex | 0): Scalar {
    const fresh = this.#rng(WORD_SIZE);
    const scalar = TH2S("hedge", label, ...this.#mix(fresh), peer);
    wipe(fresh);
    if (secp256k1.isZero(scalar)) throw new ProtocolAbort("scalar_zero", "A hedged secret is zero.");
    return scalar;
  }

  #mix(fresh: Uint8Array): readonly Uint8Array[] {
    return [fresh, this.#share.secret.expose(), this.#sid, this.nonce];
  }
}
