import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, type Evidence, type GenesisIds, genesisIds, parseDescriptor } from "@countersign/authority";
import { OrchestratorService } from "@countersign/proto/orchestrator";
import { SignerService } from "@countersign/proto/signer";
import { type RpcClient, rpcClient, type TlsMaterial } from "@countersign/rpc";
import { approve, CountersignClient, KeySigner } from "@countersign/sdk";
import { runCommand, runCommandAtExit, startCommand } from "./command.ts";
import { until } from "./until.ts";

/** A service has 15 s to leave by itself, and a busy machine makes that longer. */
const GONE_MS = 60_000;

// Without a handler a signal ends the process with no exit event, and folders would stay.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(1));

/** What `up --json` prints. */
export interface Summary {
  readonly apiUrl: string;
  readonly orgId: string;
  readonly deploymentId: string;
  readonly descriptorFile: string;
  readonly nodes: readonly { readonly id: string; readonly region: string; readonly pid: number | null }[];
  readonly admin: { readonly token: string; readonly credId: string; readonly privateKeyFile: string };
  readonly data: string;
}

/** One service, as `status --json` tells it. */
export interface Service {
  readonly name: string;
  readonly address: string;
  readonly up: boolean;
  readonly pid?: number;
}

/** What `status --json` prints of a network that runs. */
export interface Status {
  readonly running: boolean;
  readonly services: readonly Service[];
  readonly nodes: readonly {
    readonly id: string;
    readonly present: boolean | null;
    readonly keys: number | null;
    readonly auditLength: number | null;
  }[];
}

/** Whose certificate a gRPC call shows: the folder that holds it. */
export type Holder = "orchestrator" | "operators" | "api" | `nodes/${string}`;

export type SignerClient = RpcClient<(typeof SignerService)["method"]>;
export type OrchestratorClient = RpcClient<(typeof OrchestratorService)["method"]>;

/**
 * A local network of real processes, made by the real command line in a folder of its own. Close it, however the test ends. It
 * does not outlive the test's process, which on its way out removes the folder too, unless it is killed.
 */
