import { vaultError } from "../errors.ts";

/** Items of one group: bounds how long the first waits for the last. */
const GROUP_MAX = 256;
/** Items that may wait for the disk; more is an overload that callers must see. */
const WAITING_MAX = 4096;

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/** Lets items that wait together be worked off together: while one group runs, the next gathers. One group at a time, in order. */
export class GroupQueue<Item, Result> {
  readonly #work: (group: readonly Item[]) => Promise<readonly Result[]>;
  readonly #waiting: Waiting<Item, Result>[] = [];
  #running: Promise<void> | undefined;
  #closed = false;

  /** `work` answers one result per item, in order; when it rejects, so does every item of the group. */
  constructor(work: (group: readonly Item[]) => Promise<readonly Result[]>) {
    this.#work = work;
  }

  /** Resolves with the item's own result once its group is done. Raises `store_overloaded` and `store_closed`. */
  submit(item: Item): Promise<Result> {
    if (this.#closed) return Promise.reject(vaultError("store_closed", "The store is closed."));
    if (this.#waiting.length >= WAITING_MAX)
      return Promise.reject(vaultError("store_overloaded", `${WAITING_MAX} writes wait for the disk already.`));
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    this.#waiting.push({ item, resolve, reject });
    this.#running ??= this.#run();
    return promise;
  }

  /** Refuses new items and waits for those that came before. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    // Calls made in the same turn of the event loop join the first group.
    await Promise.resolve();
    while (this.#waiting.length > 0) await this.#runGroup(this.#waiting.splice(0, GROUP_MAX));
    this.#running = undefined;
  }

  async #runGroup(group: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.#work(group.map(({ item }) => item));
      if (results.length !== group.length) throw vaultError("store_failed", "The store lost results of a group.");
      for (const [index, result] of results.entries()) group[index]?.resolve(result);
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }
}
