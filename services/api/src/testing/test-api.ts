import { createPrivateKey, createPublicKey, randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ACCESS_TOKEN_TYPE,
  type AuthorityState,
  accessTokenClaims,
  randomId,
  tokenHeader,
} from "@countersign/authority";
import { base64url, type JsonValue } from "@countersign/bytes";
import type { RpcServer, TlsMaterial } from "@countersign/rpc";
import { createLog } from "@countersign/runtime";
import type { KeySigner } from "@countersign/sdk";
import { SignJWT } from "jose";
import type { Api } from "../api.ts";
import { Database } from "../database/database.ts";
import { type Swept, settleAtStart } from "../housekeeping.ts";
import { KeyCreations } from "../keys/key-creations.ts";
import { Orchestrators } from "../orchestrators.ts";
import { createServer } from "../server.ts";
import type { Routes } from "../server-routes.ts";
import { Signing } from "../signatures/signing.ts";
import { Tokens } from "../tokens.ts";
import { issueCertificates } from "./certificates.ts";
import { DEPLOYMENT_ID, makeDeployment, makeTokenKey, stateOf, type TestDeployment } from "./test-deployment.ts";
import { TestOrchestrator } from "./test-orchestrator.ts";

/** Where `./countersign test` keeps the database that every test file would otherwise make anew. */
const CACHE = process.env["COUNTERSIGN_CACHE"];
const TEMPLATES = CACHE === undefined ? undefined : join(CACHE, "databases");

/** Who calls in a test. */
export interface TestCaller {
  readonly orgId: string;
  readonly principalId: string;
  readonly appId: string;
  readonly signer: KeySigner;
  readonly token: string;
}

/** An answer, parsed. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes, and a wrong guess fails the test.
  readonly json: any;
}

/** One HTTP call. */
export interface Call {
  readonly token?: string | undefined;
  /** Text as it is, or a value to write as JSON. */
  readonly body?: JsonValue | object | string | undefined;
  readonly userAction?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Makes a bearer token as the operator does. */
export async function makeToken(
  tokenKey: string,
  { orgId, principalId }: { orgId: string; principalId: string },
  { issuedAt = Math.floor(Date.now() / 1_000), lifetimeSeconds = 3_600 } = {},
): Promise<string> {
  const key = createPrivateKey(tokenKey);
  const tokenId = randomId("to", randomBytes(26));
  const claims = accessTokenClaims(
    { deploymentId: DEPLOYMENT_ID, orgId, principalId, tokenId },
    { issuedAt, lifetimeSeconds },
  );
  return new SignJWT({ ...claims }).setProtectedHeader(tokenHeader(ACCESS_TOKEN_TYPE, spkiOf(tokenKey))).sign(key);
}

/** SPKI DER of a private key in PEM. */
export function spkiOf(pem: string): Uint8Array {
  return new Uint8Array(createPublicKey(createPrivateKey(pem)).export({ format: "der", type: "spki" }));
}

/** An API in this process over a database folder of its own and an orchestrator behind real mutual TLS. */
export class TestApi {
  readonly folder: string;
  readonly tokenKey = makeTokenKey();
  readonly deployment: TestDeployment = makeDeployment("Ed25519");
  readonly otherDeployment: TestDeployment = makeDeployment("P-256");
  readonly orchestrator: TestOrchestrator;
  /** Lines that were logged. */
  readonly logged: string[] = [];
  state: AuthorityState = stateOf(this.deployment, this.otherDeployment);
  /** Added to the system's clock, milliseconds. */
  clockAheadMs = 0;
  isStopping = false;
  alice!: TestCaller;
  bob!: TestCaller;
  #tls: readonly TlsMaterial[] = [];
  #rpc: RpcServer | undefined;
  #server: Routes | undefined;
  #api: Api | undefined;
  #cutOff = new AbortController();
  swept!: Swept;

  private constructor(folder: string) {
    this.folder = folder;
    this.orchestrator = new TestOrchestrator(
      () => this.state,
      () => this.now(),
    );
  }

  /** Starts everything; `close` in `after`. */
  static async start(): Promise<TestApi> {
    const api = new TestApi(await mkdtemp(join(tmpdir(), "countersign-api-")));
    const holders = [
      { role: "orchestrator", name: "orchestrator-1" },
      { role: "api", name: "api-1" },
    ] as const;
    api.#tls = await issueCertificates(DEPLOYMENT_ID, holders);
    await api.startOrchestrator();
    await api.open();
    api.alice = await api.#caller(api.deployment);
    api.bob = await api.#caller(api.otherDeployment);
    return api;
  }

  now(): number {
    return Date.now() + this.clockAheadMs;
  }

