import assert from "node:assert/strict";
import { authorize, type Evidence } from "@countersign/authority";
import { hex } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import { seededRandom } from "@countersign/mesh";
import type { CertifiedKey } from "@countersign/wire";
import { pick } from "./chaos.ts";
import { isSignatureOn, noncePair, packageOf, type Statement, signatureOf } from "./frost-arithmetic.ts";
import { hostileMember } from "./hostile-member.ts";
import { HostileOrchestrator, type Loot } from "./hostile-orchestrator.ts";
import { Judge } from "./judge.ts";
import { readNodes } from "./node-records.ts";
import { SimulatedDeployment } from "./simulated-deployment.ts";

/** What an adversary does in one history. */
const ACTS = 30;
/** Time for one call to the honest twin. */
const HONEST_MS = 6_000;
/** An honest network works again this soon after the adversary is gone. */
const RECOVERY_MS_MAX = 20_000;
const RETRY_MS = 500;
/** Mixtures of sessions tried in one history: each costs a package and a verification. */
const MIXES_MAX = 6;

/** What the adversary got, and what stopped it: one figure per code of refusal or failure. */
export type HostileFigures = Record<string, number>;

/**
 * One seeded history of an adversary in the orchestrator's place, in half of them with a member of its own. Nothing it obtains may break
 * an invariant, and the honest twin that follows it must be able to sign with a fresh approval.
 */
export async function runHostileHistory(seed: number): Promise<HostileFigures> {
  const random = seededRandom(seed ^ 0xbad);
  const [nodes, threshold] = pick(random, [
    [3, 2],
    [3, 2],
    [4, 3],
    [5, 3],
  ] as const);
  const attemptsMax = Math.max(3, nodes - threshold + 1);
  const judge = new Judge({ deploymentId: "dep-simulation", threshold, attemptsMax });
  const isTraitor = (party: number) => hasTraitor && party === nodes;
  const hasTraitor = random.next() < 0.5;
  const unseen = { sent: () => undefined, released: () => undefined };
  const deployment = await SimulatedDeployment.start({
    seed,
    nodes,
    threshold,
    witness: (party) => (isTraitor(party) ? unseen : judge.witness(party)),
    approved: (evidence) => judge.approved(evidence),
    corrupt: (party) => (isTraitor(party) ? hostileMember(random) : undefined),
  });
  try {
    return await walk(deployment, judge, random);
  } finally {
    deployment.stop();
  }
}

async function walk(deployment: SimulatedDeployment, judge: Judge, random: ReturnType<typeof seededRandom>) {
  const { clock } = deployment.network;
  const settle = <T>(call: Promise<T>) => clock.settle(call, 20_000);
  const scheme = pick(random, ["EdDSA", "Schnorr"] as const);
  const curve = scheme === "EdDSA" ? "ed25519" : "secp256k1";
  const creations = await Promise.all([1, 2].map(() => deployment.approve("POST", "/keys", { scheme, curve })));
  const keys: CertifiedKey[] = [];
  for (const creation of creations) {
    const key = await settle(deployment.createKey(creation));
    judge.created(creation, key);
    keys.push(key);
  }
  const [key, other] = keys;
  const [creation] = creations;
  assert(key && other && creation);
  const expired = await approve(deployment, key, 9, 1);
  const approvals = [
    await approve(deployment, key, 1),
    await approve(deployment, key, 2),
    await approve(deployment, other, 1),
    expired,
  ];

  const fresh = await deployment.approve("POST", "/keys", { scheme, curve });
  const { intent } = authorize(fresh, deployment.orchestrator.network.authority, { now: deployment.now() });
  assert(intent.kind === "create-key");

  const adversary = new HostileOrchestrator({
    deployment,
    random,
    approvals,
    creation,
    fresh: { evidence: fresh, keyId: intent.keyId },
  });
  await adversary.act(ACTS);

  const { combined, mixed } = plunder(adversary.loot, scheme, keys);
  await deployment.heal();
  // What became of the key that the adversary played with is settled by one honest call: all nodes hold it, or none ever will.
  const made = await settle(deployment.createKey(fresh, HONEST_MS)).catch((error: unknown) => {
    if (!(error instanceof CountersignError)) throw error;
    adversary.codes.set(error.code, (adversary.codes.get(error.code) ?? 0) + 1);
  });
  if (made !== undefined) judge.created(fresh, made);
  const honest = await recover(deployment, key);
  judge.returned(honest.evidence, honest.signed);
  judge.conclude(await readNodes(deployment));
  return {
    ...Object.fromEntries(adversary.codes),
    loot: adversary.loot.length,
    combined,
    mixed,
    made: made === undefined ? 0 : 1,
  };
}

