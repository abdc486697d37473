import { create } from "@bufbuild/protobuf";
import {
  AcknowledgementSchema,
  PublicKeyPackageSchema,
  type Acknowledgement as WireAcknowledgement,
  type PublicKeyPackage as WirePackage,
} from "@countersign/proto/session";
import { type Acknowledgement, type PublicKeyPackage, publicKeyPackage, type SuiteName } from "@countersign/threshold";
import { wireError } from "./errors.ts";
import { ascending, fixedBytes, present } from "./fields.ts";

/** A key's public part with the acknowledgements at hand; complete once there are n. */
export interface CertifiedKey {
  readonly package: PublicKeyPackage;
  readonly certificate: readonly Acknowledgement[];
}

const SUITES: readonly SuiteName[] = ["FROST-ED25519-SHA512-v1", "FROST-secp256k1-SHA256-TR-v1"];

/**
 * Reads a public key package for a deployment of `partyCount` nodes. Verification shares are recomputed from the commitments.
 * Raises `message_malformed`, and what `publicKeyPackage` raises. The certificate is read, not verified.
 */
export function keyFromWire(message: WirePackage | undefined, partyCount: number): CertifiedKey {
  const key = present(message, "key");
  const suite = SUITES.find((name) => name === key.suite);
  if (suite === undefined)
    throw wireError("message_malformed", `key.suite "${key.suite.slice(0, 64)}" is not one of ${SUITES.join(", ")}.`);
  const { keyId, epoch, threshold, commitments } = key;
  const chainCodeHash = fixedBytes(key.chainCodeHash, 32, "key.chain_code_hash");
  const tau = fixedBytes(key.tau, 32, "key.tau");
  return {
    package: publicKeyPackage({ suite, keyId, epoch, threshold, partyCount, commitments, chainCodeHash, tau }),
    certificate: certificateFromWire(key.certificate),
  };
}

/** Writes a public key package. */
export function keyToWire(key: CertifiedKey): WirePackage {
  const { suite, keyId, epoch, threshold, commitments, chainCodeHash, tau } = key.package;
  return create(PublicKeyPackageSchema, {
    suite,
    keyId,
    epoch,
    threshold,
    commitments: [...commitments],
    chainCodeHash,
    tau,
    certificate: certificateToWire(key.certificate),
  });
}

/** Reads acknowledgements, strictly ascending by party. Raises `message_malformed`. */
export function certificateFromWire(certificate: readonly WireAcknowledgement[]): readonly Acknowledgement[] {
  if (certificate.length === 0) return [];
  ascending(
    certificate.map(({ party }) => party),
    "certificate parties",
  );
  return certificate.map(({ party, signature }) => ({
    party,
    signature: fixedBytes(signature, 64, "certificate signature"),
  }));
}

/** Writes acknowledgements. */
export function certificateToWire(certificate: readonly Acknowledgement[]): WireAcknowledgement[] {
  return certificate.map(({ party, signature }) => create(AcknowledgementSchema, { party, signature }));
}
