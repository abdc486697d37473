import { CountersignError, type ErrorDetails } from "@countersign/errors";
import { apiError } from "./errors.ts";
import { networkCodes } from "./network-codes.ts";

/** Of a sentence from the network that callers read. */
const MESSAGE_LENGTH_MAX = 300;
/** Of one text in its details. */
const DETAIL_LENGTH_MAX = 100;
/** Details and elements of one: as many as a deployment has nodes. */
const DETAILS_MAX = 32;

/**
 * What a caller hears of an error that a call to the network ended with. Signers and orchestrators are not trusted with what the
 * API says: a code is let through when it is one of theirs, with the kind and status of its own table, and its words only as
 * short plain text. Everything else, and what happens between services, becomes `network_unavailable`, `network_deadline` or
 * `network_failed`.
 */
export function toNetworkError(cause: unknown): unknown {
  if (!(cause instanceof CountersignError))
    return cause ?? apiError("network_deadline", "The request's time ended before the signing network was asked.");
  const { code } = cause;
  if (code === "rpc_unavailable" || code === "rpc_cancelled" || code === "rpc_overloaded")
    return apiError("network_unavailable", "The signing network cannot be reached now.", { cause });
  if (code === "rpc_deadline")
    return apiError("network_deadline", "The signing network did not finish in time.", { cause });
  const known = Object.hasOwn(networkCodes, code) ? networkCodes[code] : undefined;
  if (known === undefined) return apiError("network_failed", "The signing network failed on this request.", { cause });
  const [kind, http] = known;
  return new CountersignError(
    code,
    { kind, http, grpc: cause.grpc, meaning: "" },
    plain(cause.message, MESSAGE_LENGTH_MAX),
    {
      details: plainDetails(cause.details),
      cause,
    },
  );
}

/** Without control and format characters, which forge lines of logs and turn the direction of text around them. */
function plain(text: string, lengthMax: number): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, " ")
    .slice(0, lengthMax)
    .toWellFormed();
}

function plainDetails(details: ErrorDetails): ErrorDetails {
  const entries = Object.entries(details).slice(0, DETAILS_MAX);
  return Object.fromEntries(entries.map(([name, value]) => [plain(name, DETAIL_LENGTH_MAX), plainDetail(value)]));
}

function plainDetail(value: ErrorDetails[string]): ErrorDetails[string] {
  const atom = <T>(one: T) => (typeof one === "string" ? plain(one, DETAIL_LENGTH_MAX) : one);
  return Array.isArray(value) ? value.slice(0, DETAILS_MAX).map(atom) : atom(value);
}
