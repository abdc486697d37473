import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { natsConfiguration } from "@countersign/mesh";
import { LOOPBACK } from "../network/ports.ts";
import { makeFolder, writeFileAtomic } from "../write-file.ts";
import type { TlsFiles } from "./data-folder.ts";
import type { Deployment } from "./deployment.ts";

/** Name of the one orchestrator of a local network, in certificates and on the bus. */
export const ORCHESTRATOR_NAME = "orchestrator-1";

/** Ports of one run of a local network, all on the loopback interface. */
export interface NetworkPorts {
  readonly nats: number;
  readonly redis: number;
  /** By node id. */
  readonly signers: ReadonlyMap<string, number>;
  readonly orchestrator: number;
  readonly api: number;
}

/** Writes the configuration file of every service for the given ports; `cache` is this user's cache folder, if there is one. */
export async function writeSettings(deployment: Deployment, ports: NetworkPorts, cache?: string): Promise<void> {
  const { folder, descriptor } = deployment;
  const redisPassword = randomBytes(24).toString("base64url");
  const nats = (seed: string) => ({ servers: [`nats://${LOOPBACK}:${ports.nats}`], seed });
  const listen = (port: number) => ({ host: LOOPBACK, port });
  const tls = (files: TlsFiles) => ({ ca: folder.authority.certificate, ...files });

  for (const { id } of descriptor.nodes) {
    const files = folder.node(id);
    await writeJson(files.settings, {
      nodeId: id,
      descriptor: folder.descriptor,
      identitySeed: files.identitySeed,
      nats: nats(files.natsSeed),
      listen: listen(signerPort(ports, id)),
      tls: tls(files.tls),
      store: files.store,
      storeMark: files.storeMark,
      kek: { provider: "file", path: files.kek },
    });
  }
  await writeJson(folder.orchestrator.settings, {
    name: ORCHESTRATOR_NAME,
    descriptor: folder.descriptor,
    nats: nats(folder.orchestrator.natsSeed),
    listen: listen(ports.orchestrator),
    tls: tls(folder.orchestrator.tls),
    signers: descriptor.nodes.map(({ id }) => ({ nodeId: id, address: `${LOOPBACK}:${signerPort(ports, id)}` })),
    coordination: `redis://:${redisPassword}@${LOOPBACK}:${ports.redis}`,
  });
  await writeJson(folder.api.settings, {
    descriptor: folder.descriptor,
    listen: listen(ports.api),
    database: `pglite:${folder.api.database}`,
    ...(cache === undefined ? {} : { databaseTemplates: join(cache, "databases") }),
    orchestrators: [`${LOOPBACK}:${ports.orchestrator}`],
    tls: tls(folder.api.tls),
    tokenKey: folder.api.tokenKey,
  });
  await makeFolder(folder.nats.folder);
  await writeFileAtomic(
    folder.nats.settings,
    natsConfiguration({
      host: LOOPBACK,
      port: ports.nats,
      deploymentId: descriptor.deploymentId,
      nodes: descriptor.nodes,
      orchestrators: [{ name: ORCHESTRATOR_NAME, natsKey: deployment.orchestratorNatsKey }],
    }),
  );
  await writeFileAtomic(folder.redis.settings, redisConfiguration(folder.redis.folder, ports.redis, redisPassword));
}

/** Port of a node's signer. */
export function signerPort(ports: NetworkPorts, nodeId: string): number {
  const port = ports.signers.get(nodeId);
  if (port === undefined) throw new Error(`No port was chosen for ${nodeId}.`);
  return port;
}

/** Losing all of Redis loses nothing but retries, so nothing is saved; a full memory must refuse writes, never drop a lease. */
function redisConfiguration(folder: string, port: number, password: string): string {
  return [
    `bind ${LOOPBACK}`,
    `port ${port}`,
    "protected-mode yes",
    `requirepass ${password}`,
    "daemonize no",
    `dir ${JSON.stringify(folder)}`,
    'save ""',
    "appendonly no",
    "maxmemory 128mb",
    "maxmemory-policy noeviction",
    "",
  ].join("\n");
}

function writeJson(path: string, value: unknown): Promise<void> {
  return writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
}
