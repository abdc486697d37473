import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { Secret } from "@countersign/bytes";
import type { KekProvider } from "@countersign/vault";
import { withVaultOf } from "./node-vault.ts";
import type { RealNetwork } from "./real-network.ts";
import type { Canary } from "./secret-search.ts";

/** Keys of the network at one page of a vault's list. */
const KEYS_MAX = 1_000;
/** A shorter line of a PEM file could stand elsewhere by chance. */
const LINE_LENGTH_MIN = 32;

/** Every long-lived secret of a stopped network, read as the owner of all its files can. */
export async function canariesOf(network: RealNetwork): Promise<Canary[]> {
  const nodes = await Promise.all(network.descriptor.nodes.map(({ index, id }) => nodeCanaries(network, index, id)));
  return [
    ...nodes.flat(),
    ...["orchestrator", "api", "operators"].flatMap((holder) => pemCanaries(network, `${holder}/tls/key.pem`)),
    ...pemCanaries(network, "tls/authority-key.pem"),
    ...pemCanaries(network, "api/token-key.pem"),
    ...pemCanaries(network, "admin/private-key.pem"),
    textCanary(network, "orchestrator/nats.seed"),
    textCanary(network, "admin/token"),
  ];
}

async function nodeCanaries(network: RealNetwork, party: number, id: string): Promise<Canary[]> {
  const home = (file: string) => `nodes/${id}/${file}`;
  return [
    ...(await vaultCanaries(network, party, id)),
    hexCanary(network, home("identity.seed")),
    hexCanary(network, home("kek")),
    textCanary(network, home("nats.seed")),
    ...pemCanaries(network, home("tls/key.pem")),
    ...pemCanaries(network, `operators/${id}.pem`),
  ];
}

/** A node's shares, and the data keys that seal them; they are at home nowhere in the clear. */
async function vaultCanaries(network: RealNetwork, party: number, id: string): Promise<Canary[]> {
  const canaries: Canary[] = [];
  const add = (name: string, bytes: Uint8Array) => canaries.push({ name, bytes: bytes.slice(), homes: [] });
  const watch = (kek: KekProvider): KekProvider => ({
    ...kek,
    unwrap: async (wrapped, context) => {
      const dataKey = await kek.unwrap(wrapped, context);
      add(`data key of ${id}`, dataKey.expose());
      return new Secret(dataKey.expose());
    },
  });
  const shares = await withVaultOf(
    network,
    party,
    async (vault) => {
      const keys = await vault.keys(KEYS_MAX);
      for (const { keyId, publicPart } of keys) {
        add(`share of ${keyId} at ${id}`, (await vault.openKey(keyId)).secret.expose());
        add(`chain code of ${keyId} at ${id}`, publicPart.subarray(0, 32));
      }
      return keys.length;
    },
    watch,
  );
  assert.ok(shares > 0 && canaries.length > shares, `${id} has shares and a data key`);
  return canaries;
}

function hexCanary(network: RealNetwork, home: string): Canary {
  return { name: home, bytes: Buffer.from(textOf(network, home), "hex"), homes: [home] };
}

function textCanary(network: RealNetwork, home: string): Canary {
  return { name: home, bytes: Buffer.from(textOf(network, home)), homes: [home] };
}

/** The private value, however it is wrapped, and the lines of the file, which tear it. */
function pemCanaries(network: RealNetwork, home: string): Canary[] {
  const pem = textOf(network, home);
  const { d } = createPrivateKey(pem).export({ format: "jwk" });
  assert.ok(d !== undefined);
  // The value lies within the first two; the third holds the public key, as certificates do.
  const lines = pem
    .split("\n")
    .filter((line) => line.length >= LINE_LENGTH_MIN && !line.startsWith("-"))
    .slice(0, 2);
  return [
    { name: home, bytes: Buffer.from(d, "base64url"), homes: [home] },
    ...lines.map((line, place) => ({ name: `${home}, line ${place + 1}`, bytes: Buffer.from(line), homes: [home] })),
  ];
}

function textOf(network: RealNetwork, home: string): string {
  return Buffer.from(network.read(...home.split("/")))
    .toString()
    .trim();
}
