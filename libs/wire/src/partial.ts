import { create } from "@bufbuild/protobuf";
import { PartialSchema, type Partial$ as WirePartial } from "@countersign/proto/signer";
import type { SchnorrPartial } from "@countersign/threshold";
import { wireError } from "./errors.ts";
import { fixedBytes } from "./fields.ts";

/** Reads one node's part of a FROST signature; raises `message_malformed`. */
export function partialFromWire(message: WirePartial): SchnorrPartial {
  if (message.scheme.case !== "schnorr")
    throw wireError("message_malformed", `A partial of scheme "${message.scheme.case ?? "none"}" is not known.`);
  const { packageHash, commitments, z, signature } = message.scheme.value;
  return {
    packageHash: fixedBytes(packageHash, 32, "package_hash"),
    commitments: commitments.map(({ header, body, signature }) => ({
      header,
      body,
      signature: fixedBytes(signature, 64, "commitments.signature"),
    })),
    z: fixedBytes(z, 32, "z"),
    signature: fixedBytes(signature, 64, "signature"),
  };
}

/** Writes one node's part of a FROST signature. */
export function partialToWire(partial: SchnorrPartial): WirePartial {
  const { packageHash, commitments, z, signature } = partial;
  return create(PartialSchema, {
    scheme: {
      case: "schnorr",
      value: { packageHash, commitments: commitments.map((message) => ({ ...message })), z, signature },
    },
  });
}
