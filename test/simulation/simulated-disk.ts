import { CountersignError } from "@countersign/errors";
import type { SeededRandom, VirtualClock } from "@countersign/mesh";
import { type MemoryStore, memoryStore, type VaultStore } from "@countersign/vault";

/** How simulated disks behave. Rates are probabilities per sync, 0..1. */
export interface DiskFaults {
  /** Longest sync, virtual milliseconds. */
  readonly syncMsMax: number;
  /** The sync fails and nothing of it is on the disk. */
  readonly syncFails: number;
  /** The sync reports a failure although everything is on the disk: the outcome is unknown to who asked. */
  readonly syncLies: number;
}

export const CALM_DISK: DiskFaults = { syncMsMax: 2, syncFails: 0, syncLies: 0 };

/** A store on a simulated disk that keeps, between two processes, what its syncs made durable. */
export interface SimulatedStore extends VaultStore {
  durableRows(): ReadonlyMap<string, Uint8Array>;
}

/** Opens a store over the rows that the disk holds. */
export function simulatedStore(options: {
  readonly rows: ReadonlyMap<string, Uint8Array>;
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  /** Asked at every sync. */
  readonly faults: () => DiskFaults;
}): SimulatedStore {
  const { rows, clock, random, faults } = options;
  const sync = async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    clock.setTimer(random.next() * faults().syncMsMax, resolve);
    await promise;
    if (happens(random, faults().syncFails)) throw syncFailed();
  };
  const inner: MemoryStore = memoryStore({ rows, sync });
  return {
    ...inner,
    async commit(batch) {
      const result = await inner.commit(batch);
      if (happens(random, faults().syncLies)) throw syncFailed();
      return result;
    },
  };
}

function happens(random: SeededRandom, rate: number): boolean {
  return rate > 0 && random.next() < rate;
}

/** What the SQLite store raises for an I/O error of its disk. */
function syncFailed(): CountersignError {
  const entry = { kind: "outage", http: 503, grpc: "UNAVAILABLE", meaning: "" } as const;
  return new CountersignError("store_failed", entry, "The simulated disk did not sync.");
}
