import type { Secret } from "@countersign/bytes";

/**
 * Wraps data keys under a KEK that lives elsewhere: a file, a passphrase, later a region's KMS. `context` is bound to the
 * wrapped key: unwrapping with any other context raises `kek_rejected`, as does a damaged or foreign wrapped key.
 */
export interface KekProvider {
  /** What kind of provider this is, for status and audit. */
  readonly kind: string;
  /** Wraps a data key; the caller keeps it and wipes it. */
  wrap(dataKey: Secret, context: Uint8Array): Promise<Uint8Array>;
  /** Unwraps; the caller owns and wipes the result. */
  unwrap(wrapped: Uint8Array, context: Uint8Array): Promise<Secret>;
}
