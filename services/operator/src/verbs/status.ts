import { defineVerb } from "../command-line.ts";
import type { Deployment } from "../deployment/deployment.ts";
import type { NodeOwn, NodeSeen } from "../network/node-status.ts";
import { openSettledDeployment } from "../network/open-settled.ts";
import type { ServiceStatus } from "../network/supervisor.ts";
import { runningServices } from "../network/supervisor-client.ts";
import { table } from "../table.ts";
import type { Terminal } from "../terminal.ts";
import { dataFlag, dataFolderOf, dataHint, jsonFlag } from "./network-flags.ts";

/** Shows what runs, as the supervisor, the orchestrator and each signer see it. */
export const status = defineVerb({
  name: "status",
  options: { ...dataFlag, ...jsonFlag },
  notes: [
    "Services are what the supervisor runs. Nodes are what the orchestrator sees on the bus (present, round trip) and what",
    "each signer says of itself (keys it holds a share of, entries in its audit chain).",
    "Exit code 0 when everything is up, 1 when something is down or no network runs.",
  ].join("\n"),
  async run({ data, json }, terminal) {
    const folder = dataFolderOf(data, terminal);
    const deployment = await openSettledDeployment(folder);
    const services = await runningServices(folder);
    if (deployment === undefined || services === undefined) {
      if (json) terminal.out(JSON.stringify({ running: false, data: folder.root }));
      else terminal.out(`No network runs with ${folder.root}. Start one: countersign up${dataHint(data)}`);
      return 1;
    }
    const nodes = await nodesOf(deployment, services);
    const apiUrl = `http://${services.find(({ name }) => name === "api")?.address}`;
    const { deploymentId, threshold } = deployment.descriptor;
    if (json)
      terminal.out(
        JSON.stringify({ running: true, data: folder.root, deploymentId, threshold, apiUrl, services, nodes }),
      );
    else print(services, nodes, threshold, terminal);
    return services.every(({ up }) => up) && nodes.every(({ present }) => present === true) ? 0 : 1;
  },
});

/** A node; what could not be asked is null. */
interface NodeStatus {
  readonly id: string;
  readonly region: string;
  readonly present: boolean | null;
  readonly roundTripUs: number | null;
  readonly keys: number | null;
  readonly auditLength: number | null;
}

async function nodesOf(deployment: Deployment, services: readonly ServiceStatus[]): Promise<NodeStatus[]> {
  const { askOrchestrator, askSigner } = await import("../network/node-status.ts");
  const upAt = (name: string) => services.find((service) => service.name === name && service.up)?.address;
  const orchestrator = upAt("orchestrator");
  const seen = orchestrator === undefined ? undefined : await unlessAway(askOrchestrator(deployment, orchestrator));
  return Promise.all(
    deployment.descriptor.nodes.map(async ({ id, region }) => {
      const address = upAt(id);
      const own = address === undefined ? undefined : await unlessAway(askSigner(deployment, id, address));
      return nodeStatus({ id, region }, seen, own);
    }),
  );
}

function nodeStatus(
  { id, region }: { id: string; region: string },
  seen: readonly NodeSeen[] | undefined,
  own: NodeOwn | undefined,
): NodeStatus {
  const node = seen?.find(({ nodeId }) => nodeId === id);
  return {
    id,
    region,
    present: node?.present ?? null,
    roundTripUs: node?.present ? node.roundTripUs : null,
    keys: own?.keys ?? null,
    auditLength: own?.auditLength ?? null,
  };
}

/** A service that does not answer is what `status` is asked about, not a failure of `status`. */
function unlessAway<T>(answer: Promise<T>): Promise<T | undefined> {
  return answer.catch(() => undefined);
}

function print(
  services: readonly ServiceStatus[],
  nodes: readonly NodeStatus[],
  threshold: number,
  terminal: Terminal,
) {
  const rows = services.map(({ name, address, up, pid, ended }) => [
    name,
    address,
    up ? "up" : "down",
    up ? `pid ${pid}` : (ended ?? ""),
  ]);
  terminal.out(table([["SERVICE", "ADDRESS", "STATE", ""], ...rows]).join("\n"));
  const known = (value: number | null, unit = "") => (value === null ? "?" : `${value}${unit}`);
  const nodeRows = nodes.map(({ id, region, present, roundTripUs, keys, auditLength }) => [
    id,
    region,
    present === null ? "?" : present ? "present" : "away",
    roundTripUs === null ? "?" : `${(roundTripUs / 1_000).toFixed(2)} ms`,
    known(keys),
    known(auditLength),
  ]);
  terminal.out("");
  terminal.out(
    table([["NODE", "REGION", "ON THE BUS", "ROUND TRIP", "KEYS", "AUDIT ENTRIES"], ...nodeRows]).join("\n"),
  );
  const present = nodes.filter((node) => node.present).length;
  const ability = present >= threshold ? "signing works" : "signing waits for more nodes";
  const creation = present === nodes.length ? "creating keys works" : "creating keys needs all of them";
  terminal.out(`\n${present} of ${nodes.length} nodes present, ${threshold} needed: ${ability}, ${creation}.`);
}
