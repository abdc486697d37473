import { readFile } from "node:fs/promises";
import { OrchestratorService } from "@countersign/proto/orchestrator";
import { SignerService } from "@countersign/proto/signer";
import { rpcClient, type TlsMaterial } from "@countersign/rpc";
import type { Deployment } from "../deployment/deployment.ts";
import { ORCHESTRATOR_NAME } from "../deployment/write-settings.ts";

/** A service on this machine answers at once, or is starting. */
const CALL_TIMEOUT_MS = 2_000;

/** A node as the orchestrator sees it. */
export interface NodeSeen {
  readonly nodeId: string;
  readonly region: string;
  readonly present: boolean;
  /** Over the bus; 0 before the first measurement. */
  readonly roundTripUs: number;
}

/** What a signer says of itself. */
export interface NodeOwn {
  /** Active keys that it holds a share of. */
  readonly keys: number;
  readonly auditLength: number;
}

/** Asks the orchestrator which nodes it sees. Raises what the call raises. */
export async function askOrchestrator(deployment: Deployment, address: string): Promise<NodeSeen[]> {
  const client = rpcClient(OrchestratorService, {
    address,
    tls: await operatorTls(deployment),
    server: identity(deployment, "orchestrator", ORCHESTRATOR_NAME),
  });
  return once(client, async () => (await client.status({}, { deadlineMs: CALL_TIMEOUT_MS })).nodes);
}

/** Asks a signer about itself. Raises what the call raises. */
export async function askSigner(deployment: Deployment, nodeId: string, address: string): Promise<NodeOwn> {
  const client = await signerClient(deployment, nodeId, address);
  return once(client, async () => {
    const { keys, auditLength } = await client.status({}, { deadlineMs: CALL_TIMEOUT_MS });
    return { keys, auditLength: Number(auditLength) };
  });
}

/** A client of one signer, in the role `operator`. Close it. */
export async function signerClient(deployment: Deployment, nodeId: string, address: string) {
  return rpcClient(SignerService, {
    address,
    tls: await operatorTls(deployment),
    server: identity(deployment, "signer", nodeId),
  });
}

/** The certificate material of this command: role `operator`. */
async function operatorTls({ folder }: Deployment): Promise<TlsMaterial> {
  const { tls } = folder.command;
  return {
    ca: await readFile(folder.authority.certificate),
    certificate: await readFile(tls.certificate),
    key: await readFile(tls.key),
  };
}

function identity({ descriptor }: Deployment, role: "orchestrator" | "signer", name: string) {
  return { deploymentId: descriptor.deploymentId, role, name };
}

async function once<T>(client: { close(): void }, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } finally {
    client.close();
  }
}
