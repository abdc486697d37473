import { JsonMembers, type JsonValue, parseJson } from "@countersign/bytes";
import { CountersignError, type ErrorDetails } from "@countersign/errors";
import { ApiError, sdkError } from "./errors.ts";

/** One HTTP call of the API. */
export interface Call {
  /** Root of the API, for example `http://127.0.0.1:3000`. */
  readonly apiUrl: string;
  readonly token: string;
  readonly method: string;
  /** Path with query, sent as it is. */
  readonly path: string;
  /** Body, sent as it is. */
  readonly payload?: string | undefined;
  /** Single-use token of an approval. */
  readonly userAction?: string | undefined;
  /** Ends the call. */
  readonly signal: AbortSignal;
}

/** A page of a hundred signatures over long messages stays far below. */
const ANSWER_BYTES_MAX = 16 * 1_048_576;
/** A page of a thousand signatures has some 20 values each. */
const ANSWER_VALUES_MAX = 100_000;
const CODE = /^[a-z][a-z0-9_]{0,63}$/;

/**
 * Sends one call and reads its JSON answer. Follows no redirect, because the bearer token would follow it. Raises `ApiError`
 * for error answers, `approval_pending` for 202, `api_unavailable`, `api_deadline`, `api_call_cancelled`, `api_answer_invalid`,
 * `request_path_invalid`.
 */
export async function call(request: Call): Promise<JsonValue> {
  const url = urlOf(request);
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method: request.method,
      headers: headersOf(request),
      redirect: "error",
      signal: request.signal,
      ...(request.payload === undefined ? {} : { body: request.payload }),
    });
    text = await readText(response);
  } catch (cause) {
    throw transportError(request, cause);
  }
  const answer = parseAnswer(text, response.status);
  if (response.status === 202) throw sdkError("approval_pending", "The request waits for the approval of others.");
  if (!response.ok) throw apiError(response.status, answer);
  return answer;
}

/** What is signed must be what is sent: a path that URL parsing would change (`//host`, `..`, `\`) is refused. */
function urlOf({ apiUrl, path }: Call): URL {
  const url = URL.canParse(path, apiUrl) ? new URL(path, apiUrl) : undefined;
  if (url === undefined || url.origin !== new URL(apiUrl).origin || url.pathname + url.search !== path)
    throw sdkError("request_path_invalid", "The path would not be sent as it was signed.");
  return url;
}

function headersOf({ token, payload, userAction }: Call): Record<string, string> {
  return {
    accept: "application/json",
    authorization: `Bearer ${token}`,
    ...(payload === undefined ? {} : { "content-type": "application/json" }),
    ...(userAction === undefined ? {} : { "x-dfns-useraction": userAction }),
  };
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > ANSWER_BYTES_MAX) throw sdkError("api_answer_invalid", "The API's answer is too long.");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function transportError({ signal }: Call, cause: unknown): CountersignError {
  if (cause instanceof CountersignError) return cause;
  if (!signal.aborted) return sdkError("api_unavailable", "The API could not be reached.", { cause });
  const late = signal.reason instanceof DOMException && signal.reason.name === "TimeoutError";
  return late
    ? sdkError("api_deadline", "The API did not answer in time.", { cause })
    : sdkError("api_call_cancelled", "The call was cancelled.", { cause });
}

function parseAnswer(text: string, status: number): JsonValue {
  try {
    return parseJson(text, "answer", { textLengthMax: ANSWER_BYTES_MAX, valuesMax: ANSWER_VALUES_MAX });
  } catch (cause) {
    if (status >= 500) throw new ApiError(status, { message: `The API answered ${status} without JSON.`, details: {} });
    throw sdkError("api_answer_invalid", `The API answered ${status} without strict JSON.`, { cause });
  }
}

/** `{ error: { id, status, message, details } }` of the reference; anything else still becomes an error of its status. */
function apiError(status: number, answer: JsonValue): ApiError {
  const error = field(answer, "error");
  const message = field(error, "message") ?? field(answer, "message");
  const details = field(error, "details");
  const code = field(error, "code") ?? field(details, "code");
  return new ApiError(status, {
    code: typeof code === "string" && CODE.test(code) ? code : undefined,
    message: typeof message === "string" ? message : `The API answered ${status}.`,
    details: flat(details),
  });
}

function field(value: JsonValue | undefined, name: string): JsonValue | undefined {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return undefined;
  return value[name];
}

/** Keeps plain members and lists of them: details are facts for people, not a structure to rely on. */
function flat(details: JsonValue | undefined): ErrorDetails {
  if (typeof details !== "object" || details === null || Array.isArray(details)) return {};
  const plain: [string, ErrorDetails[string]][] = [];
  for (const [name, value] of Object.entries(details)) {
    if (isPlain(value) || typeof value === "boolean") plain.push([name, value]);
    else if (Array.isArray(value)) plain.push([name, value.filter(isPlain)]);
  }
  return Object.fromEntries(plain);
}

function isPlain(value: JsonValue): value is string | number {
  return typeof value === "string" || typeof value === "number";
}

/** The refusal of readers of answers. */
export function answerInvalid(sentence: string): CountersignError {
  return sdkError("api_answer_invalid", sentence);
}

/** Reads one text member of an answer. */
export function answerText(answer: JsonValue, name: string): string {
  return new JsonMembers(answer, "answer", answerInvalid).text(name, { lengthMax: ANSWER_BYTES_MAX });
}
