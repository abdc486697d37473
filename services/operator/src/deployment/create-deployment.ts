import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { parseDescriptor } from "@countersign/authority";
import { base64url, hex, Secret } from "@countersign/bytes";
import { createNatsKey, NodeIdentity } from "@countersign/mesh";
import { createFileKek } from "@countersign/vault";
import { makeFolder, writeFileAtomic } from "../write-file.ts";
import type { DataFolder } from "./data-folder.ts";

/** Regions are names on one machine; a real deployment has one per place. */
const REGIONS = [
  "eu-west",
  "us-east",
  "ap-south",
  "eu-north",
  "us-west",
  "ap-east",
  "sa-east",
  "me-central",
  "af-south",
] as const;

/** What a new deployment is to be. */
export interface DeploymentPlan {
  /** n, 2..9. */
  readonly nodes: number;
  /** t, 2..n. */
  readonly threshold: number;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * Makes a deployment in an empty data folder: identities, bus users, key-encryption keys, operators, the administrator's
 * credential, the certificate authority and the token key. The marker is written last; without it the folder is half-written.
 */
export async function createDeployment(folder: DataFolder, plan: DeploymentPlan): Promise<void> {
  const deploymentId = `dep-${randomBytes(10).toString("hex")}`;
  await makeFolder(folder.root);
  const nodes = [];
  const operators = [];
  for (let index = 1; index <= plan.nodes; index++) {
    const id = `node-${index}`;
    nodes.push({ index, id, region: REGIONS[index - 1] ?? `region-${index}`, ...(await createNode(folder, id)) });
    operators.push({ nodeId: id, publicKey: hex(rawEd25519(await createKeyFile(folder.operatorKey(id)))) });
  }
  const orchestratorNatsKey = await createBusKey(folder.orchestrator.natsSeed);
  await createKeyFile(folder.api.tokenKey);
  const credential = await createKeyFile(folder.admin.privateKey);
  const credentialKey = base64url(credential.export({ format: "der", type: "spki" }));

  const descriptor = {
    version: 1,
    deploymentId,
    threshold: plan.threshold,
    nodes,
    operators,
    organisation: { name: "Local organisation", credentialKey },
  };
  const bytes = Buffer.from(`${JSON.stringify(descriptor, null, 2)}\n`);
  // The same parser that every service uses: a descriptor that it refuses must not become a finished folder.
  parseDescriptor(bytes);
  await writeFileAtomic(folder.descriptor, bytes);

  // Loading the certificate library takes longer than making keys; later starts do without it.
  const { createAuthority } = await import("./certificates.ts");
  await createAuthority(deploymentId, folder.authority, plan.now);
  // Last: what follows a crash before this line is recognised as half-written.
  const marker = { version: 1, deploymentId, orchestratorNatsKey };
  await writeFileAtomic(folder.marker, `${JSON.stringify(marker, null, 2)}\n`);
}

async function createNode(folder: DataFolder, id: string): Promise<{ identityKey: string; natsKey: string }> {
  const files = folder.node(id);
  const seed = randomBytes(32);
  await writeFileAtomic(files.identitySeed, hex(seed));
  const identity = new NodeIdentity(new Secret(new Uint8Array(seed)));
  seed.fill(0);
  const natsKey = await createBusKey(files.natsSeed);
  await mkdir(dirname(files.store), { recursive: true, mode: 0o700 });
  await createFileKek(files.kek);
  return { identityKey: hex(identity.publicKey), natsKey };
}

/** Writes the seed of a fresh bus user and returns its public nkey. */
async function createBusKey(path: string): Promise<string> {
  const { seed, publicKey } = createNatsKey();
  await writeFileAtomic(path, seed.expose());
  seed.wipe();
  return publicKey;
}

/** Writes a fresh Ed25519 private key as PKCS#8 PEM and returns its public key. */
async function createKeyFile(path: string): Promise<KeyObject> {
  const { privateKey } = generateKeyPairSync("ed25519");
  await writeFileAtomic(path, privateKey.export({ format: "pem", type: "pkcs8" }).toString());
  return createPublicKey(privateKey);
}

function rawEd25519(key: KeyObject): Uint8Array {
  // RFC 8410: the last 32 bytes of the SubjectPublicKeyInfo are the key.
  return new Uint8Array(key.export({ format: "der", type: "spki" })).slice(-32);
}
