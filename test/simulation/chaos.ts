import type { SeededRandom } from "@countersign/mesh";
import type { SimulatedDeployment } from "./simulated-deployment.ts";

/** What a seed decides about one history. */
export interface Plan {
  readonly nodes: number;
  readonly threshold: number;
  readonly scheme: "EdDSA" | "Schnorr";
  /** What goes wrong, one thing at each of these virtual times after the requests of a phase started. */
  readonly blows: readonly { readonly afterMs: number; readonly blow: Blow }[];
  /** Which part of the history is troubled. */
  readonly troubles: "creation" | "signing" | "both";
  /** How long callers wait while things go wrong, virtual milliseconds. */
  readonly patienceMs: number;
}

type Blow = (deployment: SimulatedDeployment) => void;

/** Most blows of a plan fall while a protocol runs, which takes some tens of milliseconds; some fall on its retries. */
const BLOW_MS_MAX = 1_500;
/** A clock that is off by this much judges every approval of the simulation expired, or from the future. */
const CLOCK_JUMP_MS_MAX = 400_000;

/** Draws a plan: most networks are 2-of-3, some larger or with all nodes needed; at most a handful of blows. */
export function drawPlan(random: SeededRandom): Plan {
  const [nodes, threshold] = pick(random, [
    [3, 2],
    [3, 2],
    [3, 2],
    [3, 2],
    [3, 3],
    [4, 3],
    [5, 3],
  ] as const);
  const count = Math.floor(random.next() * 4);
  const blows = Array.from({ length: count }, () => ({
    afterMs: random.next() ** 4 * BLOW_MS_MAX,
    blow: drawBlow(random, nodes),
  }));
  const scheme = pick(random, ["EdDSA", "Schnorr"] as const);
  const troubles = pick(random, ["creation", "signing", "both"] as const);
  return { nodes, threshold, scheme, blows, troubles, patienceMs: pick(random, [1_000, 1_000, 2_000, 2_000, 6_000]) };
}

/** Faults of the bus and the disks for as long as requests run. */
export function unsettle(deployment: SimulatedDeployment, random: SeededRandom): void {
  deployment.network.setFaults({
    drop: pick(random, [0, 0, 0.02, 0.1]),
    duplicate: pick(random, [0, 0.1, 0.5]),
    reorder: pick(random, [0, 0.2]),
    corrupt: pick(random, [0, 0, 0.05]),
    delayMs: { min: 0, max: pick(random, [2, 20, 120]) },
  });
  deployment.disk = {
    syncMsMax: pick(random, [1, 10]),
    syncFails: pick(random, [0, 0, 0, 0.05]),
    syncLies: pick(random, [0, 0, 0, 0.05]),
  };
}

/** Lets the plan's blows fall while requests run; the result lets those fall at once that are still to come. */
export function schedule(deployment: SimulatedDeployment, plan: Plan): () => void {
  const { clock } = deployment.network;
  const coming = plan.blows.map(({ afterMs, blow }) => {
    const cancel = clock.setTimer(afterMs, () => {
      fallen.add(blow);
      blow(deployment);
    });
    return { blow, cancel };
  });
  const fallen = new Set<Blow>();
  return () => {
    for (const { blow, cancel } of coming) {
      cancel();
      if (!fallen.has(blow)) blow(deployment);
    }
  };
}

function drawBlow(random: SeededRandom, nodes: number): Blow {
  const place = Math.floor(random.next() * nodes);
  const other = (place + 1 + Math.floor(random.next() * (nodes - 1))) % nodes;
  const [name, otherName] = [`node-${place + 1}`, `node-${other + 1}`];
  const skewMs = (random.next() * 2 - 1) * CLOCK_JUMP_MS_MAX;
  const crash: Blow = ({ signers }) => signers[place]?.crash();
  const crashAndReturn: Blow = (deployment) => {
    const signer = deployment.signers[place];
    signer?.crash();
    // A restart that meets a failing disk stays down until the network is healed.
    deployment.network.clock.setTimer(50, () => void signer?.start().catch(() => signer.crash()));
  };
  const cutOneWay: Blow = ({ network }) => network.cut(name, otherName);
  const isolate: Blow = ({ network }) => {
    const others = Array.from({ length: nodes }, (_, k) => `node-${k + 1}`).filter((one) => one !== name);
    network.partition([name], others);
  };
  const jumpClock: Blow = ({ signers }) => {
    const signer = signers[place];
    if (signer !== undefined) signer.skewMs = Math.round(skewMs);
  };
  const keepsLeases = random.next() < 0.25;
  const crashOrchestrator: Blow = ({ orchestrator, coordination }) => {
    orchestrator.crash();
    if (!keepsLeases) void coordination.close();
    void orchestrator.start();
  };
  return pick(random, [crash, crashAndReturn, crashAndReturn, cutOneWay, isolate, jumpClock, crashOrchestrator]);
}

/** Draws one of several. */
export function pick<T>(random: SeededRandom, choices: readonly [T, ...T[]] | readonly T[]): T {
  const chosen = choices[Math.floor(random.next() * choices.length)];
  if (chosen === undefined) throw new Error("Nothing to choose from.");
  return chosen;
}
