import { type KeyObject, sign as signBytes } from "node:crypto";
import {
  actionDigest,
  apply,
  type Descriptor,
  type Evidence,
  type GenesisIds,
  genesisIds,
  parseDescriptor,
  sessionHeads,
} from "@countersign/authority";
import { base64url, Secret, sha256, utf8 } from "@countersign/bytes";
import { connectMesh, identityBook, NodeIdentity, SimulatedNetwork, seededRng } from "@countersign/mesh";
import { seededKey, testDescriptor } from "@countersign/mesh/testing";
import { type PartyIndex, prepareCurves, type SchnorrPartial } from "@countersign/threshold";
import { type KekProvider, type MemoryStore, memoryStore, Vault } from "@countersign/vault";
import type { CertifiedKey, Session } from "@countersign/wire";
import { generate } from "../generate.ts";
import type { SignerNode } from "../node.ts";
import { sign } from "../sign.ts";

/** The clock's time when a network starts, milliseconds since 1970. */
const EPOCH_MS = 1_767_225_600_000;
/** Virtual time that a session is given. */
const SESSION_MS = 5_000;

/** What an approval says, every part of which a test may replace. */
export type Approved = Omit<Evidence, "assertion">;

/** A signer's parts, in this process. */
export interface TestNode {
  readonly node: SignerNode;
  readonly store: MemoryStore;
  /** What the disk does before a group is durable; a test may hold or fail it. */
  disk: () => Promise<void>;
}

/** Signers with their real code on a virtual clock and bus, without an orchestrator: the test tells each what to do. */
export class TestNetwork {
  readonly network = new SimulatedNetwork({ seed: 1 });
  readonly descriptor: Descriptor;
  readonly ids: GenesisIds;
  readonly nodes = new Map<PartyIndex, TestNode>();
  readonly #credential: KeyObject;
  readonly #random = seededRng("test network");

  private constructor(descriptor: Descriptor, credential: KeyObject) {
    this.descriptor = descriptor;
    this.ids = genesisIds(descriptor);
    this.#credential = credential;
  }

  /** Starts three nodes, two of which sign, and waits until they have channels. */
  static async start(threshold = 2): Promise<TestNetwork> {
    await prepareCurves(seededRng("curves"));
    const credential = seededKey(sha256(utf8("credential")));
    const seeds = [1, 2, 3].map((index) => sha256(utf8(`identity ${index}`)));
    const made = new TestNetwork(
      parseDescriptor(testDescriptor({ deploymentId: "dep-test", threshold, seeds, credential })),
      credential,
    );
    for (const [place, seed] of seeds.entries()) await made.#startNode(place + 1, seed);
    await made.network.clock.advance(1_000);
    return made;
  }

  now = (): number => EPOCH_MS + Math.floor(this.network.clock.now());

  /** The parts of one node. */
  at(party: PartyIndex): TestNode {
    const found = this.nodes.get(party);
    if (found === undefined) throw new Error(`No node ${party}.`);
    return found;
  }

