import type { CountersignError } from "@countersign/errors";
import { intentError } from "./errors.ts";

/** The refusal of every strict reader of a payload. */
export function payloadInvalid(sentence: string): CountersignError {
  return intentError("payload_invalid", sentence);
}