export class RealNetwork implements AsyncDisposable {
  /** Temporary folder around the data folder. */
  readonly #scratch = mkdtempSync(join(tmpdir(), "countersign-e2e-"));
  /** The data folder; docs/data-folder.md says what lies where. */
  readonly data = join(this.#scratch, "data");
  readonly #plan: { readonly nodes: number; readonly threshold: number };
  readonly #clients = new Map<string, { close(): void }>();
  readonly #atExit = () => {
    runCommandAtExit("down", "--data", this.data);
    rmSync(this.#scratch, { recursive: true, force: true });
  };
  #summary: Summary | undefined;
  #services: readonly Service[] = [];
  #facts: { descriptor: Descriptor; ids: GenesisIds; signer: KeySigner } | undefined;

  private constructor(plan: { nodes: number; threshold: number }) {
    this.#plan = plan;
    process.once("exit", this.#atExit);
  }

  /** Starts a network from nothing; resolves once it signs. Default: 2 of 3 nodes. */
  static async start({ nodes = 3, threshold = 2 } = {}): Promise<RealNetwork> {
    const network = new RealNetwork({ nodes, threshold });
    try {
      await network.up();
      return network;
    } catch (error) {
      await network.close();
      throw error;
    }
  }

  /** Runs `up`: starts everything, or what is missing. */
  async up(): Promise<void> {
    const { nodes, threshold } = this.#plan;
    const size = ["--nodes", String(nodes), "--threshold", String(threshold)];
    const line = await startCommand("up", "--json", "--port", "0", "--data", this.data, ...size);
    this.#summary = JSON.parse(line);
    this.#services = (await this.status()).services;
  }

  /** Runs `down`; the data stay. */
  async down(): Promise<void> {
    this.#dropClients();
    const { code, notes } = await runCommand("down", "--data", this.data);
    assert.equal(code, 0, notes);
  }

  /** Runs `status --json`. */
  async status(): Promise<Status> {
    const { out, notes } = await runCommand("status", "--json", "--data", this.data);
    assert.notEqual(out, "", notes);
    return JSON.parse(out);
  }

  /** What the last `up` printed. */
  get summary(): Summary {
    assert.ok(this.#summary !== undefined, "the network was started");
    return this.#summary;
  }

  /** Facts that everybody in the deployment pins. */
  get descriptor(): Descriptor {
    return this.#pinned().descriptor;
  }

  /** Ids of the one organisation, its service account, application and credential. */
  get ids(): GenesisIds {
    return this.#pinned().ids;
  }

  /** The administrator's key. */
  get signer(): KeySigner {
    return this.#pinned().signer;
  }

  /** Client of the API at its present address, acting as the administrator. */
  get client(): CountersignClient {
    const { apiUrl, orgId, deploymentId, admin } = this.summary;
    const descriptor = this.read("descriptor.json");
    const pinned = { apiUrl, orgId, deploymentId, descriptor, token: admin.token, signer: this.signer };
    return new CountersignClient(pinned);
  }

  /** Evidence that the administrator approved a request, for use on gRPC. A body that is text is approved as it is. */
  approve(method: string, path: string, body: unknown): Promise<Evidence> {
    const { orgId, principalId, appId } = this.ids;
    const { deploymentId } = this.descriptor;
    const payload = typeof body === "string" ? body : JSON.stringify(body);
    return approve({ deploymentId, orgId, principalId, appId, method, path, payload }, this.signer);
  }

  /** Client of one signer by its party index, closed with the network. */
  signerClient(party: number, as: Holder = "orchestrator"): SignerClient {
    const { id } = this.node(party);
    return this.#clientOf(`${id} as ${as}`, () =>
      rpcClient(SignerService, {
        address: this.addressOf(id),
        tls: this.tls(as),
        server: { deploymentId: this.descriptor.deploymentId, role: "signer", name: id },
      }),
    );
  }

  /** Client of the orchestrator, closed with the network. */
  orchestratorClient(as: Holder = "api"): OrchestratorClient {
    return this.#clientOf(`orchestrator as ${as}`, () =>
      rpcClient(OrchestratorService, {
        address: this.addressOf("orchestrator"),
        tls: this.tls(as),
        server: { deploymentId: this.descriptor.deploymentId, role: "orchestrator" },
      }),
    );
  }

  /** A node of the descriptor by its party index. */
  node(party: number): Descriptor["nodes"][number] {
    const node = this.descriptor.nodes.find(({ index }) => index === party);
    assert.ok(node !== undefined, `party ${party} is a node`);
    return node;
  }

  /** Certificate, its key and the deployment's authority. */
  tls(holder: Holder): TlsMaterial {
    return {
      ca: this.read("tls", "authority.pem"),
      certificate: this.read(holder, "tls", "certificate.pem"),
      key: this.read(holder, "tls", "key.pem"),
    };
  }

  /** A file of the data folder. */
  read(...path: readonly string[]): Uint8Array {
    return readFileSync(join(this.data, ...path));
  }

  /** Everything that a service has logged: `api`, `orchestrator`, `node-1`, `nats`, `redis`. */
  log(service: string): string {
    return readFileSync(join(this.data, "logs", `${service}.log`), "utf8");
  }

  /** `host:port` of a service since the last `up`. */
  addressOf(service: string): string {
    return this.#service(service).address;
  }

  /** Process of a service since the last `up`. */
  pidOf(service: string): number {
    const { pid } = this.#service(service);
    assert.ok(pid !== undefined, `${service} ran at the last up`);
    return pid;
  }

  /** Sends SIGKILL and resolves once the process is gone. */
  async kill(service: string): Promise<void> {
    process.kill(this.pidOf(service), "SIGKILL");
    await this.untilGone(service);
  }

  /** Resolves once the process of a service is gone. */
  async untilGone(service: string): Promise<void> {
    const pid = this.pidOf(service);
    await until(`${service} is gone`, () => stateOf(pid) === undefined, GONE_MS);
  }

  /** Sends SIGSTOP and resolves once no thread of the process runs any more. */
  async pause(service: string): Promise<void> {
    const pid = this.pidOf(service);
    process.kill(pid, "SIGSTOP");
    await until(`${service} is paused`, () => stateOf(pid) === "T");
  }

  /** Lets a paused service go on. Harmless for one that runs or is gone. */
  resume(service: string): void {
    const pid = this.pidOf(service);
    if (stateOf(pid) !== undefined) process.kill(pid, "SIGCONT");
  }

  /** Brings back whatever a test left paused or killed, so that one that fails does not fail the next. */
  async mend(): Promise<void> {
    if (!existsSync(this.data)) return;
    for (const { name } of this.#services) this.resume(name);
    if (this.#services.some(({ name }) => stateOf(this.pidOf(name)) === undefined)) await this.up();
  }

  /** Stops everything and removes the folder. Harmless twice. */
  async close(): Promise<void> {
    process.off("exit", this.#atExit);
    try {
      await this.down();
    } finally {
      // Whatever did not stop on being asked ends by itself once its folder is gone.
      rmSync(this.#scratch, { recursive: true, force: true });
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #service(name: string): Service {
    const service = this.#services.find((one) => one.name === name);
    assert.ok(service !== undefined, `${name} is a service of the network`);
    return service;
  }

  #pinned() {
    if (this.#facts !== undefined) return this.#facts;
    const descriptor = parseDescriptor(this.read("descriptor.json"));
    const { privateKeyFile, credId } = this.summary.admin;
    const signer = new KeySigner({ privateKey: readFileSync(privateKeyFile, "utf8"), credId });
    this.#facts = { descriptor, ids: genesisIds(descriptor), signer };
    return this.#facts;
  }

  /** One connection per callee and certificate: a test makes many calls. */
  #clientOf<T extends { close(): void }>(name: string, make: () => T): T {
    const known = this.#clients.get(name);
    // A name stands for one service, and with it for one type of client.
    if (known !== undefined) return known as T;
    const client = make();
    this.#clients.set(name, client);
    return client;
  }

  #dropClients(): void {
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
  }
}

/** The kernel's letter for what a process does (`T`: stopped); undefined once it is gone or only waits to be collected. */
function stateOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The first letter after the command, which may itself hold parentheses.
    const state = stat[stat.lastIndexOf(")") + 2];
    return state === "Z" || state === "X" ? undefined : state;
  } catch {
    // No such process.
    return undefined;
  }
}
