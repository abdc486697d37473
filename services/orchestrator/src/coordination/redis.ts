import { Redis } from "ioredis";
import type { Coordination, Lease } from "./coordination.ts";

/** Redis answers within a millisecond on a healthy network; a request must not wait longer than this for a convenience. */
const COMMAND_TIMEOUT_MS = 250;

/**
 * A holder that dies lets go within this, however long its request might have run: the retry elsewhere waits no longer. A holder that
 * lives renews in time, also when two renewals are lost.
 */
const HOLD_MS = 3_000;
const RENEWALS_PER_HOLD = 3;

/** While Redis is away every lease notices it once a second: one report of it in this time says as much. */
const REPORT_MS = 5_000;

/** Takes the lease if it is free and returns a fresh fencing token, in one step. */
const ACQUIRE = `
if redis.call('exists', KEYS[1]) == 1 then return 0 end
local token = redis.call('incr', KEYS[2])
redis.call('set', KEYS[1], token, 'PX', ARGV[1])
return token`;

/** Holds the lease further only if this token still holds it. */
const RENEW = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end return 0`;

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
  /** Told at most once every `reportMs`. */
  readonly onUnreachable: (error: Error) => void;
  /** How long a lease outlives its holder, milliseconds. Default 3,000. */
  readonly holdMs?: number;
  /** Least time between two reports, milliseconds. Default 5,000. */
  readonly reportMs?: number;
}): Promise<Coordination> {
  const { holdMs = HOLD_MS, reportMs = REPORT_MS } = options;
  const onUnreachable = seldom(options.onUnreachable, reportMs);
  const redis = new Redis(options.url, {
    lazyConnect: true,
    commandTimeout: COMMAND_TIMEOUT_MS,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    retryStrategy: (times) => Math.min(times * 100, 2_000),
  });
  redis.on("error", onUnreachable);
  // An unreachable Redis is reported and retried in the background; it must not keep an orchestrator from starting.
  await redis.connect().catch(onUnreachable);
  const prefix = `countersign:${options.deploymentId}`;
  const unfenced: Lease = { fencingToken: 0, release: async () => {} };
  const releasing = new Set<Promise<void>>();
  const renewing = new Set<NodeJS.Timeout>();
  const renew = (key: string, token: number, endsAt: number) => {
    const stop = () => {
      clearInterval(timer);
      renewing.delete(timer);
    };
    const timer = setInterval(() => {
      const leftMs = Math.ceil(Math.min(holdMs, endsAt - performance.now()));
      if (leftMs <= 0) return stop();
      redis.eval(RENEW, 1, key, String(token), leftMs).then((held) => held === 1 || stop(), onUnreachable);
    }, holdMs / RENEWALS_PER_HOLD).unref();
    renewing.add(timer);
    return stop;
  };
  return {
    acquire: async (name, ttlMs) => {
      const key = `${prefix}:lease:${name}`;
      const endsAt = performance.now() + ttlMs;
      try {
        const token = await redis.eval(ACQUIRE, 2, key, `${prefix}:fencing`, Math.ceil(Math.min(holdMs, ttlMs)));
        if (typeof token !== "number" || token === 0) return undefined;
        const stopRenewing = renew(key, token, endsAt);
        return {
          fencingToken: token,
          release: () => {
            stopRenewing();
            // The lease expires by itself; failing to give it up early costs a retry some seconds.
            const released = redis.eval(RELEASE, 1, key, String(token)).then(() => {}, onUnreachable);
            releasing.add(released);
            return released.finally(() => releasing.delete(released));
          },
        };
      } catch (error) {
        onUnreachable(error instanceof Error ? error : new Error(String(error)));
        return unfenced;
      }
    },
    close: async () => {
      for (const timer of renewing) clearInterval(timer);
      // Bounded: every command ends within its timeout.
      await Promise.all(releasing);
      redis.disconnect();
    },
  };
}

/** Passes on what comes first, then nothing until the pause is over. */
function seldom(report: (error: Error) => void, pauseMs: number): (error: Error) => void {
  let notBefore = Number.NEGATIVE_INFINITY;
  return (error) => {
    const now = performance.now();
    if (now < notBefore) return;
    notBefore = now + pauseMs;
    report(error);
  };
}
