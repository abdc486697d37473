import { setTimeout as delay } from "node:timers/promises";
import type { Api } from "./api.ts";
import type { KeyCreations } from "./keys/key-creations.ts";
import type { Signing } from "./signatures/signing.ts";

/** Often enough that expired rows stay few and a cut-off signature is not shown as running for long. */
const SWEEP_MS = 10_000;

/** What is swept. */
export interface Swept {
  readonly api: Api;
  readonly keyCreations: KeyCreations;
  readonly signing: Signing;
}

/** Once, before the first request: everything that runs by the database was cut off, where nobody else uses it. */
export async function settleAtStart({ api, signing }: Swept): Promise<void> {
  for (const orgId of api.state().organisations.keys())
    await signing.settle(orgId, { everything: api.database.isExclusive });
}

/** Sweeps until the signal aborts; then resolves, with nothing of it still running. */
export async function sweepUntil(signal: AbortSignal, swept: Swept): Promise<void> {
  while (!signal.aborted) {
    await sweep(swept);
    await delay(SWEEP_MS, undefined, { signal }).catch(() => {}); // Rejects only because the signal aborted.
  }
}

/** One round: drops what expired, ends what was cut off, continues half-made keys. Failures are logged, the next round follows. */
export async function sweep({ api, keyCreations, signing }: Swept): Promise<void> {
  for (const orgId of api.state().organisations.keys()) {
    try {
      await dropExpired(api, orgId);
      await signing.settle(orgId, { everything: false });
      await keyCreations.continueAll(orgId);
    } catch (error) {
      api.log.warn({ err: error, orgId }, "housekeeping failed");
    }
  }
}

async function dropExpired({ database, now }: Api, orgId: string): Promise<void> {
  const ended = new Date(now());
  await database.inOrganisation(orgId, async (transaction) => {
    await transaction.deleteFrom("challenges").where("org_id", "=", orgId).where("expires_at", "<=", ended).execute();
    await transaction.deleteFrom("user_actions").where("org_id", "=", orgId).where("expires_at", "<=", ended).execute();
  });
}
