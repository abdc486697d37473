import assert from "node:assert/strict";
import type { Batch, RowRange, RowState } from "./vault-store.ts";

/** Keys order the same way in every store when they are plain printable ASCII. */
const KEY = /^[!-~]{1,256}$/;
/** Far above any record of ours; keeps one batch from filling the log. */
const VALUE_BYTES_MAX = 1024 * 1024;
/** Rows of one batch or read: bounds the time one batch holds the store. */
const ROWS_MAX = 4096;
/** Rows of one list answer. */
const LIST_ROWS_MAX = 1000;

/** Asserts a batch's bounds; what breaks them is a bug of the caller. */
export function checkBatch(batch: Batch): void {
  assert(batch.require.length <= ROWS_MAX && batch.write.length <= ROWS_MAX, `A batch has at most ${ROWS_MAX} rows.`);
  for (const row of batch.require) checkRow(row);
  for (const row of batch.write) checkRow(row);
  assert(new Set(batch.write.map(({ key }) => key)).size === batch.write.length, "A batch writes a row once.");
}

/** Asserts the bounds of a read. */
export function checkKeys(keys: readonly string[]): void {
  assert(keys.length <= ROWS_MAX, `A read has at most ${ROWS_MAX} keys.`);
  for (const key of keys) assert(KEY.test(key), "A row's key is 1..256 printable ASCII characters.");
}

/** Asserts the bounds of a list. */
export function checkRange({ prefix, after, limit }: RowRange): void {
  for (const key of [prefix, after ?? prefix]) assert(key === "" || KEY.test(key), "A range is of printable ASCII.");
  assert(Number.isInteger(limit) && limit >= 1 && limit <= LIST_ROWS_MAX, `A list has 1..${LIST_ROWS_MAX} rows.`);
}

function checkRow({ key, value }: RowState): void {
  assert(KEY.test(key), "A row's key is 1..256 printable ASCII characters.");
  assert(value === undefined || value.length <= VALUE_BYTES_MAX, `A row's value has at most ${VALUE_BYTES_MAX} bytes.`);
}
