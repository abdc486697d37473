import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { apply, type Descriptor, type GenesisIds, genesisIds, parseDescriptor } from "@countersign/authority";
import { base64url, hex, utf8 } from "@countersign/bytes";
import { KeySigner } from "@countersign/sdk";
import { createUser } from "@nats-io/nkeys";

/** A deployment of three nodes with what its people hold. */
export interface TestDeployment {
  readonly file: Uint8Array;
  readonly descriptor: Descriptor;
  readonly ids: GenesisIds;
  /** Holds the service account's credential. */
  readonly signer: KeySigner;
  /** Its private key, PEM. */
  readonly privateKey: string;
}

export const DEPLOYMENT_ID = "dep-test";

/** Makes a 2-of-3 deployment whose service account has a key of the given kind. */
export function makeDeployment(algorithm: "Ed25519" | "P-256" = "Ed25519"): TestDeployment {
  const privateKey = privatePem(
    algorithm === "Ed25519" ? generateKeyPairSync("ed25519") : generateKeyPairSync("ec", { namedCurve: "P-256" }),
  );
  const signer = new KeySigner({ privateKey });
  const file = utf8(
    JSON.stringify({
      version: 1,
      deploymentId: DEPLOYMENT_ID,
      threshold: 2,
      nodes: [1, 2, 3].map((index) => ({
        index,
        id: `node-${index}`,
        region: `region-${index}`,
        identityKey: newEd25519(),
        natsKey: createUser().getPublicKey(),
      })),
      operators: [1, 2, 3].map((index) => ({ nodeId: `node-${index}`, publicKey: newEd25519() })),
      organisation: { name: "Test", credentialKey: base64url(signer.publicKey) },
    }),
  );
  const descriptor = parseDescriptor(file);
  return { file, descriptor, ids: genesisIds(descriptor), signer, privateKey };
}

/** The state of the first deployment with the organisations of the others added, as several tenants would be. */
export function stateOf(first: TestDeployment, ...others: readonly TestDeployment[]) {
  const state = apply(first.descriptor);
  const organisations = others.flatMap(({ descriptor }) => [...apply(descriptor).organisations]);
  return { ...state, organisations: new Map([...state.organisations, ...organisations]) };
}

/** A fresh key for tokens, PKCS#8 PEM. */
export function makeTokenKey(): string {
  return privatePem(generateKeyPairSync("ed25519"));
}

function privatePem({ privateKey }: { privateKey: KeyObject }): string {
  return privateKey.export({ format: "pem", type: "pkcs8" }).toString();
}

function newEd25519(): string {
  const { publicKey } = generateKeyPairSync("ed25519");
  return hex(new Uint8Array(publicKey.export({ format: "der", type: "spki" })).subarray(-32));
}
