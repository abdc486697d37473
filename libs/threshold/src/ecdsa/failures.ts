import type { PartyIndex, SignedMessage } from "../delivery.ts";
import { ProtocolAbort, type ThresholdErrorCode } from "../errors.ts";
import type { BanReason, LinkGate } from "../links/link-gate.ts";

/** What follows from an abort (ECDSA specification, section 3.i). */
export interface AbortClass {
  /**
   * Whom it names: the sender, on evidence that convinces anyone; the sender, which only its receiver can tell; nobody, because a relay
   * or any party may have caused it.
   */
  readonly names: "culprit" | "suspect" | "nobody";
  /** Whether the link with the sender is banned before the abort leaves the process. */
  readonly bans: boolean;
}

/** Every abort reason of ECDSA signing has its class. A check that leaks bits of a long-lived secret when it fails bans. */
export const ecdsaAbortClasses = {
  ecdsa_message_malformed: { names: "culprit", bans: false },
  ecdsa_views_differ: { names: "nobody", bans: false },
  ecdsa_commitment_mismatch: { names: "culprit", bans: false },
  ot_check_failed: { names: "suspect", bans: true },
  multiplication_check_failed: { names: "suspect", bans: true },
  ecdsa_keys_differ: { names: "nobody", bans: false },
  ecdsa_nonce_degenerate: { names: "nobody", bans: false },
  partial_invalid: { names: "suspect", bans: false },
  partials_differ: { names: "nobody", bans: false },
  ecdsa_signature_invalid: { names: "nobody", bans: false },
} as const satisfies { readonly [Code in ThresholdErrorCode]?: AbortClass };

type EcdsaAbortCode = keyof typeof ecdsaAbortClasses;

/** One failed check of one peer's messages. */
export interface Failure {
  readonly code: EcdsaAbortCode;
  readonly peer: PartyIndex;
  readonly why: string;
  /** What the peer sent. */
  readonly messages: readonly SignedMessage[];
}

/**
 * Ends a session on failed checks: bans the links of all peers whose failure leaks, durably, and only then throws. The other way round,
 * an application that retries would hand out a secret bit by bit. Does nothing without failures.
 */
export async function settleFailures(
  failures: readonly Failure[],
  gates: ReadonlyMap<PartyIndex, LinkGate>,
): Promise<void> {
  const [first] = failures;
  if (first === undefined) return;
  await Promise.all(
    failures.map(async ({ code, peer }) => {
      if (isBanReason(code)) await gates.get(peer)?.ban(code);
    }),
  );
  const same = failures.filter(({ code }) => code === first.code);
  throw ecdsaAbort(first.code, same);
}

/** An abort that names peers and carries evidence as far as its class does. */
export function ecdsaAbort(code: EcdsaAbortCode, failures: readonly Omit<Failure, "code">[]): ProtocolAbort {
  const { names } = ecdsaAbortClasses[code];
  const peers = [...new Set(failures.map(({ peer }) => peer))];
  const messages = failures.flatMap((failure) => failure.messages);
  const text = failures[0]?.why ?? code;
  switch (names) {
    case "culprit":
      return new ProtocolAbort(code, text, { culprits: peers, evidence: { messages } });
    case "suspect":
      return new ProtocolAbort(code, text, { suspects: peers });
    case "nobody":
      return new ProtocolAbort(code, text, messages.length > 0 ? { evidence: { messages } } : {});
  }
}

function isBanReason(code: EcdsaAbortCode): code is BanReason {
  return ecdsaAbortClasses[code].bans;
}
