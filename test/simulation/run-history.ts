import assert from "node:assert/strict";
import type { Evidence } from "@countersign/authority";
import { hex } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import { seededRandom } from "@countersign/mesh";
import type { CertifiedKey } from "@countersign/wire";
import { drawPlan, type Plan, schedule, unsettle } from "./chaos.ts";
import { Judge } from "./judge.ts";
import { readNodes } from "./node-records.ts";
import { SimulatedDeployment } from "./simulated-deployment.ts";

/** Virtual time that a call may take beyond its deadline (I6). */
const LATE_MS_MAX = 5_000;
/** Deadline of calls to a healed network. */
const HEALED_MS = 6_000;
/** A healed network works again this soon: leases of a dead orchestrator expire, lost handshakes are repeated. */
const RECOVERY_MS_MAX = 20_000;
/** Pause between a caller's tries. */
const RETRY_MS = 250;
/** Sessions that ended at the orchestrator end at the signers this soon. */
const WINDING_DOWN_MS_MAX = 2_000;

/** What a history came to; figures over many seeds show that the seeds reach what they are for. */
export interface History {
  readonly created: number;
  readonly signed: number;
  readonly refused: number;
  readonly halfMade: number;
  readonly retried: number;
  readonly partials: number;
  readonly faults: number;
  /** Digest of everything that happened on the bus. */
  readonly fingerprint: () => string;
}

/**
 * One seeded history: a key created and messages signed while the plan's blows fall (safety: only the invariants are judged), then
 * everything heals and the same key must come to exist and sign (liveness).
 */
export async function runHistory(seed: number): Promise<History> {
  const plan = drawPlan(seededRandom(seed ^ 0x5eed));
  const { nodes, threshold } = plan;
  const attemptsMax = Math.max(3, nodes - threshold + 1);
  const judge = new Judge({ deploymentId: "dep-simulation", threshold, attemptsMax });
  const deployment = await SimulatedDeployment.start({
    seed,
    nodes,
    threshold,
    witness: (party) => judge.witness(party),
    approved: (evidence) => judge.approved(evidence),
  });
  try {
    return await walk(deployment, plan, judge);
  } finally {
    deployment.stop();
  }
}

async function walk(deployment: SimulatedDeployment, plan: Plan, judge: Judge): Promise<History> {
  const { network } = deployment;
  const { key, wasCreated, halfMade, tries } = await makeKey(deployment, plan, judge);

  const requests = await Promise.all([0, 1].map((k) => request(deployment, key, k)));
  const underFire = await inTrouble(
    deployment,
    plan,
    "signing",
    requests.map((evidence) => () => deployment.sign(evidence, plan.patienceMs)),
  );
  for (const [place, evidence] of requests.entries()) {
    const signed = underFire[place];
    if (signed !== undefined) judge.returned(evidence, signed);
    // The caller asks again, perhaps another orchestrator: whatever comes of it, one approval stays one message.
    else await attempt(deployment, deployment.sign(evidence, HEALED_MS), (again) => judge.returned(evidence, again));
  }

  const last = await recover(deployment, async () => {
    const evidence = await request(deployment, key, 2);
    return { evidence, signed: await deployment.sign(evidence, HEALED_MS) };
  });
  judge.returned(last.value.evidence, last.value.signed);
  await windDown(deployment);
  judge.conclude(await readNodes(deployment));
  const good = underFire.filter((signed) => signed !== undefined).length;
  return {
    created: wasCreated ? 1 : 0,
    signed: good,
    refused: underFire.length - good,
    halfMade,
    retried: tries + last.tries,
    partials: judge.releases,
    faults: network.history.filter(({ what }) => what !== "delivered").length,
    fingerprint: () => network.fingerprint(),
  };
}

