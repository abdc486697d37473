import { stat } from "node:fs/promises";
import type { TlsFiles } from "./data-folder.ts";
import type { Deployment } from "./deployment.ts";
import { ORCHESTRATOR_NAME } from "./write-settings.ts";

/** Names of the one API service and of this command line in their certificates. */
export const API_NAME = "api-1";
export const COMMAND_NAME = "local";

/** Issues the certificates that are missing, end soon or lost their key. Called at every `up`, before any service runs. */
export async function renewCertificates(deployment: Deployment, now: number): Promise<void> {
  const { folder, descriptor } = deployment;
  const { deploymentId, nodes } = descriptor;
  const wanted = [
    ...nodes.map(({ id }) => ({ role: "signer" as const, name: id, files: folder.node(id).tls })),
    { role: "orchestrator" as const, name: ORCHESTRATOR_NAME, files: folder.orchestrator.tls },
    { role: "api" as const, name: API_NAME, files: folder.api.tls },
    { role: "operator" as const, name: COMMAND_NAME, files: folder.command.tls },
  ];
  const { issueCertificate, needsRenewal } = await import("./certificates.ts");
  for (const { role, name, files } of wanted) {
    if ((await isWritten(files)) && !(await needsRenewal(files, now))) continue;
    await issueCertificate(folder.authority, { deploymentId, role, name }, files, now);
  }
}

async function isWritten(files: TlsFiles): Promise<boolean> {
  const found = await Promise.all([files.certificate, files.key].map((path) => stat(path).catch(() => undefined)));
  return found.every((entry) => entry?.isFile());
}
