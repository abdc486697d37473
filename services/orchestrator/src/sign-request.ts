import { attemptsMax, authorize, type Evidence } from "@countersign/authority";
import { hex } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import { interpret } from "@countersign/intent";
import type { PartyIndex } from "@countersign/threshold";
import { type ApprovedRequest, runAttempt, type Signature } from "./attempt.ts";
import { orchestratorError } from "./errors.ts";
import { Experience } from "./experience.ts";
import type { KeyDirectory } from "./key-directory.ts";
import { delay, type Network } from "./network.ts";
import { chooseQuorum } from "./quorum.ts";

/** Presence needs a moment after the bus or a node comes back; waiting this long beats refusing at once. */
const QUORUM_WAIT_MS = 2_000;
/** How often presence is looked at while waiting for a quorum. */
const QUORUM_POLL_MS = 50;
/** A lease outlives the longest request by a little, so that a crashed holder does not block a retry for long. */
const LEASE_MARGIN_MS = 1_000;

/** Signatures with what obtaining them took. */
export interface Signed {
  readonly signatures: readonly Signature[];
  readonly attempts: number;
  readonly parties: readonly PartyIndex[];
}

/**
 * Obtains the signatures that evidence approves: quorum by quorum, each attempt a new session with new randomness, until one
 * verifies, the attempt cap is reached or the deadline passes (architecture 2, steps 4 to 8).
 */
export async function signRequest(
  network: Network,
  keys: KeyDirectory,
  evidence: Evidence,
  { signal, deadlineMs }: { signal: AbortSignal; deadlineMs: number },
): Promise<Signed> {
  const { authority, coordination } = network;
  const endsAt = network.now() + deadlineMs;
  const { c, intent } = authorize(evidence, authority, { now: network.now(), seenAt: network.now() });
  if (intent.kind !== "sign")
    throw orchestratorError("key_not_active", `${evidence.path} does not ask for a signature.`);
  const lease = await coordination.acquire(`sign:${hex(c)}`, deadlineMs + LEASE_MARGIN_MS);
  if (lease === undefined) throw orchestratorError("request_busy", "This approval is being used by another call.");
  try {
    const key = await keys.find(intent.keyId, signal);
    const items = interpret(intent, { ...key, purpose: "wallet" });
    return await attempts({ network, evidence, key, items, signal, endsAt });
  } finally {
    // The answer need not wait until Redis knows.
    void lease.release();
  }
}

async function attempts(request: ApprovedRequest): Promise<Signed> {
  const { network, endsAt } = request;
  const { descriptor } = network;
  const experience = new Experience();
  const most = attemptsMax(descriptor);
  let last: unknown;
  for (let attempt = 1; attempt <= most && network.now() < endsAt; attempt++) {
    let parties: readonly PartyIndex[];
    try {
      parties = await waitForQuorum(request, experience);
    } catch (error) {
      // When a node's own word explains why no quorum is left, that word helps the caller more than the count does.
      throw last instanceof CountersignError && last.kind === "refusal" ? last : error;
    }
    const outcome = await runAttempt(request, attempt, parties);
    if ("signatures" in outcome) return { signatures: outcome.signatures, attempts: attempt, parties };
    last = outcome.error;
    experience.learn(parties, outcome.verdict);
  }
  const cause = last instanceof Error ? last : undefined;
  throw orchestratorError(
    "attempts_failed",
    `No attempt succeeded; the last one: ${cause?.message ?? "the deadline passed"}`,
    {
      cause,
    },
  );
}

/** Picks a quorum, waiting a bounded moment for presence to show one. */
async function waitForQuorum(
  { network, key, signal, endsAt }: ApprovedRequest,
  experience: Experience,
): Promise<readonly PartyIndex[]> {
  const giveUpAt = Math.min(endsAt, network.now() + QUORUM_WAIT_MS);
  for (;;) {
    try {
      return chooseQuorum(network.candidates(), key.threshold, experience);
    } catch (error) {
      const hopeless = network.descriptor.nodes.length - experience.excluded.size < key.threshold;
      if (hopeless || network.now() >= giveUpAt) throw error;
      await delay(network, QUORUM_POLL_MS, signal);
    }
  }
}
