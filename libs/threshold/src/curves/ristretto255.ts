import { equalBytes, wipe } from "@countersign/bytes";
import type { Rng } from "../delivery.ts";
import { ProtocolAbort } from "../errors.ts";
import { isAllZero } from "./is-below.ts";
import { libsodium } from "./libsodium.ts";

declare const elementBrand: unique symbol;
declare const exponentBrand: unique symbol;

/** An element of ristretto255 (RFC 9496), 32 bytes, never the identity. */
export type Element = Uint8Array & { readonly [elementBrand]: true };

/** A scalar of ristretto255, 32 bytes, not zero. Secret. */
export type Exponent = Uint8Array & { readonly [exponentBrand]: true };

export const ELEMENT_SIZE = 32;
/** Uniform input of the map to the group, and of a reduction mod its order. */
const UNIFORM_SIZE = 64;

/** ristretto255 by libsodium, constant time: the group of the base oblivious transfers. */
export const ristretto255 = {
  /** Accepts canonical encodings of anything but the identity; raises `point_invalid`. */
  decode(bytes: Uint8Array): Element {
    const isElement =
      bytes.length === ELEMENT_SIZE && libsodium().crypto_core_ristretto255_is_valid_point(bytes) && !isAllZero(bytes);
    if (!isElement) throw new ProtocolAbort("point_invalid", "Expected an element of ristretto255, not the identity.");
    return new Uint8Array(bytes) as Element;
  },
  /** Uniform in 1..order-1, up to 2^-256. */
  randomExponent(rng: Rng): Exponent {
    const uniform = rng(UNIFORM_SIZE);
    const exponent = libsodium().crypto_core_ristretto255_scalar_reduce(uniform);
    wipe(uniform);
    if (isAllZero(exponent)) throw new ProtocolAbort("scalar_zero", "A random exponent is zero.");
    return exponent as Exponent;
  },
  /** The element that 64 uniform bytes map to; nobody knows its logarithm. */
  fromUniform(bytes: Uint8Array): Element {
    return refuseIdentity(libsodium().crypto_core_ristretto255_from_hash(bytes));
  },
  multiplyBase(k: Exponent): Element {
    return refuseIdentity(libsodium().crypto_scalarmult_ristretto255_base(k));
  },
  multiply(k: Exponent, element: Element): Element {
    return refuseIdentity(libsodium().crypto_scalarmult_ristretto255(k, element));
  },
  add(a: Element, b: Element): Element {
    return refuseIdentity(libsodium().crypto_core_ristretto255_add(a, b));
  },
  subtract(a: Element, b: Element): Element {
    return refuseIdentity(libsodium().crypto_core_ristretto255_sub(a, b));
  },
  equal: (a: Element, b: Element): boolean => equalBytes(a, b),
};

function refuseIdentity(element: Uint8Array): Element {
  if (isAllZero(element)) throw new ProtocolAbort("point_identity", "An element of ristretto255 is the identity.");
  return element as Element;
}