  get api(): Api {
    if (this.#api === undefined) throw new Error("The API is closed.");
    return this.#api;
  }

  get server(): Routes {
    if (this.#server === undefined) throw new Error("The API is closed.");
    return this.#server;
  }

  /** Ends calls to the network as a shutdown does. */
  cutOff(): void {
    this.#cutOff.abort(new Error("cut off"));
  }

  async startOrchestrator(): Promise<void> {
    const port = this.#rpc?.port ?? 0;
    this.#rpc = await this.orchestrator.serve(this.#material(0), port);
  }

  async stopOrchestrator(): Promise<void> {
    await this.#rpc?.close({ graceMs: 0 });
  }

  /** Opens the API over the folder; again after `shut`. */
  async open(): Promise<void> {
    const destination = { write: (line: string) => void this.logged.push(line) };
    this.#cutOff = new AbortController();
    this.#api = {
      descriptor: this.deployment.descriptor,
      state: () => this.state,
      tokens: new Tokens(this.tokenKey, { deploymentId: DEPLOYMENT_ID, now: () => this.now() }),
      database: await Database.open(`pglite:${this.folder}/database`, { templates: TEMPLATES }),
      orchestrators: new Orchestrators([this.#rpc?.address ?? ""], {
        deploymentId: DEPLOYMENT_ID,
        tls: this.#material(1),
      }),
      log: createLog({ name: "api", destination }),
      now: () => this.now(),
      stopping: this.#cutOff.signal,
    };
    this.swept = { api: this.#api, keyCreations: new KeyCreations(this.#api), signing: new Signing(this.#api) };
    await settleAtStart(this.swept);
    this.#server = await createServer({ ...this.swept, isStopping: () => this.isStopping });
  }

  /** Closes the API and keeps the folder. */
  async shut(): Promise<void> {
    await this.#server?.close();
    this.#api?.orchestrators.close();
    await this.#api?.database.close();
    this.#server = undefined;
    this.#api = undefined;
  }

  async close(): Promise<void> {
    await this.shut();
    await this.stopOrchestrator();
    await rm(this.folder, { recursive: true, force: true });
  }

  async call(method: string, url: string, call: Call = {}): Promise<Answer> {
    const { body, headers } = call;
    const token = "token" in call ? call.token : this.alice.token;
    const response = await this.server.inject({
      method: method as "GET",
      url,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(call.userAction === undefined ? {} : { "x-dfns-useraction": call.userAction }),
        ...headers,
      },
      ...(body === undefined ? {} : { payload: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    return { status: response.statusCode, headers: response.headers, json: JSON.parse(response.body) };
  }

  /** Asks for a challenge. */
  init(method: string, path: string, payload: string, caller: TestCaller = this.alice): Promise<Answer> {
    const body = {
      userActionPayload: payload,
      userActionHttpMethod: method,
      userActionHttpPath: path,
      userActionServerKind: "Api",
    };
    return this.call("POST", "/auth/action/init", { token: caller.token, body });
  }

  /** Completes a challenge with the caller's credential. */
  async complete(challenge: Answer, caller: TestCaller = this.alice): Promise<Answer> {
    const { clientData, signature } = await caller.signer.sign(challenge.json.challenge);
    return this.call("POST", "/auth/action", {
      token: caller.token,
      body: {
        challengeIdentifier: challenge.json.challengeIdentifier,
        firstFactor: {
          kind: "Key",
          credentialAssertion: {
            credId: caller.signer.credId,
            clientData: base64url(clientData),
            signature: base64url(signature),
          },
        },
      },
    });
  }

  /** A user action token for one request. */
  async approve(method: string, path: string, payload: string, caller: TestCaller = this.alice): Promise<string> {
    const challenge = await this.init(method, path, payload, caller);
    if (challenge.status !== 200) throw new Error(JSON.stringify(challenge.json));
    const approved = await this.complete(challenge, caller);
    if (approved.status !== 200) throw new Error(JSON.stringify(approved.json));
    return approved.json.userAction;
  }

  /** A POST with its approval. */
  async post(path: string, body: object, caller: TestCaller = this.alice): Promise<Answer> {
    const payload = JSON.stringify(body);
    const userAction = await this.approve("POST", path, payload, caller);
    return this.call("POST", path, { token: caller.token, body: payload, userAction });
  }

  async createKey(scheme: "EdDSA" | "Schnorr" = "EdDSA", caller: TestCaller = this.alice): Promise<Answer> {
    return this.post("/keys", { scheme, curve: scheme === "EdDSA" ? "ed25519" : "secp256k1" }, caller);
  }

  async #caller({ ids: { orgId, principalId, appId }, signer }: TestDeployment): Promise<TestCaller> {
    return { orgId, principalId, appId, signer, token: await makeToken(this.tokenKey, { orgId, principalId }) };
  }

  #material(place: number): TlsMaterial {
    const material = this.#tls[place];
    if (material === undefined) throw new Error("No certificate was issued.");
    return material;
  }
}
