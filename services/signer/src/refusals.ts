import { type Evidence, evidenceHash } from "@countersign/authority";
import { hex } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import type { SignerNode } from "./node.ts";

/** Refusals that may have an entry each at once: a caller's honest mistakes are all told one by one. */
const ENTRIES_MAX = 32;
/** Afterwards one entry each this long: whoever floods a signer writes 5,760 entries a day, some two megabytes. */
const ENTRY_EVERY_MS = 15_000;

/** A call as far as it was understood when it was refused. */
export interface RefusedCall {
  /** `generate`, `sign`, `keyState`, `settle` or `renounce`. */
  readonly call: string;
  /** Who called, by certificate. */
  readonly caller: { readonly role: string; readonly name: string };
  readonly evidence?: Evidence | undefined;
  /** As sent; 32 bytes when well formed. */
  readonly sessionId?: Uint8Array | undefined;
}

/**
 * Puts refused calls into the audit log (threat model, section 8: an audit entry says why), in transactions that others pay for. A
 * flood gets single entries up to a bound; what the bound swallows is counted by code, and the counts get an entry.
 */
export class Refusals {
  readonly #node: Pick<SignerNode, "vault" | "clock">;
  readonly #uncounted = new Map<string, number>();
  #entries = ENTRIES_MAX;
  #filledAt: number;
  #cancelTimer: (() => void) | undefined;

  constructor(node: Pick<SignerNode, "vault" | "clock">) {
    this.#node = node;
    this.#filledAt = node.clock.now();
  }

  /** Notes a refusal; other errors are no verdict about the request and are passed over. Never raises. */
  note(error: unknown, refused: RefusedCall): void {
    if (!(error instanceof CountersignError) || error.kind !== "refusal") return;
    if (this.#take() && this.#write({ ...fieldsOf(refused), code: error.code })) return;
    this.#uncounted.set(error.code, (this.#uncounted.get(error.code) ?? 0) + 1);
    this.#cancelTimer ??= this.#node.clock.setTimer(ENTRY_EVERY_MS, () => this.#count());
  }

  /** Writes what was only counted so far; before the vault closes. */
  close(): void {
    this.#count();
  }

  #count(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#uncounted.size === 0) return;
    const codes = [...this.#uncounted].map(([code, count]) => `${code} ${count}`);
    const total = [...this.#uncounted.values()].reduce((sum, count) => sum + count, 0);
    // The first codes fit; the total tells about the rest.
    if (this.#write({ total, codes: codes.join(", ").slice(0, 512) })) this.#uncounted.clear();
  }

  #take(): boolean {
    const now = this.#node.clock.now();
    const fresh = Math.floor((now - this.#filledAt) / ENTRY_EVERY_MS);
    this.#filledAt += fresh * ENTRY_EVERY_MS;
    this.#entries = Math.min(ENTRIES_MAX, this.#entries + fresh);
    if (this.#entries === 0) return false;
    this.#entries--;
    return true;
  }

  #write(fields: Readonly<Record<string, string | number>>): boolean {
    try {
      this.#node.vault.recordRefusal(fields);
      return true;
    } catch {
      // The caller's refusal must reach it whatever the log's queue is like; a signer whose log fails accepts nothing either.
      return false;
    }
  }
}

function fieldsOf({ call, caller, evidence, sessionId }: RefusedCall) {
  return {
    call,
    caller: `${caller.role} ${caller.name}`,
    ...(evidence === undefined ? {} : { evidenceHash: hex(evidenceHash(evidence)) }),
    ...(sessionId?.length === 32 ? { session: hex(sessionId) } : {}),
  };
}
