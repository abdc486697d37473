import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { DataFolder } from "../deployment/data-folder.ts";
import { type Deployment, openDeployment } from "../deployment/deployment.ts";
import { renewCertificates } from "../deployment/renew-certificates.ts";
import { type NetworkPorts, signerPort, writeSettings } from "../deployment/write-settings.ts";
import { operatorError } from "../errors.ts";
import { makeFolder } from "../write-file.ts";
import { DEFAULTS, type NetworkPlan, requireSamePlan } from "./network-plan.ts";
import { assertPortFree, freePorts, LOOPBACK } from "./ports.ts";
import type { Programs } from "./programs.ts";
import type { ServicePlan } from "./service-process.ts";
import { type Stages, Supervisor } from "./supervisor.ts";

/** Where a local network runs and how it tells people. */
export interface NetworkSurroundings {
  readonly repository: string;
  readonly folder: DataFolder;
  readonly programs: Programs;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Node that runs the services. */
  readonly node: string;
  readonly report: (line: string) => void;
}

/** A prepared local network: `start` starts what is missing, as often as wanted. */
export interface LocalNetwork {
  readonly deployment: Deployment;
  readonly supervisor: Supervisor;
  /** Starts what is missing and resolves, with the names of what it started, once all nodes see each other. */
  start(signal: AbortSignal): Promise<string[]>;
}

/** From nothing to ready, with room for a slow disk; a healthy start takes a few seconds. */
const READY_TIMEOUT_MS = 60_000;
/** SIGUSR1 opens Node's debugger until a service has its own handler; this option closes that moment too. */
const CLOSED_TO_DEBUGGERS = "--disable-sigusr1";
/** How often the orchestrator is asked whether it sees every node. */
const PRESENCE_INTERVAL_MS = 50;

/**
 * Makes the deployment when the data folder is empty, renews certificates, chooses ports and writes every configuration
 * file. Nothing runs yet. The caller holds the folder's lock. Raises the codes of `openDeployment`, `deployment_differs` and
 * `port_busy`.
 */
export async function prepareNetwork(plan: NetworkPlan, surroundings: NetworkSurroundings): Promise<LocalNetwork> {
  const { folder } = surroundings;
  const port = plan.port ?? DEFAULTS.port;
  // Before anything is written: a busy port must not leave a new data folder behind.
  if (port !== 0) await assertPortFree(port);
  const deployment = (await openDeployment(folder)) ?? (await newDeployment(plan, surroundings));
  requireSamePlan(plan, deployment);
  await renewCertificates(deployment, Date.now());
  const ports = await choosePorts(deployment, port);
  await writeSettings(deployment, ports, surroundings.environment["COUNTERSIGN_CACHE"]);
  await makeFolder(folder.logs);

  const supervisor = new Supervisor(serviceOrder(deployment, ports, surroundings), surroundings.report);
  return {
    deployment,
    supervisor,
    async start(signal) {
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(READY_TIMEOUT_MS)]);
      const started = await supervisor.start(deadline);
      await allPresent(deployment, `${LOOPBACK}:${ports.orchestrator}`, deadline);
      return started;
    },
  };
}

async function newDeployment(plan: NetworkPlan, { folder, report }: NetworkSurroundings): Promise<Deployment> {
  const { nodes = DEFAULTS.nodes, threshold = Math.min(DEFAULTS.threshold, nodes) } = plan;
  if (threshold > nodes)
    throw operatorError(
      "usage_wrong",
      `--threshold ${threshold} needs at least ${threshold} nodes, and --nodes is ${nodes}.`,
    );
  report(`making a deployment of ${nodes} nodes, ${threshold} of which sign, in ${folder.root}`);
  const { createDeployment } = await import("../deployment/create-deployment.ts");
  await createDeployment(folder, { nodes, threshold, now: Date.now() });
  const made = await openDeployment(folder);
  if (made === undefined) throw new Error("A deployment that was just made is not there.");
  return made;
}

async function choosePorts({ descriptor }: Deployment, apiPort: number): Promise<NetworkPorts> {
  const { nodes } = descriptor;
  const [nats = 0, redis = 0, orchestrator = 0, anyApi = 0, ...rest] = await freePorts(4 + nodes.length);
  const signers = new Map(nodes.map(({ id }, place) => [id, rest[place] ?? 0]));
  return { nats, redis, orchestrator, api: apiPort === 0 ? anyApi : apiPort, signers };
}

function serviceOrder(
  deployment: Deployment,
  ports: NetworkPorts,
  surroundings: NetworkSurroundings,
): { start: Stages; stop: Stages } {
  const { folder, descriptor } = deployment;
  const { programs, repository, node, environment } = surroundings;
  const inherited = serviceEnvironment(environment);
  const plan = (name: string, port: number) => ({
    name,
    address: `${LOOPBACK}:${port}`,
    log: folder.log(name),
    environment: inherited,
  });
  const service = (name: string, port: number, main: string, settings: string): ServicePlan => ({
    ...plan(name, port),
    kind: "service",
    command: [node, CLOSED_TO_DEBUGGERS, join(repository, "services", main, "src", "main.ts"), "--config", settings],
  });
  const program = (name: string, port: number, command: [string, ...string[]], probe?: string): ServicePlan => ({
    ...plan(name, port),
    kind: "program",
    command,
    ...(probe === undefined ? {} : { probe }),
  });
  const programPlans = [
    program("nats", ports.nats, [programs["nats-server"], "-c", folder.nats.settings]),
    program("redis", ports.redis, [programs["redis-server"], folder.redis.settings], "PING\r\n"),
  ];
  const signers = descriptor.nodes.map(({ id }) =>
    service(id, signerPort(ports, id), "signer", folder.node(id).settings),
  );
  const orchestrator = service("orchestrator", ports.orchestrator, "orchestrator", folder.orchestrator.settings);
  const api = service("api", ports.api, "api", folder.api.settings);
  return {
    // Ours start together: each waits for those it needs, and the API's database takes longest.
    start: [programPlans, [...signers, orchestrator, api]],
    // From the edge inwards, so that what runs can still end well.
    stop: [[api], [orchestrator], signers, programPlans],
  };
}

/** Services read settings from their file alone; NODE_OPTIONS and the like must not reach a signer. */
function serviceEnvironment(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const kept = ["PATH", "HOME", "TMPDIR", "TZ", "LANG", "NODE_COMPILE_CACHE"];
  return Object.fromEntries(
    kept.flatMap((name) => {
      const value = environment[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

async function allPresent(deployment: Deployment, orchestrator: string, signal: AbortSignal): Promise<void> {
  const { askOrchestrator } = await import("./node-status.ts");
  for (;;) {
    const seen = await askOrchestrator(deployment, orchestrator);
    const missing = seen.filter(({ present }) => !present).map(({ nodeId }) => nodeId);
    if (missing.length === 0) return;
    if (signal.aborted)
      throw operatorError(
        "service_not_ready",
        `The orchestrator does not see ${missing.join(", ")} on the bus. See \`countersign logs\`.`,
      );
    await delay(PRESENCE_INTERVAL_MS);
  }
}
