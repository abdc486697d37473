import { CountersignError } from "@countersign/errors";
import { type VaultErrorCode, vaultError } from "../errors.ts";

/** Primary SQLite result codes (sqlite.org/rescode.html) that have a code of ours; all others are `store_failed`. */
const CODES: ReadonlyMap<number, { readonly code: VaultErrorCode; readonly what: string }> = new Map([
  [5, { code: "store_locked", what: "is open in another process or instance" }],
  [11, { code: "store_corrupt", what: "is damaged" }],
  [13, { code: "store_full", what: "has no room left on the disk or within its size limit" }],
  [26, { code: "store_foreign", what: "is not a store" }],
]);

/** An error of ours for what node:sqlite threw; errors of ours pass through. SQLite's own text never quotes bound values. */
export function sqliteError(error: unknown, path = "The store's file"): CountersignError {
  if (error instanceof CountersignError) return error;
  const result = resultCode(error);
  // An extended code keeps its primary code in the low byte.
  const { code, what } = CODES.get(result & 0xff) ?? { code: "store_failed", what: "cannot be read or written" };
  const text = error instanceof Error ? error.message : "unknown";
  return vaultError(code, `${path} ${what} (SQLite ${result}: ${text}).`, { cause: error });
}

function resultCode(error: unknown): number {
  return error instanceof Error && "errcode" in error && typeof error.errcode === "number" ? error.errcode : 0;
}
