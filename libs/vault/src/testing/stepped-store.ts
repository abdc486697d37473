import type { VaultStore } from "../store/vault-store.ts";

/** A moment of a commit: before the store knows of it, while its disk works, after it is durable and before its caller knows. */
export type CommitMoment = "before" | "during" | "after";

/** Wraps a store so that a test is called at every moment of every commit, counted from 0. */
export function steppedStore(store: VaultStore, onMoment: (commit: number, moment: CommitMoment) => void): VaultStore {
  let commits = 0;
  return {
    ...store,
    async commit(batch) {
      const commit = commits++;
      onMoment(commit, "before");
      const running = store.commit(batch);
      // The store hands a group to its worker in a later microtask; by the next turn the worker has it.
      setImmediate(() => onMoment(commit, "during"));
      const result = await running;
      onMoment(commit, "after");
      return result;
    },
  };
}