function approve(
  deployment: SimulatedDeployment,
  key: CertifiedKey,
  byte: number,
  validMs?: number,
): Promise<Evidence> {
  const body = { kind: "Hash", hash: `0x${hex(new Uint8Array(32).fill(byte))}` };
  return deployment.approve("POST", `/keys/${key.package.keyId}/signatures`, body, validMs);
}

/** Signs with fresh approvals until one comes through, which it must. */
async function recover(deployment: SimulatedDeployment, key: CertifiedKey) {
  const { clock } = deployment.network;
  const end = clock.now() + RECOVERY_MS_MAX;
  for (;;) {
    const evidence = await approve(deployment, key, 3);
    try {
      return { evidence, signed: await clock.settle(deployment.sign(evidence, HONEST_MS), 2 * HONEST_MS) };
    } catch (error) {
      if (!(error instanceof CountersignError) || clock.now() > end) throw error;
      await clock.advance(RETRY_MS);
    }
  }
}

/**
 * What the adversary can make of its loot: t partials of one session are a signature on what was approved; partials of different
 * sessions, put together in the place of each other, are none on anything approved.
 */
function plunder(loot: readonly Loot[], scheme: Statement["scheme"], keys: readonly CertifiedKey[]) {
  const figures = { combined: 0, mixed: 0 };
  const read = loot.map((one) => ({ ...one, ...readLoot(one, scheme, keys), name: hex(one.session.sessionId) }));
  for (const one of read) {
    const partners = read.filter(({ party }) => party !== one.party && one.session.parties.includes(party));
    for (const [session, group] of Map.groupBy(partners, ({ name }) => name)) {
      const isSame = session === one.name;
      const isEnough = group.length + 1 >= one.session.parties.length;
      if (!isEnough || (!isSame && figures.mixed >= MIXES_MAX)) continue;
      const shares = [one.z, ...group.map(({ z }) => z)];
      const isSignature = isSignatureOn(one.statement, signatureOf(packageOf(one.statement, one.list), shares));
      const otherwise = isSame ? "partials of one session combine" : "partials of two sessions combined (I3)";
      assert.equal(isSignature, isSame, otherwise);
      figures[isSame ? "combined" : "mixed"]++;
    }
  }
  return figures;
}

function readLoot({ evidence, session, answer }: Loot, scheme: Statement["scheme"], keys: readonly CertifiedKey[]) {
  const key = keys.find(({ package: { keyId } }) => evidence.path.includes(keyId));
  const [partial] = answer.partials;
  assert(key !== undefined && partial?.scheme.case === "schnorr");
  const { commitments, z } = partial.scheme.value;
  const message = new Uint8Array(Buffer.from(JSON.parse(evidence.payload).hash.slice(2), "hex"));
  const statement = { scheme, polynomial: key.package.commitments, message, merkleRoot: new Uint8Array(0) };
  const bodies = commitments.map(({ body }) => body);
  const list = session.parties.map((party, place) => noncePair(scheme, party, bodies[place] ?? new Uint8Array(0)));
  return { statement, list, z };
}
