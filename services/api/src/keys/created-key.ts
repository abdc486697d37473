import type { Descriptor } from "@countersign/authority";
import { hex } from "@countersign/bytes";
import type { CountersignError } from "@countersign/errors";
import type { CreateKey } from "@countersign/intent";
import type { CreateKeyResponse } from "@countersign/proto/orchestrator";
import { apiError } from "../errors.ts";
import type { Certificate } from "./key-schema.ts";

/** The public facts of a new key. */
export interface CreatedKey {
  /** Hex. */
  readonly publicKey: string;
  /** Hex; Schnorr only. */
  readonly internalPublicKey: string | undefined;
  readonly certificate: Certificate;
}

/** Bytes of an encoded point of each curve. */
const POINT_BYTES = { ed25519: 32, secp256k1: 33 } as const;
const IDENTITY_SIGNATURE_BYTES = 64;
const HASH_BYTES = 32;

/**
 * Reads what an orchestrator answers about a new key. Forms and fit to the approval are checked, so that nothing half is ever
 * shown as a key; the certificate itself is for those who pinned the nodes, which a client does. Raises `network_failed`.
 */
export function readCreatedKey(
  { key, publicKey, verificationShares }: CreateKeyResponse,
  intent: CreateKey,
  { nodes, threshold }: Descriptor,
): CreatedKey {
  if (key === undefined) throw unfit("has no key");
  const [internal] = key.commitments;
  const points = [publicKey, ...key.commitments, ...verificationShares];
  if (key.keyId !== intent.keyId || key.suite !== intent.suite) throw unfit("is another key than was approved");
  if (internal === undefined || points.some((point) => point.length !== POINT_BYTES[intent.curve]))
    throw unfit("has points of another size");
  if (key.threshold !== threshold || key.commitments.length !== threshold) throw unfit("has another threshold");
  if (verificationShares.length !== nodes.length || key.certificate.length !== nodes.length)
    throw unfit("is not acknowledged by every node");
  if (key.tau.length !== HASH_BYTES || key.chainCodeHash.length !== HASH_BYTES)
    throw unfit("has digests of another size");
  const acknowledgements = nodes.map(({ id, index }, place) => {
    const { party = 0, signature = new Uint8Array(0) } = key.certificate[place] ?? {};
    if (party !== index || signature.length !== IDENTITY_SIGNATURE_BYTES)
      throw unfit(`is not acknowledged by node ${id}`);
    return { nodeId: id, index, signature: hex(signature) };
  });
  return {
    publicKey: hex(publicKey),
    internalPublicKey: intent.scheme === "Schnorr" ? hex(internal) : undefined,
    certificate: {
      suite: key.suite,
      epoch: key.epoch,
      threshold: key.threshold,
      publicKey: hex(internal),
      tau: hex(key.tau),
      chainCodeHash: hex(key.chainCodeHash),
      verificationShares: verificationShares.map(hex),
      acknowledgements,
    },
  };
}

function unfit(what: string): CountersignError {
  return apiError("network_failed", `The key that the network answered ${what}.`);
}
