import { CountersignError } from "@countersign/errors";
import type { PartyIndex } from "@countersign/threshold";
import type { Verdict } from "./experience.ts";

/** How one party's call ended. */
export interface PartyFailure {
  readonly error: unknown;
  /** Milliseconds since the attempt began. */
  readonly afterMs: number;
  /** Whether this attempt had been ended from here before the party's failure came: then it says nothing about the party. */
  readonly wasEnded: boolean;
}

/** Reads the failures of one attempt that was given `deadlineMs`. Nothing that a party merely says makes another one faulty. */
export function judgeFailures(failures: ReadonlyMap<PartyIndex, PartyFailure>, deadlineMs: number): Verdict {
  const faulty: PartyIndex[] = [];
  const accused: PartyIndex[] = [];
  const excluded: PartyIndex[] = [];
  for (const [party, failure] of failures) {
    const { error } = failure;
    if (failure.wasEnded) continue;
    if (!(error instanceof CountersignError) || error.kind === "refusal") excluded.push(party);
    else if (error.kind === "abort" || isLate(failure, deadlineMs))
      accused.push(...partiesNamed(error).filter((one) => one !== party));
    else faulty.push(party);
  }
  return { faulty, accused, excluded };
}

/**
 * Whether a party says that it waited for a peer until the time was up. One that complains of lateness in the first half of the time
 * fails by itself.
 */
export function isLate({ error, afterMs }: PartyFailure, deadlineMs: number): boolean {
  return error instanceof CountersignError && error.code === "session_deadline" && afterMs >= deadlineMs / 2;
}

/** The cause to tell: a refusal explains more than the outages around it, and the first failure more than its consequences. */
export function causeOf(failures: ReadonlyMap<PartyIndex, PartyFailure>): unknown {
  const errors = [...failures.values()].map(({ error }) => error);
  return errors.find((error) => error instanceof CountersignError && error.kind === "refusal") ?? errors[0];
}

function partiesNamed({ details }: CountersignError): number[] {
  const named = [details["silent"], details["culprits"], details["suspects"]].flatMap((list) =>
    Array.isArray(list) ? list : [],
  );
  return [...new Set(named.filter((party): party is number => Number.isSafeInteger(party)))];
}
