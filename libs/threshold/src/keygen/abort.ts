import type { PartyIndex, SignedMessage } from "../delivery.ts";
import { ProtocolAbort, type ThresholdErrorCode } from "../errors.ts";
import type { Renunciation } from "./acknowledgement.ts";

/** A generation ended by complaints. */
export class KeygenAbort extends ProtocolAbort {
  /**
   * Verified promises of the complainers never to acknowledge this session. A node that already acknowledged may set its staged
   * share aside on one of them. A hostile complainer may have acknowledged to others all the same: a certificate that still
   * turns up is valid, and with the promise it convicts the complainer.
   */
  readonly renunciations: readonly Renunciation[];

  constructor(reason: ProtocolAbort, renunciations: readonly Renunciation[]) {
    const { code, message, culprits, evidence, cause } = reason;
    super(code, message, { culprits, ...(evidence && { evidence }), cause });
    this.name = "KeygenAbort";
    this.renunciations = renunciations;
  }
}

/** An abort that the signed messages of one party prove. */
export function convict(
  code: ThresholdErrorCode,
  message: string,
  culprit: PartyIndex,
  messages: readonly SignedMessage[],
): ProtocolAbort {
  return new ProtocolAbort(code, message, { culprits: [culprit], evidence: { messages } });
}

/** Runs a check and gives an abort it raises its culprit and evidence. */
export function attribute<T>(culprit: PartyIndex, messages: readonly SignedMessage[], check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof ProtocolAbort) throw convict(error.code, error.message, culprit, messages);
    throw error;
  }
}
