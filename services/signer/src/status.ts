import { sessionHeads } from "@countersign/authority";
import { hex } from "@countersign/bytes";
import type { SignerNode } from "./node.ts";
import type { Sessions } from "./sessions.ts";

/** What an operator sees of a node. */
export async function status(node: SignerNode, sessions: Sessions) {
  const { descriptor, self, vault, mesh, authority } = node;
  const own = descriptor.nodes.find(({ index }) => index === self);
  const [orgId = ""] = authority.organisations.keys();
  const audit = await vault.auditHead();
  return {
    nodeId: own?.id ?? "",
    party: self,
    region: own?.region ?? "",
    bootId: hex(mesh.bootId),
    keys: await vault.countKeys(),
    sessions: sessions.count,
    peers: mesh
      .peers()
      .map(({ nodeId, present, roundTripUs }) => ({ nodeId, present, roundTripUs: Math.round(roundTripUs ?? 0) })),
    auditHead: audit.hash,
    auditLength: BigInt(audit.index + 1),
    ...sessionHeads(authority, orgId),
  };
}
