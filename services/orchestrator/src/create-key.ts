import { authorize, type Evidence, sessionHeads } from "@countersign/authority";
import { hex } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import { startDeadline } from "@countersign/mesh";
import { type KeyStateResponse, KeyStateResponse_State as State } from "@countersign/proto/signer";
import type { Acknowledgement, PartyIndex } from "@countersign/threshold";
import {
  type CertifiedKey,
  certificateToWire,
  evidenceToWire,
  keyFromWire,
  type Session,
  sessionToWire,
} from "@countersign/wire";
import { orchestratorError } from "./errors.ts";
import type { KeyDirectory } from "./key-directory.ts";
import { delay, type Network, signerOf } from "./network.ts";

/** A node answers what it holds from memory or one read, and moves a staged key in one transaction. */
const STATE_DEADLINE_MS = 2_000;
/** Sessions tried for one call; more would only repeat what the answer already says. */
const SESSIONS_MAX = 3;
/** A healthy session takes tens of milliseconds, oceans apart a second; one lost message must not cost the whole deadline. */
const SESSION_MS = 6_000;
/** Nodes need a moment to notice that a session has ended, and a restarted one to be found again. */
const RETRY_MS = 250;
/**
 * Doubled waits for a node that still winds down an earlier session: together they outlast a session. Not more, because every try
 * counts at the other nodes, which start a bounded number of sessions an hour for one key.
 */
const RUNNING_WAITS_MAX = 5;
/** A lease outlives the longest call by a little, so that a crashed holder does not block a retry for long. */
const LEASE_MARGIN_MS = 1_000;

interface Creation {
  readonly network: Network;
  readonly keys: KeyDirectory;
  readonly evidence: Evidence;
  readonly keyId: string;
  readonly signal: AbortSignal;
  /** Absolute, on the network's clock. */
  readonly endsAt: number;
}

/**
 * Creates the key that evidence approves on all n nodes, or takes a half-made one to its end: a key staged at every node is
 * activated with the acknowledgements at hand; one that t nodes never staged is given up by their signed promises and made anew
 * (docs/design/half-made-keys.md). Raises `nodes_missing` before anything starts when presence shows fewer than n, `key_half_made` when the
 * approval can make no key any more.
 */
export async function createKey(
  network: Network,
  keys: KeyDirectory,
  evidence: Evidence,
  { signal, deadlineMs }: { signal: AbortSignal; deadlineMs: number },
): Promise<CertifiedKey> {
  const { authority, coordination } = network;
  const now = network.now();
  const { c, intent } = authorize(evidence, authority, { now, seenAt: now });
  if (intent.kind !== "create-key")
    throw orchestratorError("key_not_active", `${evidence.path} does not create a key.`);
  requireAllNodes(network);
  const lease = await coordination.acquire(`create-key:${hex(c)}`, deadlineMs + LEASE_MARGIN_MS);
  if (lease === undefined) throw orchestratorError("request_busy", "This approval is being used by another call.");
  try {
    return await settleOrGenerate({ network, keys, evidence, keyId: intent.keyId, signal, endsAt: now + deadlineMs });
  } finally {
    // The answer need not wait until Redis knows.
    void lease.release();
  }
}

function requireAllNodes({ candidates }: Network): void {
  const missing = candidates().filter(({ present }) => !present);
  if (missing.length === 0) return;
  const regions = missing.map(({ region }) => region);
  const text = `Creating a key needs every node; away: ${regions.join(", ")}.`;
  throw orchestratorError("nodes_missing", text, { details: { regions } });
}

async function settleOrGenerate(creation: Creation): Promise<CertifiedKey> {
  const { network, signal, endsAt } = creation;
  let last: unknown;
  let waits = 0;
  for (let sessions = 0; sessions < SESSIONS_MAX; ) {
    let pauseMs = RETRY_MS;
    try {
      // What the nodes hold decides, not what an earlier call said: a session may fail after some nodes staged.
      return (await settle(creation)) ?? (await generate(creation));
    } catch (error) {
      last = error;
      // Final: nothing that a node holds can change it.
      if (isCoded(error, "key_half_made")) break;
      // A node that still winds down an earlier session starts no new one: waiting for it costs none of the tries.
      if (isCoded(error, "generation_running") && waits < RUNNING_WAITS_MAX) pauseMs = RETRY_MS * 2 ** waits++;
      else sessions++;
    }
    if (signal.aborted || network.now() + pauseMs >= endsAt) break;
    await delay(network, pauseMs, signal);
  }
  throw last;
}

function isCoded(error: unknown, code: string): boolean {
  return error instanceof CountersignError && error.code === code;
}

async function generate(creation: Creation): Promise<CertifiedKey> {
  const { network, evidence, signal, endsAt } = creation;
  const { authority, descriptor, rng } = network;
  const session: Session = {
    sessionId: rng(32),
    attempt: 1,
    parties: descriptor.nodes.map(({ index }) => index),
    ...sessionHeads(authority, evidence.orgId),
  };
  const deadlineMs = Math.max(1, Math.min(SESSION_MS, endsAt - network.now()));
  const hopeless = new AbortController();
  using deadline = startDeadline(network.clock, deadlineMs);
  const ended = AbortSignal.any([signal, hopeless.signal, deadline.signal]);
  const wire = { session: sessionToWire(session), evidence: evidenceToWire(evidence) };
  const answers = await Promise.allSettled(
    session.parties.map(async (party) => {
      try {
        return await signerOf(network, party).generate(wire, { signal: ended, deadlineMs });
      } catch (error) {
        hopeless.abort();
        throw error;
      }
    }),
  );
  const made = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  // An address is shown only when every node holds the key; one that missed the last message is brought along by `settle`.
  if (made.length < answers.length) throw firstCause(answers);
  return admitOne(
    creation,
    made.map(
      ({ key }) =>
        () =>
          keyFromWire(key, descriptor.nodes.length),
    ),
  );
}

