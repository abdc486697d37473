/** Receives what arrives on a subject. `bytes` may be a view of a buffer that is reused: copy what is kept. */
export type WireHandler = (subject: string, bytes: Uint8Array) => void;

/**
 * A bus that nobody trusts: it may lose, delay, repeat, reorder, alter and invent messages. Everything above it is signed and
 * sealed end to end. Implementations: `connectNats`, `SimulatedNetwork`.
 */
export interface Wire {
  /** Sends without waiting and without a promise of arrival; does nothing once closed. Never throws. */
  publish(subject: string, bytes: Uint8Array): void;
  /**
   * Subscribes; resolves once the bus has taken the subscription, with the function that ends it. Rejects with
   * `wire_permission_denied` when the bus refuses the subject, and with `wire_unreachable` when the signal aborts before that.
   */
  subscribe(subject: string, handler: WireHandler, signal?: AbortSignal): Promise<() => void>;
  /** Aborts when the wire is gone for good; a wire that reconnects is not closed. */
  readonly closed: AbortSignal;
  close(): Promise<void>;
}
