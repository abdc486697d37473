/** More than any service starts; a group that reaches it leaks tasks. */
const TASKS_MAX = 1_000;

/** Work that outlives the call that started it. Everything in it is told to stop, and awaited, at shutdown. */
export class TaskGroup {
  readonly #stop = new AbortController();
  readonly #running = new Map<Promise<void>, string>();
  readonly #onFailure: (error: unknown, name: string) => void;

  /** `onFailure` is told of a task that rejected while it was not being stopped. */
  constructor(onFailure: (error: unknown, name: string) => void) {
    this.#onFailure = onFailure;
  }

  /** Aborts when the group is being stopped. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Names of the tasks that run. */
  get names(): readonly string[] {
    return [...this.#running.values()];
  }

  /** Starts a task. It ends soon after its signal aborts; rejecting because of that is no failure. */
  run(name: string, task: (signal: AbortSignal) => Promise<void>): void {
    if (this.#stop.signal.aborted) return;
    if (this.#running.size >= TASKS_MAX) throw new Error(`More than ${TASKS_MAX} tasks run, the next is ${name}.`);
    const done: Promise<void> = (async () => task(this.#stop.signal))()
      .catch((error: unknown) => {
        if (!this.#stop.signal.aborted) this.#onFailure(error, name);
      })
      .finally(() => this.#running.delete(done));
    this.#running.set(done, name);
  }

  /** Stops every task. Resolves to the names of those that still ran after `graceMs` milliseconds. */
  async close({ graceMs }: { readonly graceMs: number }): Promise<readonly string[]> {
    this.#stop.abort();
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, graceMs);
    await Promise.race([Promise.all(this.#running.keys()), late]);
    clearTimeout(timer);
    return this.names;
  }
}
