import assert from "node:assert/strict";
import type { Evidence } from "@countersign/authority";
import { hex } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import { seededRandom } from "@countersign/mesh";
import type { CertifiedKey } from "@countersign/wire";
import { drawPlan, type Plan, schedule, unsettle } from "./chaos.ts";
import { Judge } from "./judge.ts";
import { observed } from "./observed-signer.ts";
import { SimulatedDeployment } from "./simulated-deployment.ts";

/** Virtual time that a call may take beyond its deadline. */
const LATE_MS_MAX = 5_000;
const CREATE_MS = 20_000;
const SIGN_MS = 6_000;

/** What a history came to; printed with figures over many seeds. */
export interface History {
  readonly created: boolean;
  readonly signed: number;
  readonly refused: number;
  readonly faults: number;
}

/**
 * One seeded history: a key created and messages signed while the plan's blows fall (safety: only the invariants are judged), then
 * everything heals and the same key must come to exist and sign (liveness).
 */
export async function runHistory(seed: number): Promise<History> {
  const random = seededRandom(seed ^ 0x5eed);
  const plan = drawPlan(random);
  const judge = new Judge();
  const deployment = await SimulatedDeployment.start({
    seed,
    ...plan,
    observe: (client, party) => observed(client, party, judge),
  });
  try {
    return await walk(deployment, plan, judge);
  } finally {
    deployment.stop();
  }
}

async function walk(deployment: SimulatedDeployment, plan: Plan, judge: Judge): Promise<History> {
  const { network, random } = deployment;
  const curve = plan.scheme === "EdDSA" ? "ed25519" : "secp256k1";
  const creation = await deployment.approve("POST", "/keys", { scheme: plan.scheme, curve });

  unsettle(deployment, random);
  schedule(deployment, plan);
  const first = await outcome(deployment, deployment.createKey(creation, CREATE_MS), CREATE_MS);
  await deployment.heal();
  // Liveness: the same approval leads to the same key, whatever became of the first try.
  const key = await network.clock.settle(deployment.createKey(creation, CREATE_MS), CREATE_MS + LATE_MS_MAX);
  if (first.value !== undefined)
    assert.deepEqual(key.package.commitments, first.value.package.commitments, "one approval makes one key (I4)");

  unsettle(deployment, random);
  schedule(deployment, plan);
  const requests = await Promise.all([0, 1].map((k) => request(deployment, key, k)));
  const underway = requests.map(({ evidence }) => deployment.sign(evidence, SIGN_MS));
  const results = [];
  // Rejections are caught from the start: the second call may fail while the first is awaited.
  for (const call of underway) call.catch(() => undefined);
  for (const call of underway) results.push(await outcome(deployment, call, SIGN_MS));
  await deployment.heal();
  for (const [place, { value }] of results.entries()) {
    const asked = requests[place];
    if (value !== undefined && asked !== undefined) judge.returned(key, asked.message, asked.merkleRoot, value);
  }

  const last = await request(deployment, key, 2);
  const signed = await network.clock.settle(deployment.sign(last.evidence, SIGN_MS), SIGN_MS + LATE_MS_MAX);
  judge.returned(key, last.message, last.merkleRoot, signed);
  await judgeNodes(deployment, judge);
  const good = results.filter(({ value }) => value !== undefined).length;
  const faults = network.history.filter(({ what }) => what !== "delivered").length;
  return { created: first.value !== undefined, signed: good + 1, refused: results.length - good, faults };
}

async function request(deployment: SimulatedDeployment, key: CertifiedKey, k: number) {
  const { keyId, suite } = key.package;
  const message = new Uint8Array(32).map((_, place) => (place * 7 + k * 31) & 0xff);
  const hash = `0x${hex(message)}`;
  const merkleRoot = suite === "FROST-ED25519-SHA512-v1" || k !== 1 ? new Uint8Array(0) : new Uint8Array(32).fill(9);
  const body =
    merkleRoot.length > 0 ? { kind: "Hash", hash, taprootMerkleRoot: `0x${hex(merkleRoot)}` } : { kind: "Hash", hash };
  const evidence: Evidence = await deployment.approve("POST", `/keys/${keyId}/signatures`, body);
  return { evidence, message, merkleRoot };
}

/** A call ends, well or with a typed error, by its deadline and a little (I6). */
async function outcome<T>(
  deployment: SimulatedDeployment,
  call: Promise<T>,
  deadlineMs: number,
): Promise<{ value?: T }> {
  try {
    return { value: await deployment.network.clock.settle(call, deadlineMs + LATE_MS_MAX) };
  } catch (error) {
    assert.ok(error instanceof CountersignError, `untyped failure: ${error instanceof Error ? error.stack : error}`);
    return {};
  }
}

async function judgeNodes(deployment: SimulatedDeployment, judge: Judge): Promise<void> {
  const { descriptor } = deployment.orchestrator;
  judge.conclude(Math.max(3, descriptor.nodes.length - descriptor.threshold + 1));
  await deployment.network.clock.advance(1_500);
  for (const { node } of deployment.signers) {
    const verdict = await deployment.network.clock.settle(node.vault.verifyAudit(), 1_000);
    assert.equal(verdict.kind, "intact", "every audit chain verifies (I7)");
    assert.equal(node.mesh.sessions, 0, "no session is left behind (I6)");
  }
}
