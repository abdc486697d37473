import type { Deployment } from "../deployment/deployment.ts";
import { operatorError } from "../errors.ts";

/** What a local network is to be; what is absent is taken from the data folder or has the default. */
export interface NetworkPlan {
  /** n of a new deployment. Default 3. */
  readonly nodes?: number | undefined;
  /** t of a new deployment. Default 2. */
  readonly threshold?: number | undefined;
  /** Port of the API; 0 takes any free one. Default 3000. */
  readonly port?: number | undefined;
}

/** Most nodes of a local network: each is a process on this machine. */
export const NODES_MAX = 9;

/** Defaults of `up`. */
export const DEFAULTS = { nodes: 3, threshold: 2, port: 3_000 } as const;

/** Raises `deployment_differs` when the plan names another size than the deployment has. */
export function requireSamePlan(plan: NetworkPlan, { folder, descriptor }: Deployment): void {
  const { nodes, threshold } = plan;
  const n = descriptor.nodes.length;
  if ((nodes ?? n) === n && (threshold ?? descriptor.threshold) === descriptor.threshold) return;
  throw operatorError(
    "deployment_differs",
    `The data folder ${folder.root} holds a deployment of ${n} nodes with threshold ${descriptor.threshold}. Leave --nodes and --threshold out, or choose another folder with --data.`,
  );
}
