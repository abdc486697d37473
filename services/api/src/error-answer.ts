import { CountersignError } from "@countersign/errors";
import { apiError } from "./errors.ts";

/** An error as callers get it: the reference's shape (section 1.5) with our stable code beside. */
export interface ErrorAnswer {
  readonly status: number;
  /** Seconds, where trying again makes sense. */
  readonly retryAfterSeconds: number | undefined;
  readonly body: {
    readonly error: {
      readonly id: string;
      readonly status: number;
      readonly code: string;
      readonly message: string;
      readonly details: Readonly<Record<string, unknown>>;
    };
  };
}

/** Presence, leases and challenges all move within a second. */
const RETRY_AFTER_SECONDS = 1;
/** What fastify and TypeBox complain about is repeated up to this length. */
const COMPLAINT_LENGTH_MAX = 200;

/** Writes an error for its caller; `id` is the request's, under which the log has the rest. */
export function errorAnswer(error: CountersignError, id: string): ErrorAnswer {
  const { code, http: status, kind } = error;
  const isBug = kind === "bug";
  // A conflict's details have a member of their own in the reference.
  const details = code === "external_id_conflict" ? { duplicate: error.details } : error.details;
  return {
    status,
    retryAfterSeconds: kind === "outage" ? RETRY_AFTER_SECONDS : undefined,
    body: {
      error: {
        id,
        status,
        code,
        message: isBug ? "Internal Server Error" : error.message,
        details: isBug ? {} : details,
      },
    },
  };
}

/** Turns whatever was raised while a request was handled into one of our errors. */
export function toCountersignError(error: unknown): CountersignError {
  if (error instanceof CountersignError) return error;
  if (!(error instanceof Error)) return internal(error);
  if ("validation" in error) return apiError("request_invalid", validationMessage(error.validation), { cause: error });
  const status = "statusCode" in error ? error.statusCode : undefined;
  switch (status) {
    case 400:
      return apiError("request_invalid", error.message.slice(0, COMPLAINT_LENGTH_MAX), { cause: error });
    case 404:
    case 414:
      return routeUnknown();
    case 413:
      return apiError("body_too_large", "The request body is too large.", { cause: error });
    case 415:
      return apiError("content_type_unsupported", "Send bodies as application/json in UTF-8.", { cause: error });
    default:
      return internal(error);
  }
}

/** The answer to every method and path that is no operation. */
export function routeUnknown(): CountersignError {
  return apiError("route_unknown", "There is no such operation.");
}

function internal(cause: unknown): CountersignError {
  return apiError("api_internal", "The API failed.", { cause });
}

/** Names the place and the rule, never the value. */
function validationMessage(validation: unknown): string {
  const [first]: unknown[] = Array.isArray(validation) ? validation : [];
  if (typeof first !== "object" || first === null) return "The request has not the form of the API's schema.";
  const path = "instancePath" in first ? String(first.instancePath) : "";
  const message = "message" in first ? String(first.message) : "is not of its form";
  // What TypeBox says of a member that the schema leaves no room for.
  const complaint = message === "schema is false" ? "is not known here" : message;
  return `The request is not of its form: ${path === "" ? "it" : path} ${complaint}.`.slice(0, COMPLAINT_LENGTH_MAX);
}
