import type { TestContext } from "node:test";
import { type RpcClient, rpcClient } from "../client.ts";
import type { ExpectedIdentity, Identity, Role } from "../identity.ts";
import type { RpcLimits } from "../limits.ts";
import { type RpcServer, serveRpc } from "../server.ts";
import { type Handlers, implement, type ServiceDescriptor } from "../service.ts";
import type { TlsMaterial } from "../tls.ts";
import { type Authority, createAuthority } from "./certificates.ts";
import { ProbeService } from "./probe-service.ts";

type ProbeMethods = typeof ProbeService extends ServiceDescriptor<infer M> ? M : never;
export type ProbeHandlers = Handlers<ProbeMethods>;
export type ProbeClient = RpcClient<ProbeMethods>;

export const SIGNER: Identity = { deploymentId: "test", role: "signer", name: "node-1" };
export const ORCHESTRATOR: Identity = { deploymentId: "test", role: "orchestrator", name: "first" };

/** One server of the probe service with certificates, and clients of it; everything closes with the test. */
export interface ProbeNetwork {
  readonly authority: Authority;
  readonly server: RpcServer;
  readonly signerTls: TlsMaterial;
  readonly orchestratorTls: TlsMaterial;
  readonly client: ProbeClient;
  connect(options: {
    readonly tls?: TlsMaterial;
    readonly server?: ExpectedIdentity;
    readonly address?: string;
  }): ProbeClient;
}

export interface ProbeOptions {
  readonly limits?: Partial<RpcLimits>;
  readonly callers?: readonly Role[];
  readonly onFailure?: (error: unknown) => void;
}

/** Echoes, and streams three copies, unless the test says otherwise. */
export const ECHO: ProbeHandlers = {
  echo: async (request) => request,
  async *flow(request) {
    for (let i = 0; i < 3; i++) yield request;
  },
};

export async function probeNetwork(
  t: TestContext,
  handlers: Partial<ProbeHandlers> = {},
  { callers = ["orchestrator"], ...options }: ProbeOptions = {},
): Promise<ProbeNetwork> {
  const authority = await createAuthority();
  const [signerTls, orchestratorTls] = await Promise.all([authority.issue(SIGNER), authority.issue(ORCHESTRATOR)]);
  const server = await serveRpc({
    listen: { host: "127.0.0.1", port: 0 },
    tls: signerTls,
    services: [implement(ProbeService, { ...ECHO, ...handlers }, { callers })],
    ...options,
  });
  t.after(() => server.close({ graceMs: 0 }));
  const connect: ProbeNetwork["connect"] = ({ tls = orchestratorTls, server: expected = SIGNER, address }) => {
    const client = rpcClient(ProbeService, { address: address ?? server.address, tls, server: expected });
    t.after(() => client.close());
    return client;
  };
  return { authority, server, signerTls, orchestratorTls, client: connect({}), connect };
}
