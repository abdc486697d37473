import type { Clock } from "./clock.ts";

/** A bucket of permits: `burst` at once, refilled at `perSecond`. Limits what one sender can make this process compute. */
export class RateLimit {
  readonly #clock: Clock;
  readonly #burst: number;
  readonly #perSecond: number;
  #permits: number;
  #at: number;

  constructor(clock: Clock, limit: { readonly burst: number; readonly perSecond: number }) {
    this.#clock = clock;
    this.#burst = limit.burst;
    this.#perSecond = limit.perSecond;
    this.#permits = limit.burst;
    this.#at = clock.now();
  }

  /** Takes a permit; false when there is none. */
  take(): boolean {
    const now = this.#clock.now();
    this.#permits = Math.min(this.#burst, this.#permits + ((now - this.#at) / 1000) * this.#perSecond);
    this.#at = now;
    if (this.#permits < 1) return false;
    this.#permits--;
    return true;
  }
}
