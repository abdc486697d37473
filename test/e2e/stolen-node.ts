import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { decodeHex, decodeUtf8, Secret } from "@countersign/bytes";
import { connectMesh, connectNats, type Mesh, NodeIdentity } from "@countersign/mesh";
import {
  type KeyShare,
  type SchnorrItem,
  type SchnorrPartial,
  schnorrRounds,
  signSchnorr,
} from "@countersign/threshold";
import type { CertifiedKey, Session } from "@countersign/wire";
import { PATIENCE_MS } from "./insider.ts";
import { withVaultOf } from "./node-vault.ts";
import type { RealNetwork } from "./real-network.ts";
import { until } from "./until.ts";

/** One whole node in a thief's hands: its identity, its place on the bus and its share of a key. The node itself is dead. */
export class StolenNode implements AsyncDisposable {
  readonly party: number;
  readonly #mesh: Mesh;
  readonly #share: KeyShare;
  readonly #identity: NodeIdentity;
  readonly #close: () => Promise<void>;

  private constructor(parts: {
    party: number;
    mesh: Mesh;
    share: KeyShare;
    identity: NodeIdentity;
    close: () => Promise<void>;
  }) {
    this.party = parts.party;
    this.#mesh = parts.mesh;
    this.#share = parts.share;
    this.#identity = parts.identity;
    this.#close = parts.close;
  }

  /** Kills a node and takes its place, with its files and its share of the key. */
  static async take(network: RealNetwork, party: number, key: CertifiedKey): Promise<StolenNode> {
    const { id } = network.node(party);
    const { deploymentId, hash, nodes } = network.descriptor;
    await network.kill(id);
    const secret = await withVaultOf(network, party, async (vault) => (await vault.openKey(key.package.keyId)).secret);
    const seed = decodeHex(decodeUtf8(network.read("nodes", id, "identity.seed")).trim());
    const identity = new NodeIdentity(new Secret(seed));
    const wire = await connectNats({
      servers: [`nats://${network.addressOf("nats")}`],
      seed: new Secret(network.read("nodes", id, "nats.seed")),
      name: id,
      signal: AbortSignal.timeout(10_000),
    });
    const mesh = await connectMesh({
      deploymentId,
      self: id,
      nodes: nodes.map(({ index, id, identityKey }) => ({ index, id, publicKey: identityKey })),
      identity,
      wire,
      heads: () => ({ organisation: hash, deployment: hash }),
    });
    const close = async () => {
      mesh.close();
      await wire.close();
    };
    await until("the honest nodes take the thief for the node", () => mesh.peers().every(({ present }) => present));
    return new StolenNode({ party, mesh, share: { public: key.package, index: party, secret }, identity, close });
  }

  /** Takes part in a session as the protocol says, but for any message and under any digest. */
  async sign(session: Session, sessionDigest: Uint8Array, item: SchnorrItem): Promise<SchnorrPartial> {
    const delivery = this.#open(session, sessionDigest);
    try {
      const options = { share: this.#share, items: [item], sessionDigest, identity: this.#identity };
      const [partial] = await signSchnorr(delivery, { ...options, rng: (size) => new Uint8Array(randomBytes(size)) });
      assert.ok(partial !== undefined);
      return partial;
    } finally {
      delivery.close();
    }
  }

  /** Sends these commitments and no more, as soon as `then` says so; the session stays open until `over`. */
  async commit(
    session: Session,
    sessionDigest: Uint8Array,
    choose: (heard: () => Promise<Uint8Array[]>) => Promise<readonly Uint8Array[]>,
    over: Promise<unknown>,
  ): Promise<void> {
    const delivery = this.#open(session, sessionDigest);
    try {
      const heard = async () => [...(await delivery.complete("commit")).values()].map(({ body }) => body);
      for (const body of await choose(heard)) await delivery.send("commit", "all", body);
      await over;
    } finally {
      delivery.close();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }

  #open({ sessionId, parties }: Session, sessionDigest: Uint8Array) {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    return this.#mesh.openSession({ sessionId, sessionDigest, parties, rounds: schnorrRounds(1), signal });
  }
}
