import type { SeededRandom } from "@countersign/mesh";
import type { SimulatedDeployment } from "./simulated-deployment.ts";

/** What a seed decides about one history. */
export interface Plan {
  readonly nodes: number;
  readonly threshold: number;
  readonly scheme: "EdDSA" | "Schnorr";
  /** What goes wrong, one thing at each of these virtual times after the requests started. */
  readonly blows: readonly { readonly afterMs: number; readonly blow: Blow }[];
}

type Blow = (deployment: SimulatedDeployment) => void;

/** Draws a plan: most networks are 2-of-3, some 3-of-5 or 2-of-2; at most a handful of blows. */
export function drawPlan(random: SeededRandom): Plan {
  const [nodes, threshold] = pick(random, [
    [3, 2],
    [3, 2],
    [3, 2],
    [3, 3],
    [4, 3],
  ] as const);
  const count = Math.floor(random.next() * 4);
  const blows = Array.from({ length: count }, () => ({
    afterMs: random.next() * 1_500,
    blow: drawBlow(random, nodes),
  }));
  return { nodes, threshold, scheme: pick(random, ["EdDSA", "Schnorr"] as const), blows };
}

/** Faults of the bus and the disk for as long as requests run. */
export function unsettle(deployment: SimulatedDeployment, random: SeededRandom): void {
  deployment.network.setFaults({
    drop: pick(random, [0, 0, 0.02, 0.1]),
    duplicate: pick(random, [0, 0.1, 0.5]),
    reorder: pick(random, [0, 0.2]),
    corrupt: pick(random, [0, 0, 0.05]),
    delayMs: { min: 0, max: pick(random, [2, 20, 120]) },
  });
  deployment.disk = { syncMsMax: pick(random, [1, 10]), syncFails: pick(random, [0, 0, 0.1]) };
}

/** Lets the plan's blows fall while a request runs. */
export function schedule(deployment: SimulatedDeployment, plan: Plan): void {
  const { clock } = deployment.network;
  for (const { afterMs, blow } of plan.blows) clock.setTimer(afterMs, () => blow(deployment));
}

function drawBlow(random: SeededRandom, nodes: number): Blow {
  const place = Math.floor(random.next() * nodes);
  const other = (place + 1 + Math.floor(random.next() * (nodes - 1))) % nodes;
  const [name, otherName] = [`node-${place + 1}`, `node-${other + 1}`];
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
  return pick(random, [crash, crashAndReturn, crashAndReturn, cutOneWay, isolate]);
}

/** Draws one of several. */
export function pick<T>(random: SeededRandom, choices: readonly [T, ...T[]] | readonly T[]): T {
  const chosen = choices[Math.floor(random.next() * choices.length)];
  if (chosen === undefined) throw new Error("Nothing to choose from.");
  return chosen;
}
