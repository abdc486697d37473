import { hash } from "node:crypto";
import { concatBytes, u32be, utf8, wipe } from "@countersign/bytes";
import type { Scalar } from "../curves/curve.ts";
import { reduceScalar } from "./limbs.ts";

const PREFIX = "countersign/ecdsa/v1/";
const LENGTH_SIZE = 4;

/** Every tag of the ECDSA specification that is in use, each for one purpose. */
const TAGS = [
  // Links, section 2.3 and 3.b.
  "link",
  "lz-com",
  "lz",
  "zs",
  "pair",
  "link-tr",
  "pairfp",
  "mr-h",
  "mr-k",
  // Identifiers, section 2.2.
  "ctx",
  "sign",
  "sign-item",
  "rv1",
  "r1",
  "rv2",
  "req",
  // Key generation, section 3.a.
  "dkg-pok",
  // Random vector OLE, section 3.c.
  "gadget",
  "ss-nonce",
  "C",
  "chi",
  "row",
  "at",
  "theta",
  "mu",
  // Signing, section 3.d.
  "hedge",
  "Rcom",
  "zero",
  // Known answers in tests.
  "kat",
] as const;

export type Tag = (typeof TAGS)[number];

/** What is hashed: bytes as they are, text as UTF-8, integers as u32be. */
export type Part = Uint8Array | string | number;

const TAG_HASHES = new Map(TAGS.map((tag) => [tag, new Uint8Array(hash("sha256", PREFIX + tag, "buffer"))] as const));

/**
 * TH(tag, p1..pm) of the ECDSA specification, section 2.1: SHA-256 over the tag's hash and, for each part, u32be(length) and the
 * part. Two different lists never hash the same input. Everything the ECDSA protocol hashes goes through here. 32 bytes.
 */
export function TH(tag: Tag, ...parts: readonly Part[]): Uint8Array {
  const encoded = parts.map(encodePart);
  const size = encoded.reduce((total, part) => total + LENGTH_SIZE + part.length, 32);
  const input = new Uint8Array(size);
  input.set(tagHash(tag));
  const view = new DataView(input.buffer);
  let offset = 32;
  for (const part of encoded) {
    view.setUint32(offset, part.length);
    input.set(part, offset + LENGTH_SIZE);
    offset += LENGTH_SIZE + part.length;
  }
  const digest = new Uint8Array(hash("sha256", input, "buffer"));
  // Some inputs are secret: seeds, hedged randomness, salts before they are opened.
  wipe(input);
  return digest;
}

/** TH as an integer mod q. The bias is 2^-128. Constant time. */
export function TH2S(tag: Tag, ...parts: readonly Part[]): Scalar {
  const digest = TH(tag, ...parts);
  const scalar = reduceScalar(digest);
  wipe(digest);
  return scalar;
}

/** TH(.., u32 0) ‖ TH(.., u32 1) ‖ .., cut to `size` bytes. */
export function expandTH(size: number, tag: Tag, ...parts: readonly Part[]): Uint8Array {
  const blocks = Array.from({ length: Math.ceil(size / 32) }, (_, counter) => TH(tag, ...parts, counter));
  const stream = concatBytes(...blocks);
  const cut = stream.slice(0, size);
  wipe(stream, ...blocks);
  return cut;
}

/** SHA-512 of TH, 64 bytes: what a hash to a group takes. */
export function TH512(tag: Tag, ...parts: readonly Part[]): Uint8Array {
  return new Uint8Array(hash("sha512", TH(tag, ...parts), "buffer"));
}

/** The parts of a list: its count, then the elements; an element that is a tuple contributes its fields. */
export function listParts(elements: readonly (Part | readonly Part[])[]): readonly Part[] {
  return [elements.length, ...elements.flat()];
}

function encodePart(part: Part): Uint8Array {
  if (typeof part === "number") return u32be(part);
  return typeof part === "string" ? utf8(part) : part;
}

function tagHash(tag: Tag): Uint8Array {
  const found = TAG_HASHES.get(tag);
  if (found === undefined) throw new RangeError(`"${tag}" is no tag.`);
  return found;
}
