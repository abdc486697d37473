import { generateKeyPairSync, randomBytes } from "node:crypto";
import {
  type AuthorityState,
  apply,
  type Descriptor,
  type Evidence,
  genesisIds,
  parseDescriptor,
} from "@countersign/authority";
import { base64url, hex, Secret, utf8 } from "@countersign/bytes";
import { createNatsKey, NodeIdentity } from "@countersign/mesh";
import { approve, KeySigner } from "@countersign/sdk";

const DEPLOYMENT_ID = "dep-bench";
const THRESHOLD = 2;
const NODES = 3;

/** A deployment without processes: its descriptor, its nodes' identities, and its administrator. */
export interface Deployment {
  readonly descriptor: Descriptor;
  readonly authority: AuthorityState;
  /** By place of the node in the descriptor. */
  readonly identities: readonly NodeIdentity[];
  /** Has the administrator approve a POST request. */
  approve(path: string, body: unknown): Promise<Evidence>;
}

/** Makes a deployment of three nodes whose administrator has a credential of the given algorithm. */
export function makeDeployment(algorithm: "Ed25519" | "P-256"): Deployment {
  const { privateKey } =
    algorithm === "Ed25519" ? generateKeyPairSync("ed25519") : generateKeyPairSync("ec", { namedCurve: "P-256" });
  const signer = new KeySigner({ privateKey: privateKey.export({ format: "pem", type: "pkcs8" }).toString() });
  const identities = Array.from({ length: NODES }, newIdentity);
  const descriptor = parseDescriptor(utf8(JSON.stringify(describe(identities, signer))));
  const { orgId, principalId, appId } = genesisIds(descriptor);
  const fields = { deploymentId: DEPLOYMENT_ID, orgId, principalId, appId, method: "POST" };
  return {
    descriptor,
    authority: apply(descriptor),
    identities,
    approve: (path, body) => approve({ ...fields, path, payload: JSON.stringify(body) }, signer),
  };
}

/** Body of a request to sign 32 random bytes. */
export function randomMessage(): { readonly kind: "Message"; readonly message: string } {
  return { kind: "Message", message: `0x${hex(new Uint8Array(randomBytes(32)))}` };
}

function newIdentity(): NodeIdentity {
  return new NodeIdentity(new Secret(new Uint8Array(randomBytes(32))));
}

function describe(identities: readonly NodeIdentity[], { publicKey }: KeySigner) {
  const ids = identities.map((_, place) => `node-${place + 1}`);
  return {
    version: 1,
    deploymentId: DEPLOYMENT_ID,
    threshold: THRESHOLD,
    nodes: identities.map((identity, place) => ({
      index: place + 1,
      id: ids[place],
      region: `region-${place + 1}`,
      identityKey: hex(identity.publicKey),
      natsKey: createNatsKey().publicKey,
    })),
    operators: ids.map((nodeId) => ({ nodeId, publicKey: hex(newIdentity().publicKey) })),
    organisation: { name: "Bench", credentialKey: base64url(publicKey) },
  };
}
