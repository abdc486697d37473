import { adminToken } from "./deployment/admin-token.ts";
import type { Deployment } from "./deployment/deployment.ts";
import type { ServiceStatus } from "./network/supervisor.ts";
import { table } from "./table.ts";

/** What `up --json` prints. */
export interface NetworkSummary {
  readonly apiUrl: string;
  readonly orgId: string;
  readonly nodes: readonly { readonly id: string; readonly region: string; readonly pid: number | null }[];
  readonly admin: { readonly token: string; readonly credId: string; readonly privateKeyFile: string };
  readonly deploymentId: string;
  /** Pins the nodes: whoever shows public keys checks their certificates against it. */
  readonly descriptorFile: string;
  readonly data: string;
}

/** Puts together what a person or program needs to use the network. Issues a new token when the old one is about to end. */
export async function networkSummary(
  deployment: Deployment,
  services: readonly ServiceStatus[],
  now: number,
): Promise<NetworkSummary> {
  const { folder, descriptor, orgId, credId } = deployment;
  const byName = new Map(services.map((service) => [service.name, service]));
  return {
    apiUrl: `http://${byName.get("api")?.address}`,
    orgId,
    nodes: descriptor.nodes.map(({ id, region }) => ({ id, region, pid: byName.get(id)?.pid ?? null })),
    admin: { token: await adminToken(deployment, now), credId, privateKeyFile: folder.admin.privateKey },
    deploymentId: descriptor.deploymentId,
    descriptorFile: folder.descriptor,
    data: folder.root,
  };
}

/** The same for people, with what to do next. */
export function summaryText(
  summary: NetworkSummary,
  services: readonly ServiceStatus[],
  { threshold, stopWith }: { threshold: number; stopWith: string },
): string {
  const regions = new Map(summary.nodes.map(({ id, region }) => [id, region]));
  const rows = services.map(({ name, address, pid }) => [
    name,
    name === "api" ? summary.apiUrl : address,
    regions.get(name) ?? "",
    pid === undefined ? "down" : `pid ${pid}`,
  ]);
  return [
    `Countersign is up: ${summary.nodes.length} signer nodes, any ${threshold} of which sign.`,
    "",
    ...table(rows, "  "),
    "",
    ...table(
      [
        ["organisation", summary.orgId],
        ["bearer token", `${summary.data}/admin/token`],
        ["approving key", `${summary.admin.privateKeyFile}  (credential ${summary.admin.credId})`],
        ["pinned nodes", summary.descriptorFile],
        ["one node's share", `${summary.data}/nodes/${summary.nodes[0]?.id}/store`],
      ],
      "  ",
    ),
    "",
    "Try it:",
    `  curl -s -H "authorization: Bearer $(cat ${summary.data}/admin/token)" ${summary.apiUrl}/keys`,
    `Stop it: ${stopWith}`,
  ].join("\n");
}
