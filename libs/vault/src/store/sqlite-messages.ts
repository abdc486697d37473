import type { Batch, RowRange } from "./vault-store.ts";

/** The worker's file; its `workerData`. */
export interface StoreFile {
  readonly path: string;
  readonly bytesMax: number;
}

/** What the store asks its worker; answered in order. */
export type Request = { readonly id: number } & Work;

export type Work =
  | { readonly kind: "open" }
  | { readonly kind: "read"; readonly keys: readonly string[] }
  | { readonly kind: "list"; readonly range: RowRange }
  | { readonly kind: "count"; readonly prefix: string }
  | { readonly kind: "commit"; readonly group: readonly Batch[] }
  | { readonly kind: "close" };

/** The worker's answer to the request of the same id. */
export type Answer =
  | { readonly id: number; readonly kind: "value"; readonly value: unknown }
  | { readonly id: number; readonly kind: "error"; readonly code: string; readonly message: string };
