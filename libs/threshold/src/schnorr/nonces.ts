import { concatBytes, u32be, wipe } from "@countersign/bytes";
import type { Point, Scalar } from "../curves/curve.ts";
import type { Rng } from "../delivery.ts";
import { thresholdError } from "../errors.ts";
import type { KeyShare } from "../key-share.ts";
import { type Suite, suiteOf } from "../suites.ts";
import { T } from "../transcript.ts";

/** Where a pair of nonces belongs: public facts that keep two sessions apart even if a cloned machine repeats its randomness. */
export interface NonceContext {
  /** 32 bytes. */
  readonly sessionDigest: Uint8Array;
  /** k of the session's item list, from 0. */
  readonly itemIndex: number;
}

/**
 * The nonces (d, e) of one item, usable once: `spend` hands them to one computation and overwrites them, a second call throws.
 * Two responses from the same nonces reveal the share, so there is no way to read, copy or store them.
 */
export class Nonces {
  /** D = d*G, the hiding commitment. */
  readonly D: Point;
  /** E = e*G, the binding commitment. */
  readonly E: Point;
  #secrets: { readonly d: Scalar; readonly e: Scalar } | undefined;

  /** Takes ownership of both scalars. Raises `scalar_zero`. */
  constructor(suite: Suite, d: Scalar, e: Scalar) {
    this.D = suite.curve.multiplyBase(d);
    this.E = suite.curve.multiplyBase(e);
    this.#secrets = { d, e };
  }

  /** Runs the one computation that may see the nonces. Raises `nonce_spent`. */
  spend<Result>(respond: (d: Scalar, e: Scalar) => Result): Result {
    const secrets = this.#secrets;
    if (secrets === undefined) throw thresholdError("nonce_spent", "These nonces were used or wiped before.");
    // Forget them first: a response that throws half way has used them.
    this.#secrets = undefined;
    try {
      return respond(secrets.d, secrets.e);
    } finally {
      wipe(secrets.d, secrets.e);
    }
  }

  /** Overwrites unused nonces; the session ended without them. */
  wipe(): void {
    if (this.#secrets !== undefined) wipe(this.#secrets.d, this.#secrets.e);
    this.#secrets = undefined;
  }
}

/**
 * Samples the nonces of one item (Schnorr specification, section 4). Hedged: each is H3 of fresh randomness, mixed with the session,
 * and the share, so that neither a weak generator nor a cloned machine alone repeats one. Never a function of the session alone:
 * whoever replayed it with other commitments would solve for the share.
 */
export function sampleNonces(share: KeyShare, context: NonceContext, rng: Rng): Nonces {
  const suite = suiteOf(share.public.suite);
  const sample = (name: "hiding" | "binding") => {
    const fresh = rng(32);
    const { keyId, epoch } = share.public;
    const { sessionDigest, itemIndex } = context;
    const randomness = T("nonce-rand", fresh, sessionDigest, u32be(itemIndex), name, keyId, u32be(epoch));
    const nonce = nonceFrom(suite, randomness, share.secret.expose());
    wipe(fresh, randomness);
    return nonce;
  };
  return new Nonces(suite, sample("hiding"), sample("binding"));
}

/** nonce_generate of RFC 9591, section 4.1: H3(randomness ‖ Scalar(s_i)). The caller wipes `randomness`. */
export function nonceFrom(suite: Suite, randomness: Uint8Array, secret: Uint8Array): Scalar {
  const input = concatBytes(randomness, secret);
  const nonce = suite.H3(input);
  wipe(input);
  return nonce;
}
