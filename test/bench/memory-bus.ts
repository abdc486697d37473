import type { Wire, WireHandler } from "@countersign/mesh";

/** A bus within this process: what is published arrives in a later turn of the event loop, in order, and nothing is lost. */
export class MemoryBus {
  readonly #subscriptions = new Set<{ readonly pattern: RegExp; readonly handler: WireHandler }>();

  /** One participant's connection. */
  wire(): Wire {
    const closed = new AbortController();
    return {
      closed: closed.signal,
      publish: (subject, bytes) => {
        if (!closed.signal.aborted) setImmediate(() => this.#deliver(subject, bytes));
      },
      subscribe: async (subject, handler) => {
        const subscription = { pattern: patternOf(subject), handler };
        this.#subscriptions.add(subscription);
        return () => void this.#subscriptions.delete(subscription);
      },
      close: async () => closed.abort(new Error("The wire was closed.")),
    };
  }

  #deliver(subject: string, bytes: Uint8Array): void {
    for (const { pattern, handler } of this.#subscriptions) if (pattern.test(subject)) handler(subject, bytes);
  }
}

/** `*` stands for one token of a subject, a final `>` for all that follow. */
function patternOf(subject: string): RegExp {
  const tokens = subject.split(".").map((token) => (token === "*" ? "[^.]+" : token === ">" ? ".+" : token));
  return new RegExp(`^${tokens.join("\\.")}$`);
}
