import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type Descriptor, parseDescriptor } from "@countersign/authority";
import { connectNats, watchPresence } from "@countersign/mesh";
import { SignerService } from "@countersign/proto/signer";
import { rpcClient, serveRpc, type TlsMaterial } from "@countersign/rpc";
import { type RunningService, readSecret, readTls, type ServiceTools } from "@countersign/runtime";
import { prepareCurves } from "@countersign/threshold";
import type { OrchestratorConfig } from "./config.ts";
import type { Coordination } from "./coordination/coordination.ts";
import { memoryCoordination } from "./coordination/memory.ts";
import { redisCoordination } from "./coordination/redis.ts";
import { orchestratorError } from "./errors.ts";
import { KeyDirectory } from "./key-directory.ts";
import { openNetwork } from "./open-network.ts";
import { orchestratorService } from "./server.ts";

/** The largest evidence is half of it. */
const REQUEST_BYTES_MAX = 524_288;

/** Starts an orchestrator: it holds no state that outlives it, so it serves as soon as it listens. */
export async function startOrchestrator(config: OrchestratorConfig, tools: ServiceTools): Promise<RunningService> {
  const { log, signal } = tools;
  await prepareCurves((size) => new Uint8Array(randomBytes(size)));
  const descriptor = parseDescriptor(new Uint8Array(await readFile(config.descriptor)));
  const { deploymentId } = descriptor;
  const tls = await readTls(config.tls);
  // Closes in reverse order, also when the start fails.
  await using parts = new AsyncDisposableStack();
  const bus = await connectNats({
    servers: config.nats.servers,
    seed: await readSecret(config.nats.seed),
    name: config.name,
    tls: config.nats.tls && (await readTls(config.nats.tls)),
    onProblem: (problem) => log.warn({ err: problem }, "the bus refused something"),
    signal,
  });
  const wire = parts.adopt(bus, (open) => open.close());
  const nodes = descriptor.nodes.map(({ index, id, identityKey }) => ({ index, id, publicKey: identityKey }));
  const watch = await watchPresence({ deploymentId, name: config.name, nodes, wire });
  const presence = parts.adopt(watch, (open) => open.close());
  const coordination = parts.adopt(await openCoordination(config, deploymentId, tools), (open) => open.close());
  const clients = connectSigners(config, descriptor, tls);
  parts.defer(() => {
    for (const client of clients.values()) client.close();
  });
  const network = openNetwork({ descriptor, signers: clients, presence, coordination });
  const server = await serveRpc({
    listen: config.listen,
    tls,
    // Whoever asks for this orchestrator by name must not be answered by another.
    identity: { deploymentId, role: "orchestrator", name: config.name },
    limits: { requestBytesMax: REQUEST_BYTES_MAX },
    services: [orchestratorService(network, new KeyDirectory(network))],
    onFailure: (error, call) => log.error({ err: error, method: call.method }, "a call failed"),
  });
  const running = parts.move();
  return {
    address: server.address,
    close: async ({ graceMs }) => {
      await server.close({ graceMs });
      await running.disposeAsync();
    },
  };
}

function openCoordination(
  config: OrchestratorConfig,
  deploymentId: string,
  { log }: ServiceTools,
): Promise<Coordination> | Coordination {
  if (config.coordination === "memory://") return memoryCoordination(() => performance.now());
  const onUnreachable = (error: Error) => log.warn({ err: error }, "Redis does not answer; working without leases");
  return redisCoordination({ url: config.coordination, deploymentId, onUnreachable });
}

/** One client per node of the descriptor; each accepts only that node's own certificate. Raises `signers_incomplete`. */
function connectSigners(config: OrchestratorConfig, { deploymentId, nodes }: Descriptor, tls: TlsMaterial) {
  return new Map(
    nodes.map(({ id, index }) => {
      const address = config.signers.find(({ nodeId }) => nodeId === id)?.address;
      if (address === undefined)
        throw orchestratorError(
          "signers_incomplete",
          `The configuration has no address for node ${id} of the descriptor.`,
        );
      return [
        index,
        rpcClient(SignerService, { address, tls, server: { deploymentId, role: "signer", name: id } }),
      ] as const;
    }),
  );
}
