import { CountersignError } from "@countersign/errors";

/** What the audit log says of a session that ended without a result: the error's code, never its text. */
export function outcomeOf(error: unknown): string {
  return error instanceof CountersignError ? error.code : "internal";
}
