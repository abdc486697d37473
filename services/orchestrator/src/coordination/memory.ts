import type { Coordination } from "./coordination.ts";

/** For one orchestrator on one machine: leases in this process. `now` is in milliseconds. */
export function memoryCoordination(now: () => number): Coordination {
  const leases = new Map<string, { fencingToken: number; expiresAt: number }>();
  let fencingToken = 0;
  return {
    acquire: async (name, ttlMs) => {
      const held = leases.get(name);
      if (held !== undefined && held.expiresAt > now()) return undefined;
      const lease = { fencingToken: ++fencingToken, expiresAt: now() + ttlMs };
      leases.set(name, lease);
      return {
        fencingToken: lease.fencingToken,
        release: async () => {
          if (leases.get(name) === lease) leases.delete(name);
        },
      };
    },
    close: async () => leases.clear(),
  };
}
