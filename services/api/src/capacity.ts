import type { CountersignError } from "@countersign/errors";

/** A bound on what runs at once. Without a queue: whoever finds it full is told to come again. */
export class Capacity {
  readonly #max: number;
  readonly #full: () => CountersignError;
  #taken = 0;

  /** At most `max` at once; `full` makes the refusal of the next. */
  constructor(max: number, full: () => CountersignError) {
    this.#max = max;
    this.#full = full;
  }

  /** Runs `work` within the bound. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const leave = this.enter();
    try {
      return await work();
    } finally {
      leave();
    }
  }

  /** Takes one place; the returned function gives it back, once, however often it is called. */
  enter(): () => void {
    if (this.#taken >= this.#max) throw this.#full();
    this.#taken++;
    let held = true;
    return () => {
      if (held) this.#taken--;
      held = false;
    };
  }
}
