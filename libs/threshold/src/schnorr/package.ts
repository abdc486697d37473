import { lengthPrefixed, u16be, u32be } from "@countersign/bytes";
import type { PublicKeyPackage } from "../key-share.ts";
import { T } from "../transcript.ts";
import type { Commitment } from "./commitments.ts";
import { merkleRoot, type SchnorrItem } from "./signing-key.ts";

/** What one item's signature is made from: every party forms it by itself. */
export interface SigningPackage {
  readonly key: PublicKeyPackage;
  /** 32 bytes; holds the session id, the parties and the evidence. */
  readonly sessionDigest: Uint8Array;
  /** k of the session's item list, from 0. */
  readonly itemIndex: number;
  readonly item: SchnorrItem;
  /** L, strictly ascending by party. */
  readonly commitments: readonly Commitment[];
}

/**
 * The package's hash, 32 bytes (Schnorr specification, section 5). Equal at two parties only if they sign the same message under the
 * same key with the same commitment list in the same place of the same session; a share can be blamed under no other package.
 */
export function packageHash({ key, sessionDigest, itemIndex, item, commitments }: SigningPackage): Uint8Array {
  return T(
    "sign-pkg",
    key.suite,
    key.keyId,
    u32be(key.epoch),
    sessionDigest,
    u32be(itemIndex),
    item.message,
    merkleRoot(item),
    u16be(commitments.length),
    ...commitments.flatMap(({ party, D, E }) => [u16be(party), D, E]),
  );
}

/** What a party's identity signs over its share of a signature. */
export function shareStatement(hash: Uint8Array, z: Uint8Array): Uint8Array {
  return lengthPrefixed("countersign/schnorr-share/v1", hash, z);
}
