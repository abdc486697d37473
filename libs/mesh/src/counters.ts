/** Why something that arrived was dropped. None of these changes protocol state. */
export const DROP_REASONS = [
  "subject_invalid",
  "sender_unknown",
  "envelope_oversized",
  "envelope_malformed",
  "header_malformed",
  "header_misplaced",
  "sender_not_party",
  "channel_unknown",
  "seal_broken",
  "body_malformed",
  "signature_invalid",
  "repeated",
  "session_over",
  "early_overflow",
  "early_expired",
  "handshake_malformed",
  "handshake_refused",
  "handshake_crossed",
  "handshake_limited",
  "presence_malformed",
  "presence_forged",
  "presence_stale",
  "presence_limited",
] as const;

export type DropReason = (typeof DROP_REASONS)[number];

/** What a mesh counted since it started; read by the service's metrics. */
export class MeshCounters {
  /** Session envelopes sent, one per receiver. */
  envelopesSent = 0;
  /** Session envelopes that passed every check. */
  envelopesAccepted = 0;
  /** Channels made, either role. */
  channelsMade = 0;
  readonly dropped: Record<DropReason, number>;

  constructor() {
    const zeros: Partial<Record<DropReason, number>> = {};
    for (const reason of DROP_REASONS) zeros[reason] = 0;
    this.dropped = zeros as Record<DropReason, number>;
  }

  drop(reason: DropReason): void {
    this.dropped[reason]++;
  }

  /** All drops together. */
  get droppedTotal(): number {
    return DROP_REASONS.reduce((total, reason) => total + this.dropped[reason], 0);
  }
}
