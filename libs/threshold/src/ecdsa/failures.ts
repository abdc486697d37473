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

/** The failed checks of one step of a session, over all its items and peers, and the bans that follow from them. */
export class FailedChecks {
  readonly #gates: ReadonlyMap<PartyIndex, LinkGate>;
  readonly #failures: Failure[] = [];
  readonly #bans = new Map<PartyIndex, Promise<void>>();

  constructor(gates: ReadonlyMap<PartyIndex, LinkGate>) {
    this.#gates = gates;
  }

  /**
   * Takes a failed check. Where it leaks, the link's gate is shut when this returns: other sessions on the link go on while the step
   * looks at its other items, and none of their answers may leave any more. Throws for a peer without a gate.
   */
  add(failure: Failure): void {
    this.#failures.push(failure);
    const { code, peer } = failure;
    if (!isBanReason(code)) return;
    const gate = this.#gates.get(peer);
    if (gate === undefined) throw new Error(`Party ${peer} failed a check and has no link to ban.`);
    const ban = gate.ban(code);
    // `stored` reports a rejection, perhaps many turns of the event loop later; until then it is not unhandled.
    ban.catch(() => {});
    this.#bans.set(peer, ban);
  }

  /** Whether a check of this peer failed that bans: nothing more is asked of it. */
  hasBanned(peer: PartyIndex): boolean {
    return this.#bans.has(peer);
  }

  /** Waits until every ban has ended, then throws the first error of one that could not be stored. */
  async stored(): Promise<void> {
    const outcomes = await Promise.allSettled(this.#bans.values());
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }

  /**
   * Ends the session on its failed checks; does nothing without any. Only after `stored`: the other way round, an application that
   * retries would hand out a secret bit by bit.
   */
  raise(): void {
    const [first] = this.#failures;
    if (first === undefined) return;
    const same = this.#failures.filter(({ code }) => code === first.code);
    throw ecdsaAbort(first.code, same);
  }
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
