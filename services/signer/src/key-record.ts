import assert from "node:assert/strict";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { concatBytes, equalBytes, sha256 } from "@countersign/bytes";
import { PublicKeyPackageSchema } from "@countersign/proto/session";
import { type Acknowledgement, checkKeyShare, type KeyShare, type PublicKeyPackage } from "@countersign/threshold";
import type { KeyFacts } from "@countersign/vault";
import { certificateToWire, keyFromWire, keyToWire } from "@countersign/wire";
import { signerError } from "./errors.ts";
import type { SignerNode } from "./node.ts";

/** Public packages by the vault's fact objects: parsing one costs several point multiplications, a request must not. */
const packages = new WeakMap<KeyFacts, PublicKeyPackage>();
/** Shares whose equation s_i*G == Y_i was checked since they were read. */
const checked = new WeakSet<KeyFacts>();

/** The chain code stands first in what is stored of a key. */
const CHAIN_CODE_SIZE = 32;

/**
 * What is stored of a key besides the share: the chain code, then the wire form without certificate, which the vault keeps beside it.
 * Only the wire form is ever shown; the chain code stays under the vault's seal.
 */
export function encodePackage(key: PublicKeyPackage, chainCode: Uint8Array): Uint8Array {
  assert(equalBytes(sha256(chainCode), key.chainCodeHash), "A key is stored with its own chain code.");
  return concatBytes(chainCode, toBinary(PublicKeyPackageSchema, keyToWire({ package: key, certificate: [] })));
}

/** The public package of a stored key. */
export function packageOf({ descriptor }: Pick<SignerNode, "descriptor">, facts: KeyFacts): PublicKeyPackage {
  let known = packages.get(facts);
  if (known === undefined) {
    const wire = fromBinary(PublicKeyPackageSchema, facts.publicPart.subarray(CHAIN_CODE_SIZE));
    known = keyFromWire(wire, descriptor.nodes.length).package;
    packages.set(facts, known);
  }
  return known;
}

/** Acknowledgements as stored: a package message that carries nothing but acknowledgements. */
export function encodeCertificate(certificate: readonly Acknowledgement[]): Uint8Array {
  return toBinary(
    PublicKeyPackageSchema,
    create(PublicKeyPackageSchema, { certificate: certificateToWire(certificate) }),
  );
}

/**
 * The record of a key that may sign for an organisation; opens no secret. Raises `share_not_here` unless the key is active, a wallet
 * key, and owned by the organisation that the evidence names: one answer for all, so that an organisation learns nothing of another's
 * keys.
 */
export async function signingKey({ vault }: SignerNode, keyId: string, orgId: string): Promise<KeyFacts> {
  const known = await vault.keyFacts(keyId);
  if (known === undefined || known.state.kind !== "active" || known.owner !== orgId || known.purpose !== "wallet")
    throw signerError("share_not_here", `This node holds no active key ${keyId} of organisation ${orgId}.`);
  return known;
}

/** Opens this node's share of a `signingKey` for one session; the caller wipes it. Raises `key_share_inconsistent` for a damaged share. */
export async function openShare(node: SignerNode, keyId: string): Promise<KeyShare> {
  const { facts, secret } = await node.vault.openKey(keyId);
  const share: KeyShare = { public: packageOf(node, facts), index: node.self, secret };
  if (!checked.has(facts)) {
    checkKeyShare(share);
    checked.add(facts);
  }
  return share;
}
