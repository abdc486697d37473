import { CountersignError } from "@countersign/errors";
import { type DestinationStream, type Logger, pino } from "pino";

/** A service's log: JSON lines with `level`, `time`, `service`, `pid`, `msg` and the fields given. */
export type Log = Logger;

/** Deepest member of a logged object that is looked at. */
const DEPTH_MAX = 6;
/** Longest text, list or object that is logged whole. */
const LENGTH_MAX = 2_000;
/** Longest chain of causes that is followed. */
const CAUSES_MAX = 5;

/** Makes a log. Lines are written before the call returns, so that none is lost when the process ends. */
export function createLog(options: { name: string; level?: string | undefined; destination?: DestinationStream }): Log {
  const { name, level = "info", destination = pino.destination({ fd: 1, sync: true }) } = options;
  const log = pino(
    {
      level,
      base: { service: name, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      // `plain` below turns errors into fields before pino's own serializer would print every property they have.
      serializers: { err: (value: unknown) => value, error: (value: unknown) => value },
      formatters: { level: (label) => ({ level: label }), log: loggable },
    },
    destination,
  );
  // pino formats a child's own fields with nothing but their `toJSON`.
  const makeChild = log.child;
  log.child = function child(this: Log, fields: object, childOptions: object) {
    return makeChild.call(this, loggable(fields), childOptions);
  } as Log["child"];
  return log;
}

function loggable(fields: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, plain(value, 0)]));
}

/**
 * What may stand in a log for a value: bytes become their length, because most bytes here are keys or signatures; errors become
 * code, kind, message, details, stack and cause; everything is cut at a bound. `Secret` prints `[secret]` by itself.
 */
function plain(value: unknown, depth: number): unknown {
  if (typeof value === "string") return value.length <= LENGTH_MAX ? value : `${value.slice(0, LENGTH_MAX)}…`;
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return value;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
  if (value instanceof Error) return describeError(value);
  if (depth === DEPTH_MAX) return "[deeper]";
  if ("toJSON" in value && typeof value.toJSON === "function") return plain(value.toJSON(), depth + 1);
  if (Array.isArray(value)) return value.slice(0, LENGTH_MAX).map((item) => plain(item, depth + 1));
  const entries = value instanceof Map ? [...value.entries()] : Object.entries(value);
  return Object.fromEntries(
    entries.slice(0, LENGTH_MAX).map(([key, member]) => [String(key), plain(member, depth + 1)]),
  );
}

/** The fields of an error that a log may show. Properties that other libraries hang on their errors, such as requests, are not among them. */
export function describeError(error: Error, causes = 0): Record<string, unknown> {
  const known =
    error instanceof CountersignError
      ? { code: error.code, kind: error.kind, details: plain(error.details, 0) }
      : systemCode(error);
  const cause =
    error.cause instanceof Error && causes < CAUSES_MAX ? { cause: describeError(error.cause, causes + 1) } : {};
  return { name: error.name, message: plain(error.message, 0), ...known, stack: plain(error.stack ?? "", 0), ...cause };
}

function systemCode(error: Error): Record<string, unknown> {
  return "code" in error && (typeof error.code === "string" || typeof error.code === "number")
    ? { code: error.code }
    : {};
}