  /** Evidence of the pinned credential, with whatever a test replaces in what was approved. */
  approve(path: string, body: unknown, changes: Partial<Approved> = {}): Evidence {
    const { orgId, principalId, appId, credId } = this.ids;
    const approved: Approved = {
      orgId,
      principalId,
      appId,
      method: "POST",
      path,
      payload: JSON.stringify(body),
      nonce: this.#random(32),
      expiresAtMs: this.now() + 240_000,
      ...changes,
    };
    const challenge = base64url(actionDigest({ ...approved, deploymentId: this.descriptor.deploymentId }));
    const clientData = utf8(JSON.stringify({ type: "key.get", challenge }));
    const signature = new Uint8Array(signBytes(null, clientData, this.#credential));
    return { ...approved, assertion: { kind: "Key", credId, clientData, signature } };
  }

  approveKey(scheme: "EdDSA" | "Schnorr" = "EdDSA"): Evidence {
    return this.approve("/keys", { scheme, curve: scheme === "EdDSA" ? "ed25519" : "secp256k1" });
  }

  approveSignature(keyId: string, changes: Partial<Approved> = {}): Evidence {
    return this.approve(`/keys/${keyId}/signatures`, { kind: "Hash", hash: `0x${"11".repeat(32)}` }, changes);
  }

  /** A fresh session as an honest orchestrator describes it. */
  session(parties: readonly PartyIndex[], changes: Partial<Session> = {}): Session {
    const heads = sessionHeads(apply(this.descriptor), this.ids.orgId);
    return { sessionId: this.#random(32), attempt: 1, parties, ...heads, ...changes };
  }

  limits() {
    return { signal: new AbortController().signal, deadlineMs: SESSION_MS };
  }

  /** Lets all nodes generate a key. */
  async createKey(evidence = this.approveKey()): Promise<CertifiedKey> {
    const session = this.session([1, 2, 3]);
    const runs = [...this.nodes.values()].map(({ node }) => generate(node, evidence, session, this.limits()));
    const [key] = await this.settle(Promise.all(runs));
    if (key === undefined) throw new Error("No node generates.");
    return key;
  }

  /** Lets the parties of a session sign; resolves with how each fared. */
  sign(evidence: Evidence, session: Session): Promise<PromiseSettledResult<readonly SchnorrPartial[]>[]> {
    const runs = session.parties.map((party) => sign(this.at(party).node, evidence, session, this.limits()));
    return this.settle(Promise.allSettled(runs));
  }

  /** Lets virtual time pass until a promise settles. */
  settle<T>(promise: Promise<T>): Promise<T> {
    return this.network.clock.settle(promise, SESSION_MS + 1_000);
  }

  /** Opens a node's vault on what a kill of its process would have left. */
  afterKill(party: PartyIndex, rows: ReadonlyMap<string, Uint8Array>): Promise<Vault> {
    const { deploymentId } = this.descriptor;
    const rng = seededRng("after a kill");
    const store = memoryStore({ rows });
    return Vault.open({ store, kek: plainKek, deploymentId, nodeId: `node-${party}`, now: this.now, rng });
  }

  stop(): void {
    for (const { node } of this.nodes.values()) node.mesh.close();
  }

  async #startNode(index: PartyIndex, seed: Uint8Array): Promise<void> {
    const { descriptor, network, now } = this;
    const { deploymentId } = descriptor;
    const { clock } = network;
    const id = `node-${index}`;
    const rng = seededRng(id);
    const identity = new NodeIdentity(new Secret(seed.slice()));
    const parts: { disk: () => Promise<void> } = { disk: async () => {} };
    const store = memoryStore({ sync: () => parts.disk() });
    const after = (delayMs: number, run: () => void) => clock.setTimer(delayMs, run);
    const vault = await Vault.open({ store, kek: plainKek, deploymentId, nodeId: id, now, rng, after });
    const authority = apply(descriptor);
    const { organisationHead, deploymentHead } = sessionHeads(authority, this.ids.orgId);
    const heads = () => ({ organisation: organisationHead, deployment: deploymentHead });
    const nodes = descriptor.nodes.map((node) => ({ index: node.index, id: node.id, publicKey: node.identityKey }));
    const mesh = await connectMesh({
      deploymentId,
      self: id,
      nodes,
      identity,
      wire: network.wire(id),
      heads,
      clock,
      rng,
    });
    const book = identityBook(deploymentId, nodes);
    const node: SignerNode = { descriptor, authority, self: index, identity, vault, mesh, ...book, now, clock, rng };
    this.nodes.set(index, Object.assign(parts, { node, store }));
  }
}

/** The KEK's strength is tested where it lives. */
const plainKek: KekProvider = {
  kind: "test",
  wrap: async (dataKey) => dataKey.expose().slice(),
  unwrap: async (wrapped) => new Secret(wrapped.slice()),
};
