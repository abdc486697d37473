import type { Secret } from "@countersign/bytes";
import type { Point } from "./curves/curve.ts";
import type { PartyIndex } from "./delivery.ts";

/** FROST ciphersuites by the names their specifications give. The plain secp256k1 suite exists for test vectors only. */
export type SchnorrSuiteName = "FROST-ED25519-SHA512-v1" | "FROST-secp256k1-SHA256-TR-v1" | "FROST-secp256k1-SHA256-v1";

/** Threshold ECDSA on secp256k1, suite 1 of its specification. */
export type EcdsaSuiteName = "DKLS23-secp256k1-SHA256-v1";

/** What a key's shares are for. */
export type SuiteName = SchnorrSuiteName | EcdsaSuiteName;

/** Everything public about a key (Schnorr specification, section 3). */
export interface PublicKeyPackage {
  readonly suite: SuiteName;
  /** Derived key id, `key-…`. */
  readonly keyId: string;
  /** Refresh generation, from 0. */
  readonly epoch: number;
  /** t: parties of a quorum, 2..n. */
  readonly threshold: number;
  /** n. */
  readonly partyCount: number;
  /** Form of the public key: always untweaked here; a TR key's published key is the BIP-341 output key derived from it. */
  readonly keyForm: "internal";
  /** D_0..D_(t-1), commitments to the joint polynomial. D_0 is the public key. */
  readonly commitments: readonly Point[];
  /** Y_1..Y_n by party index - 1, computed from the commitments. */
  readonly verificationShares: readonly Point[];
  /** SHA-256 of the chain code, 32 bytes. The chain code itself is a secret of the signers and no part of anything public. */
  readonly chainCodeHash: Uint8Array;
  /** Echo digest of the generation session, 32 bytes. */
  readonly tau: Uint8Array;
}

/** One party's share with the public package it belongs to. */
export interface KeyShare {
  readonly public: PublicKeyPackage;
  readonly index: PartyIndex;
  /** s_i, 32 bytes in the suite's scalar encoding. */
  readonly secret: Secret;
}

/** A node's signature over the key's acknowledgement statement: it holds its share durably. */
export interface Acknowledgement {
  readonly party: PartyIndex;
  readonly signature: Uint8Array;
}
