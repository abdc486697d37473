import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { base64url, hex, Secret, sha256, utf8 } from "@countersign/bytes";
import { NodeIdentity } from "../identity.ts";
import { createNatsKey } from "../wire/nats-key.ts";

/** A deployment descriptor's file: nodes `node-1`.. with the identities of these seeds, an operator each, one organisation. */
export function testDescriptor(options: {
  readonly deploymentId: string;
  readonly threshold: number;
  /** A node's identity seed each, 32 bytes. */
  readonly seeds: readonly Uint8Array[];
  /** Private key of the administrator's credential. */
  readonly credential: KeyObject;
  readonly organisation?: string;
  /** Public nkeys for what must be the same in every run. Default: new ones. */
  readonly natsKeys?: readonly string[];
}): Uint8Array {
  const { deploymentId, threshold, seeds, credential, organisation = "Test", natsKeys } = options;
  const spki = new Uint8Array(createPublicKey(credential).export({ format: "der", type: "spki" }));
  const publicKey = (seed: Uint8Array) => hex(new NodeIdentity(new Secret(seed.slice())).publicKey);
  return utf8(
    JSON.stringify({
      version: 1,
      deploymentId,
      threshold,
      nodes: seeds.map((seed, place) => ({
        index: place + 1,
        id: `node-${place + 1}`,
        region: `region-${place + 1}`,
        identityKey: publicKey(seed),
        natsKey: natsKeys?.[place] ?? createNatsKey().publicKey,
      })),
      operators: seeds.map((seed, place) => ({ nodeId: `node-${place + 1}`, publicKey: publicKey(sha256(seed)) })),
      organisation: { name: organisation, credentialKey: base64url(spki) },
    }),
  );
}

/** An Ed25519 key from 32 bytes: the same in every run. */
export function seededKey(seed: Uint8Array): KeyObject {
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
}
