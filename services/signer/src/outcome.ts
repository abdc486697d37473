import { CountersignError } from "@countersign/errors";
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
  return { outcome: error.code, audit: Object.fromEntries(named) };
}