/** Creates a key in trouble; the same approval then leads to the same key, or to none at all and a fresh one makes it. */
async function makeKey(deployment: SimulatedDeployment, plan: Plan, judge: Judge) {
  const curve = plan.scheme === "EdDSA" ? "ed25519" : "secp256k1";
  let creation = await deployment.approve("POST", "/keys", { scheme: plan.scheme, curve });
  const [first] = await inTrouble(deployment, plan, "creation", [
    () => deployment.createKey(creation, plan.patienceMs),
  ]);
  if (first !== undefined) {
    judge.created(creation, first);
    // Whoever was given a key may use it without asking again: every node holds it by now.
    if (deployment.random.next() < 0.5) return { key: first, wasCreated: true, halfMade: 0, tries: 0 };
  }
  let halfMade = 0;
  const { value: key, tries } = await recover(deployment, async () => {
    try {
      return await deployment.createKey(creation, HEALED_MS);
    } catch (error) {
      if (!(error instanceof CountersignError && error.code === "key_half_made")) throw error;
      assert.equal(halfMade++, 0, "a healed network makes no key by halves");
      creation = await deployment.approve("POST", "/keys", { scheme: plan.scheme, curve });
      throw error;
    }
  });
  judge.created(creation, key);
  return { key, wasCreated: first !== undefined, halfMade, tries };
}

/** Runs calls while things go wrong, if the plan wants it in this phase, then heals; gives what each came to, undefined for a typed failure. */
async function inTrouble<T>(
  deployment: SimulatedDeployment,
  plan: Plan,
  phase: "creation" | "signing",
  calls: readonly (() => Promise<T>)[],
): Promise<readonly (T | undefined)[]> {
  const isTroubled = plan.troubles === "both" || plan.troubles === phase;
  if (isTroubled) unsettle(deployment, deployment.random);
  const fallNow = isTroubled ? schedule(deployment, plan) : () => undefined;
  const running = calls.map((call) => call());
  // Rejections are caught from the start: the second call may fail while the first is awaited.
  for (const call of running) call.catch(() => undefined);
  const results: (T | undefined)[] = [];
  for (const call of running) results.push(await outcome(deployment, call, plan.patienceMs));
  fallNow();
  if (isTroubled) await deployment.heal();
  return results;
}

/** Repeats a call until it succeeds, which it must within the recovery time. */
async function recover<T>(
  deployment: SimulatedDeployment,
  call: () => Promise<T>,
): Promise<{ value: T; tries: number }> {
  const { clock } = deployment.network;
  const end = clock.now() + RECOVERY_MS_MAX;
  for (let tries = 1; ; tries++) {
    const running = call();
    running.catch(() => undefined);
    const value = await outcome(deployment, running, HEALED_MS);
    if (value !== undefined) return { value, tries };
    if (clock.now() >= end) return { value: await running, tries };
    await clock.advance(RETRY_MS);
  }
}

async function attempt<T>(deployment: SimulatedDeployment, call: Promise<T>, then: (value: T) => void): Promise<void> {
  const value = await outcome(deployment, call, HEALED_MS);
  if (value !== undefined) then(value);
}

/** A call ends, well or with a typed error, by its deadline and a little (I6). */
async function outcome<T>(
  deployment: SimulatedDeployment,
  call: Promise<T>,
  deadlineMs: number,
): Promise<T | undefined> {
  try {
    return await deployment.network.clock.settle(call, deadlineMs + LATE_MS_MAX);
  } catch (error) {
    assert.ok(error instanceof CountersignError, `untyped failure: ${error instanceof Error ? error.stack : error}`);
    return undefined;
  }
}

/** An approved request to sign; the second of a key has a script path. */
async function request(deployment: SimulatedDeployment, key: CertifiedKey, k: number): Promise<Evidence> {
  const { keyId, suite } = key.package;
  const hash = `0x${hex(new Uint8Array(32).map((_, place) => (place * 7 + k * 31) & 0xff))}`;
  const hasScript = suite !== "FROST-ED25519-SHA512-v1" && k === 1;
  const body = { kind: "Hash", hash, ...(hasScript ? { taprootMerkleRoot: `0x${"09".repeat(32)}` } : {}) };
  return deployment.approve("POST", `/keys/${keyId}/signatures`, body);
}

/** Nothing is left behind: no session at a signer or on its mesh, none counted by the orchestrator (I6). */
async function windDown(deployment: SimulatedDeployment): Promise<void> {
  const { signers, orchestrator } = deployment;
  const isIdle = () =>
    signers.every(({ node, sessionCount }) => sessionCount === 0 && node.mesh.sessions === 0) &&
    orchestrator.network.candidates().every(({ sessions }) => sessions === 0);
  await deployment.until(isIdle, WINDING_DOWN_MS_MAX);
}
