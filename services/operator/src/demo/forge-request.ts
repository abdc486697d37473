import { randomBytes } from "node:crypto";
import { CountersignError } from "@countersign/errors";
import { approve } from "@countersign/sdk";
import { evidenceToWire, sessionToWire } from "@countersign/wire";
import { signerClient } from "../network/node-status.ts";
import type { DemoNetwork } from "./demo-network.ts";

/**
 * Has the administrator approve one body and sends a signer another, around API and orchestrator, as a hostile operator of
 * both could. Resolves with the refusal's code; undefined when the signer took part.
 */
export async function forgeRequest(
  { deployment, services, signer }: DemoNetwork,
  forgery: { keyId: string; nodeId: string; approved: string; sent: string },
): Promise<string | undefined> {
  const { keyId, nodeId, approved, sent } = forgery;
  const { descriptor, orgId, principalId, appId } = deployment;
  const { deploymentId, hash, nodes, threshold } = descriptor;
  const request = { deploymentId, orgId, principalId, appId, method: "POST", path: `/keys/${keyId}/signatures` };
  const evidence = await approve({ ...request, payload: approved }, signer);
  const at = nodes.findIndex(({ id }) => id === nodeId);
  const parties = nodes
    .slice(Math.min(at, nodes.length - threshold))
    .slice(0, threshold)
    .map(({ index }) => index);
  const session = { sessionId: new Uint8Array(randomBytes(32)), attempt: 1, parties };
  const client = await signerClient(deployment, nodeId, services.find(({ name }) => name === nodeId)?.address ?? "");
  try {
    await client.sign({
      evidence: evidenceToWire({ ...evidence, payload: sent }),
      session: sessionToWire({ ...session, organisationHead: hash, deploymentHead: hash }),
    });
    return undefined;
  } catch (error) {
    if (error instanceof CountersignError && error.kind === "refusal") return error.code;
    throw error;
  } finally {
    client.close();
  }
}
