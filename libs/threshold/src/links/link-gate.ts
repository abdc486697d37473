import { thresholdError } from "../errors.ts";
import type { Link } from "./link.ts";

/** Why a link is banned: the check that failed (ECDSA specification, section 3.i). */
export type BanReason = "ot_check_failed" | "multiplication_check_failed";

/**
 * A link as signing sessions may use it. Sessions of all keys share a link, and what a failed check tells a cheater counts for all of
 * them: hence one gate, which closes for all at once.
 */
export interface LinkGate {
  /** The link's seeds; raises `link_banned` once the link is banned. */
  open(): Link;
  /**
   * Runs `send` while the link is active; raises `link_banned` otherwise. A message that answers a checked request leaves through here
   * only, so that none is sent once `ban` was called, in whatever session the check failed.
   */
  pass<T>(send: () => Promise<T>): Promise<T>;
  /**
   * Bans the link, durably and for both directions, before it resolves. Shut when this returns: nobody passes any more. The ban is
   * stored at once, beside whoever is passing already; when both have ended, the seeds are destroyed. Many calls are one ban. Rejects
   * when the ban could not be stored; then the link stays shut in this process alone, the next call tries to store it again, and a
   * caller who has no other try must stop the process: one that starts anew would hold the link as active.
   */
  ban(reason: BanReason): Promise<void>;
}

/** What a gate needs of the place where links are stored. */
export interface LinkStatusStore {
  /** Whether the stored link is ACTIVE on this epoch; where replicas share a store, under the row's lock until `pass` ends. */
  isActive(link: Link): Promise<boolean>;
  /** Replaces the stored link by a ban, synced: no seeds are left and no restart forgets it. */
  storeBan(link: Link, reason: BanReason): Promise<void>;
}

/** The gate of one link in one process. */
export function linkGate(link: Link, store: LinkStatusStore): LinkGate {
  const passing = new Set<Promise<unknown>>();
  let isShut = false;
  /** The ban as it is being stored, or was; nothing after a failure. */
  let stored: Promise<void> | undefined;
  const refuse = () =>
    thresholdError("link_banned", `The link of ${link.self} and ${link.peer} is banned or was replaced.`, {
      details: { peer: link.peer, linkEpoch: link.linkEpoch },
    });

  const storeBan = async (reason: BanReason) => {
    const storing = (async () => await store.storeBan(link, reason))();
    // Storing does not wait for those who pass: a bus that hangs must not cost the ban.
    const [outcome] = await Promise.allSettled([storing, ...passing]);
    link.wipe();
    if (outcome.status === "fulfilled") return;
    stored = undefined;
    throw outcome.reason;
  };

  return {
    open() {
      if (isShut) throw refuse();
      return link;
    },
    async pass(send) {
      if (isShut) throw refuse();
      const run = (async () => {
        const isActive = await store.isActive(link);
        // Between the question and its answer a ban may have shut the gate; from here to the send nothing waits.
        if (!isActive || isShut) throw refuse();
        return await send();
      })();
      const ended = run.catch(() => {});
      passing.add(ended);
      try {
        return await run;
      } finally {
        passing.delete(ended);
      }
    },
    ban(reason) {
      // Shut first: whoever comes while the ban is being stored must not pass.
      isShut = true;
      stored ??= storeBan(reason);
      return stored;
    },
  };
}
