import { hex, lengthPrefixed, sha256 } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import { MeshAbort } from "@countersign/mesh";
import { ProtocolAbort } from "@countersign/threshold";
import type { SessionOutcome } from "@countersign/vault";

/** Parties that an error may name: convicted, suspected, silent. */
const NAMED = ["culprits", "suspects", "silent"] as const;

/**
 * What the audit log says of a session that ended without a result: the error's code and the parties it names, never its text.
 * Culprits are named only on signed messages that convict them: an abort by complaint was judged before it was raised.
 */
export function outcomeOf(error: unknown): Required<Pick<SessionOutcome, "outcome" | "audit">> {
  if (!(error instanceof CountersignError)) return { outcome: "internal", audit: {} };
  const named = NAMED.flatMap((field) => {
    const parties = error.details[field];
    return Array.isArray(parties) && parties.length > 0 ? [[field, parties.join(",")] as const] : [];
  });
  return { outcome: error.code, audit: { ...Object.fromEntries(named), ...proofOf(error) } };
}

/**
 * Identifies the signed messages that an abort names its culprits on, so that they can be held against this log when somebody shows
 * them: SHA-256 over header, body and signature of each (Schnorr specification, section 6).
 */
function proofOf(error: CountersignError): { readonly proofHash?: string } {
  const isAbort = error instanceof ProtocolAbort || error instanceof MeshAbort;
  if (!isAbort || error.culprits.length === 0 || error.evidence === undefined) return {};
  const parts = error.evidence.messages.flatMap(({ header, body, signature }) => [header, body, signature]);
  return { proofHash: hex(sha256(lengthPrefixed("countersign/abort-proof/v1", ...parts))) };
}
