import { base64url, decodeBase64url, decodeUtf8, type JsonValue, parseJson, utf8 } from "@countersign/bytes";
import type { CountersignError } from "@countersign/errors";
import { type Static, Type } from "typebox";
import { apiError } from "./errors.ts";

/** Items of a page when the caller names no number. */
const LIMIT_DEFAULT = 50;
/** A page of signatures echoes their bodies, a hundred kilobytes each at worst. */
const LIMIT_MAX = 100;
const PAGE_TOKEN_LENGTH_MAX = 512;

/** Which part of a list. */
export interface PageQuery {
  readonly limit: number;
  readonly paginationToken?: string;
}

/** Part of a list; no `nextPageToken` on the last. */
export interface Page<T> {
  readonly items: T[];
  readonly nextPageToken?: string;
}

/** Query of every list. */
export const PageParameters = Type.Object(
  {
    // A string, because that is what a query holds: reading it as a number would take 1.5 for 1.
    limit: Type.Optional(
      Type.String({
        pattern: "^(?:[1-9][0-9]?|100)$",
        description: `Items of the page, 1 to ${LIMIT_MAX}; ${LIMIT_DEFAULT} when left out.`,
      }),
    ),
    paginationToken: Type.Optional(Type.String({ minLength: 1, maxLength: PAGE_TOKEN_LENGTH_MAX })),
  },
  { additionalProperties: false },
);

/** The query with its defaults. */
export function pageQuery({ limit, paginationToken }: Static<typeof PageParameters>): PageQuery {
  return {
    limit: limit === undefined ? LIMIT_DEFAULT : Number(limit),
    ...(paginationToken === undefined ? {} : { paginationToken }),
  };
}

/** One list of one organisation: a token of one is unknown to every other. */
export interface List {
  readonly name: string;
  readonly orgId: string;
}

/** A place in a list that is ordered by time and then id, both falling. */
export interface Place {
  readonly timeMs: number;
  readonly id: string;
}

/** Cuts rows, fetched with one more than the limit, to a page. */
export function pageOf<T>(list: List, rows: readonly T[], limit: number, place: (row: T) => Place): Page<T> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  if (rows.length <= limit || last === undefined) return { items };
  const { timeMs, id } = place(last);
  return { items, nextPageToken: base64url(utf8(JSON.stringify([list.name, list.orgId, timeMs, id]))) };
}

/** The place after which a page begins, or nothing for the first. Raises `page_unknown`. */
export function readPageToken(list: List, token: string | undefined): Place | undefined {
  if (token === undefined) return undefined;
  const [name, orgId, timeMs, id] = parseToken(token);
  if (name !== list.name || orgId !== list.orgId || typeof timeMs !== "number" || typeof id !== "string")
    throw unknown();
  if (!Number.isInteger(timeMs) || Number.isNaN(new Date(timeMs).getTime()) || id.includes("\0")) throw unknown();
  return { timeMs, id };
}

function parseToken(token: string): JsonValue[] {
  try {
    const value = parseJson(decodeUtf8(decodeBase64url(token)));
    if (Array.isArray(value) && value.length === 4) return value;
  } catch {
    // Junk, and the token of another list or organisation, are answered alike.
  }
  throw unknown();
}

function unknown(): CountersignError {
  return apiError("page_unknown", "There is no such page.");
}