/** The first of what nodes present that verifies: one that lies hides no finished key. Raises the first failure when none does. */
function admitOne({ keys, keyId }: Creation, presented: readonly (() => CertifiedKey)[]): CertifiedKey {
  const failures: unknown[] = [];
  for (const read of presented) {
    try {
      return keys.admit(read(), keyId);
    } catch (error) {
      failures.push(error);
    }
  }
  throw failures[0];
}

/** The reason of the failure that is not merely another's consequence. */
function firstCause(answers: readonly PromiseSettledResult<unknown>[]): unknown {
  const reasons = answers.flatMap((answer) => (answer.status === "rejected" ? [answer.reason] : []));
  return reasons.find(({ code }) => code !== "rpc_cancelled" && code !== "session_cancelled") ?? reasons[0];
}

/**
 * Brings every node that holds something for the key to one outcome. Resolves with the key when it is active, undefined when no
 * node holds anything any more.
 */
async function settle(creation: Creation): Promise<CertifiedKey | undefined> {
  const states = await askAll(creation);
  const nodeCount = creation.network.descriptor.nodes.length;
  const active = [...states.values()].filter(({ state }) => state === State.ACTIVE);
  if (active.length > 0) {
    const key = admitOne(
      creation,
      active.map((answer) => () => keyFromWire(answer.key, nodeCount)),
    );
    await spread(creation, states, key.certificate);
    return key;
  }
  const staged = [...states.values()].filter(({ state }) => state === State.STAGED);
  const [sample] = staged;
  if (sample === undefined) return undefined;
  if (staged.length < nodeCount) {
    await giveUp(creation, states, sample.sessionId);
    return undefined;
  }
  const held = staged.map((answer) => keyFromWire(answer.key, nodeCount));
  const certificate = held.flatMap(({ certificate }) => certificate).toSorted((a, b) => a.party - b.party);
  const key = admitOne(
    creation,
    held.map((one) => () => ({ package: one.package, certificate })),
  );
  await spread(creation, states, certificate);
  return key;
}

async function askAll({ network, keyId, signal }: Creation): Promise<Map<PartyIndex, KeyStateResponse>> {
  const options = { signal, deadlineMs: STATE_DEADLINE_MS };
  const asked = network.descriptor.nodes.map(
    async ({ index }) => [index, await signerOf(network, index).keyState({ keyId }, options)] as const,
  );
  return new Map(await Promise.all(asked));
}

/** Hands the complete certificate to the nodes that still hold the key staged. */
async function spread(
  { network, keyId, signal }: Creation,
  states: ReadonlyMap<PartyIndex, KeyStateResponse>,
  certificate: readonly Acknowledgement[],
): Promise<void> {
  const behind = [...states].filter(([, { state }]) => state === State.STAGED).map(([party]) => party);
  const acknowledgements = certificateToWire(certificate);
  const proof = { case: "certificate", value: { acknowledgements } } as const;
  await Promise.all(
    behind.map((party) => signerOf(network, party).settle({ keyId, proof }, { signal, deadlineMs: STATE_DEADLINE_MS })),
  );
}

/**
 * Ends a session that too few nodes acknowledged: t nodes promise never to, then the others may forget their shares. Raises
 * `key_half_made` when fewer than t are left to promise: then this approval makes no key any more, and no node ever uses one of it.
 */
async function giveUp(
  { network, keyId, evidence, signal }: Creation,
  states: ReadonlyMap<PartyIndex, KeyStateResponse>,
  sessionId: Uint8Array,
): Promise<void> {
  const { threshold } = network.descriptor;
  const options = { signal, deadlineMs: STATE_DEADLINE_MS };
  const inState = (wanted: State) => [...states].flatMap(([party, { state }]) => (state === wanted ? [party] : []));
  const absent = inState(State.ABSENT);
  const asked = { keyId, sessionId, evidence: evidenceToWire(evidence) };
  // A node that acknowledged and has already forgotten its share holds nothing either, and rightly refuses: any others will do.
  const answers = await Promise.allSettled(absent.map((party) => signerOf(network, party).renounce(asked, options)));
  const promised = answers.flatMap((answer) =>
    answer.status === "fulfilled" && answer.value.renunciation !== undefined ? [answer.value.renunciation] : [],
  );
  if (promised.length < threshold) {
    const outage = answers.find((answer) => answer.status === "rejected" && !isCoded(answer.reason, "share_staged"));
    if (outage?.status === "rejected") throw outage.reason;
    const text = `${promised.length} of ${threshold} nodes can promise to give up a half-made key; approve a new one.`;
    throw orchestratorError("key_half_made", text, { details: { keyId } });
  }
  const renunciations = promised.toSorted((a, b) => a.party - b.party).slice(0, threshold);
  const proof = { case: "renunciations", value: { renunciations } } as const;
  await Promise.all(inState(State.STAGED).map((party) => signerOf(network, party).settle({ keyId, proof }, options)));
}
