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
   * Runs `send` while the link is active and cannot be banned; raises `link_banned` otherwise. A message that answers a checked request
   * leaves through here only, so that none leaves after a ban was stored, in whatever session the check failed.
   */
  pass<T>(send: () => Promise<T>): Promise<T>;
  /**
   * Bans the link, durably and for both directions, before it resolves: waits for whoever is passing, lets nobody pass any more,
   * stores the ban, destroys the seeds. Idempotent; rejects when the ban could not be stored, and the link stays shut all the same.
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
  let stored: Promise<void> | undefined;
  const refuse = () =>
    thresholdError("link_banned", `The link of ${link.self} and ${link.peer} is banned or was replaced.`, {
      details: { peer: link.peer, linkEpoch: link.linkEpoch },
    });

  return {
    open() {
      if (stored !== undefined) throw refuse();
      return link;
    },
    async pass(send) {
      if (stored !== undefined) throw refuse();
      const run = (async () => {
        const isActive = await store.isActive(link);
        // Between the question and its answer a ban may have shut the gate; from here to the send nothing waits.
        if (!isActive || stored !== undefined) throw refuse();
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
      stored ??= Promise.all(passing).then(async () => {
        try {
          await store.storeBan(link, reason);
        } finally {
          link.wipe();
        }
      });
      return stored;
    },
  };
}
