import { OrchestratorService } from "@countersign/proto/orchestrator";
import { implement } from "@countersign/rpc";
import { publishedKey } from "@countersign/threshold";
import { evidenceFromWire, keyToWire } from "@countersign/wire";
import { createKey } from "./create-key.ts";
import { orchestratorError } from "./errors.ts";
import type { KeyDirectory } from "./key-directory.ts";
import type { Network } from "./network.ts";
import { signRequest } from "./sign-request.ts";

/** Requests at once: each holds little, but all of them share the signers' bounds. */
const REQUESTS_MAX = 512;
/** A signature takes milliseconds; a caller that names no deadline is not kept longer (architecture 8). */
const DEADLINE_DEFAULT_MS = 10_000;
/** Key generation by all n nodes. */
const DEADLINE_MAX_MS = 60_000;

/** The orchestrator's calls, as `OrchestratorService` defines them. */
export function orchestratorService(network: Network, keys: KeyDirectory) {
  let running = 0;
  const bounded = async <T>(request: () => Promise<T>): Promise<T> => {
    if (running >= REQUESTS_MAX)
      throw orchestratorError("orchestrator_busy", `This orchestrator runs ${REQUESTS_MAX} requests already.`);
    running++;
    try {
      return await request();
    } finally {
      running--;
    }
  };
  return implement(
    OrchestratorService,
    {
      createKey: async ({ evidence }, limits) => {
        const approved = evidenceFromWire(evidence);
        const key = await bounded(() => createKey(network, keys, approved, limits));
        const verificationShares = [...key.package.verificationShares];
        return { key: keyToWire(key), publicKey: publishedKey(key.package), verificationShares };
      },
      sign: async ({ evidence }, limits) => {
        const approved = evidenceFromWire(evidence);
        const { signatures, attempts, parties } = await bounded(() => signRequest(network, keys, approved, limits));
        return { signatures: [...signatures], attempts, parties: [...parties] };
      },
      status: async () => ({
        threshold: network.descriptor.threshold,
        nodes: network.descriptor.nodes.map(({ id, index, region }) => {
          const candidate = network.candidates().find((one) => one.index === index);
          const { present = false, roundTripUs = 0, sessions = 0 } = candidate ?? {};
          return { nodeId: id, party: index, region, present, roundTripUs: Math.round(roundTripUs), sessions };
        }),
      }),
    },
    { callers: ["api", "operator"], deadlineDefaultMs: DEADLINE_DEFAULT_MS, deadlineMaxMs: DEADLINE_MAX_MS },
  );
}
