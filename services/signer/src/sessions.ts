import { signerError } from "./errors.ts";

/** Sessions at once: each holds a few kilobytes and a few milliseconds of work; more would only wait for one another. */
const SESSIONS_MAX = 256;

/** Counts running sessions, refuses beyond the bound, and lets shutdown wait for the last one. */
export class Sessions {
  readonly #running = new Set<Promise<unknown>>();
  #closing = false;

  get count(): number {
    return this.#running.size;
  }

  /** Runs one session. Raises `signer_busy`, `signer_closing`. */
  async run<T>(session: () => Promise<T>): Promise<T> {
    if (this.#closing) throw signerError("signer_closing", "This signer is shutting down.");
    if (this.#running.size >= SESSIONS_MAX)
      throw signerError("signer_busy", `This signer runs ${SESSIONS_MAX} sessions already.`);
    const running = session();
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  /** Takes no more sessions and resolves when the running ones ended; their own deadlines bound the wait. */
  async drain(): Promise<void> {
    this.#closing = true;
    await Promise.allSettled(this.#running);
  }
}
