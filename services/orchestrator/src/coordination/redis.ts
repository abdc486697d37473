import { Redis } from "ioredis";
import type { Coordination, Lease } from "./coordination.ts";

/** Redis answers within a millisecond on a healthy network; a request must not wait longer than this for a convenience. */
const COMMAND_TIMEOUT_MS = 250;

/** Takes the lease if it is free and returns a fresh fencing token, in one step. */
const ACQUIRE = `
if redis.call('exists', KEYS[1]) == 1 then return 0 end
local token = redis.call('incr', KEYS[2])
redis.call('set', KEYS[1], token, 'PX', ARGV[1])
return token`;

/** Gives the lease up only if this token still holds it. */
const RELEASE = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`;

/**
 * Leases shared by several orchestrators. When Redis is away, `acquire` grants a lease without agreement (token 0): signers stop
 * what must not happen twice, and refusing to sign would turn a lost cache into an outage.
 */
export async function redisCoordination(options: {
  readonly url: string;
  /** Keeps the leases of several deployments apart. */
  readonly deploymentId: string;
  readonly onUnreachable: (error: Error) => void;
}): Promise<Coordination> {
  const redis = new Redis(options.url, {
    lazyConnect: true,
    commandTimeout: COMMAND_TIMEOUT_MS,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    retryStrategy: (times) => Math.min(times * 100, 2_000),
  });
  redis.on("error", options.onUnreachable);
  // An unreachable Redis is reported and retried in the background; it must not keep an orchestrator from starting.
  await redis.connect().catch(options.onUnreachable);
  const prefix = `countersign:${options.deploymentId}`;
  const unfenced: Lease = { fencingToken: 0, release: async () => {} };
  const releasing = new Set<Promise<void>>();
  return {
    acquire: async (name, ttlMs) => {
      const key = `${prefix}:lease:${name}`;
      try {
        const token = await redis.eval(ACQUIRE, 2, key, `${prefix}:fencing`, Math.ceil(ttlMs));
        if (typeof token !== "number" || token === 0) return undefined;
        return {
          fencingToken: token,
          release: () => {
            // The lease expires by itself; failing to give it up early costs a retry some seconds.
            const released = redis.eval(RELEASE, 1, key, String(token)).then(() => {}, options.onUnreachable);
            releasing.add(released);
            return released.finally(() => releasing.delete(released));
          },
        };
      } catch (error) {
        options.onUnreachable(error instanceof Error ? error : new Error(String(error)));
        return unfenced;
      }
    },
    close: async () => {
      // Bounded: every command ends within its timeout.
      await Promise.all(releasing);
      redis.disconnect();
    },
  };
}
