/**
 * What went wrong, by what the caller does about it:
 *
 * - `refusal`: the request is wrong; the same request is refused again. Nothing changed.
 * - `abort`: a peer misbehaved; culprits and evidence are named; not retried with the same set.
 * - `outage`: something is away or late; a retry with another attempt may succeed.
 * - `bug`: a broken invariant of ours.
 */
export type ErrorKind = "refusal" | "abort" | "outage" | "bug";

/** One line of a package's error table; `docs/errors.md` has an entry per code. */
export interface ErrorEntry {
  readonly kind: ErrorKind;
  /** HTTP status that the API answers with. */
  readonly http: number;
  /** gRPC status name. */
  readonly grpc:
    | "INVALID_ARGUMENT"
    | "NOT_FOUND"
    | "ALREADY_EXISTS"
    | "PERMISSION_DENIED"
    | "UNAUTHENTICATED"
    | "RESOURCE_EXHAUSTED"
    | "FAILED_PRECONDITION"
    | "ABORTED"
    | "UNIMPLEMENTED"
    | "INTERNAL"
    | "UNAVAILABLE"
    | "DEADLINE_EXCEEDED"
    | "CANCELLED";
  /** One sentence: when this is raised. */
  readonly meaning: string;
}

/** A package's codes. Codes are unique over all packages. */
export type ErrorTable = Readonly<Record<string, ErrorEntry>>;

/** Ids and other public facts about a failure. Never key material, never a request body. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | readonly (string | number)[]>>;

/** The only error type that crosses a package's edge on purpose; `code` is stable, `message` is for people. */
export class CountersignError extends Error {
  readonly code: string;
  readonly kind: ErrorKind;
  readonly http: number;
  readonly grpc: ErrorEntry["grpc"];
  readonly details: ErrorDetails;

  constructor(
    code: string,
    entry: ErrorEntry,
    message: string,
    options: { details?: ErrorDetails; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "CountersignError";
    this.code = code;
    this.kind = entry.kind;
    this.http = entry.http;
    this.grpc = entry.grpc;
    this.details = options.details ?? {};
  }
}

/**
 * Makes the error constructor of a package from its table:
 *
 * ```ts
 * const errors = { key_unknown: { kind: "refusal", http: 404, grpc: "NOT_FOUND", meaning: "…" } } as const satisfies ErrorTable;
 * const vaultError = errorsOf(errors);
 * throw vaultError("key_unknown", `No key ${keyId} at this node.`, { details: { keyId } });
 * ```
 */
export function errorsOf<T extends ErrorTable>(table: T) {
  return (
    code: keyof T & string,
    message: string,
    options: { details?: ErrorDetails; cause?: unknown } = {},
  ): CountersignError => new CountersignError(code, table[code] as ErrorEntry, message, options);
}
