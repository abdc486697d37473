import { readFile } from "node:fs/promises";
import { CountersignClient, KeySigner } from "@countersign/sdk";
import { dataFolder } from "../deployment/data-folder.ts";
import { type Deployment, openDeployment } from "../deployment/deployment.ts";
import { superviseHere } from "../network/supervise-here.ts";
import type { ServiceStatus } from "../network/supervisor.ts";
import { runningServices } from "../network/supervisor-client.ts";
import { networkSummary } from "../network-summary.ts";
import type { Terminal } from "../terminal.ts";

/** The network that the demo runs on. */
export interface DemoNetwork {
  readonly deployment: Deployment;
  readonly services: readonly ServiceStatus[];
  /** The administrator's key; it approves, the token alone does not. */
  readonly signer: KeySigner;
  /** Recomputes every challenge before that key signs it, and checks every public key against the pinned nodes. */
  readonly client: CountersignClient;
}

const NODES = 3;
const THRESHOLD = 2;

/**
 * Starts a network with its data under `root`, walks through it, and stops it, however the walk ends. It is supervised by
 * this very process, so that nothing outlives the demo even if it is killed.
 */
export async function withDemoNetwork(
  root: string,
  terminal: Terminal,
  walk: (network: DemoNetwork) => Promise<void>,
): Promise<void> {
  const folder = dataFolder(root);
  const over = new AbortController();
  await superviseHere(folder, { nodes: NODES, threshold: THRESHOLD, port: 0 }, terminal, {
    report: () => {},
    reportInstallation: terminal.note,
    async onReady() {
      const deployment = await openDeployment(folder);
      const services = await runningServices(folder);
      if (deployment === undefined || services === undefined) throw new Error("The network is ready and not there.");
      const { apiUrl, orgId, descriptorFile, admin } = await networkSummary(deployment, services, Date.now());
      const { token, credId, privateKeyFile } = admin;
      const signer = new KeySigner({ privateKey: await readFile(privateKeyFile, "utf8"), credId });
      const descriptor = new Uint8Array(await readFile(descriptorFile));
      const client = new CountersignClient({ apiUrl, token, signer, descriptor, orgId });
      await walk({ deployment, services, signer, client });
      over.abort();
    },
    signal: AbortSignal.any([terminal.interrupted, over.signal]),
  });
}
