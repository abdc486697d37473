import { type Descriptor, genesisIds } from "@countersign/authority";
import { hex } from "@countersign/bytes";
import { type Static, Type } from "typebox";

/** What a client pins, after it compared it with what the operators published elsewhere. */
export const Deployment = Type.Object(
  {
    version: Type.Literal(1),
    deploymentId: Type.String(),
    descriptorHash: Type.String({ description: "SHA-256 of the deployment descriptor, hex." }),
    orgId: Type.String(),
    threshold: Type.Integer({ description: "Nodes needed for a signature." }),
    nodes: Type.Array(
      Type.Object(
        {
          index: Type.Integer({ minimum: 1 }),
          id: Type.String(),
          region: Type.String(),
          identityKey: Type.String({ description: "Ed25519 key that signs certificates, hex." }),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);

/** The public facts of a deployment. */
export function deploymentAnswer(descriptor: Descriptor): Static<typeof Deployment> {
  const { version, deploymentId, threshold, nodes, hash } = descriptor;
  return {
    version,
    deploymentId,
    descriptorHash: hex(hash),
    orgId: genesisIds(descriptor).orgId,
    threshold,
    nodes: nodes.map(({ index, id, region, identityKey }) => ({ index, id, region, identityKey: hex(identityKey) })),
  };
}
