import { type KeyObject, sign as signBytes } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import {
  actionDigest,
  apply,
  authorize,
  type Descriptor,
  type Evidence,
  evidenceHash,
  genesisIds,
  parseDescriptor,
} from "@countersign/authority";
import { base64url, hex, Secret, sha256, utf8 } from "@countersign/bytes";
import { CountersignError, type ErrorDetails, type ErrorKind } from "@countersign/errors";
import { interpret } from "@countersign/intent";
import { identityBook, inProcessDeliveries, NodeIdentity, seededRng, VirtualClock } from "@countersign/mesh";
import { seededKey, testDescriptor } from "@countersign/mesh/testing";
import {
  GenerateResponseSchema,
  KeyStateResponseSchema,
  RenounceResponseSchema,
  SignResponseSchema,
  KeyStateResponse_State as State,
  StatusResponseSchema,
} from "@countersign/proto/signer";
import {
  type Acknowledgement,
  type Delivery,
  generateKey,
  type KeyShare,
  keygenRounds,
  keygenSessionDigest,
  type PartyIndex,
  prepareCurves,
  renunciationStatement,
  schnorrRounds,
  sessionDigest,
  signSchnorr,
} from "@countersign/threshold";
import {
  type CertifiedKey,
  evidenceFromWire,
  keyToWire,
  partialToWire,
  type Session,
  sessionFromWire,
} from "@countersign/wire";
import { memoryCoordination } from "../coordination/memory.ts";
import { InFlight } from "../in-flight.ts";
import type { Network, SignerClient } from "../network.ts";
import { candidatesOf } from "../open-network.ts";

const DEPLOYMENT_ID = "dep-test";
/** The clock's time at the start, milliseconds since 1970. */
const EPOCH_MS = 1_767_225_600_000;
/** Longest virtual wait for one call. */
const SETTLE_MS = 120_000;

/** What a node holds of a key. */
export interface Held {
  readonly share: KeyShare;
  readonly sessionId: Uint8Array;
  state: "staged" | "active";
  certificate: readonly Acknowledgement[];
}

/** An error as a signer's answer carries it. */
export function remote(code: string, kind: ErrorKind = "outage", details: ErrorDetails = {}): CountersignError {
  return new CountersignError(code, { kind, http: 500, grpc: "INTERNAL", meaning: "" }, `as the test wants: ${code}`, {
    details,
  });
}

/**
 * The nodes as an orchestrator meets them: real shares, identities and protocol functions, no checks and no disk. What a test does
 * not replace, they do right; what they should refuse is tested where signers live.
 */
export class TestSigners {
  readonly clock = new VirtualClock();
  readonly descriptor: Descriptor;
  readonly network: Network;
  /** Nodes that presence does not show. */
  readonly away = new Set<PartyIndex>();
  /** Calls in the order they arrived: `sign 1`. */
  readonly calls: string[] = [];
  /** Sessions that signers were asked for. */
  readonly sessions: Session[] = [];
  /** Replaces one node's answers. */
  readonly behaviour = new Map<PartyIndex, Partial<SignerClient>>();
  /** What each node holds, by key id. */
  readonly held = new Map<PartyIndex, Map<string, Held>>();
  readonly inFlight = new InFlight();
  readonly #credential: KeyObject;
  readonly #identities: ReadonlyMap<PartyIndex, NodeIdentity>;
  readonly #deliveries = new Map<string, ReadonlyMap<PartyIndex, Delivery>>();
  readonly #generations = new Map<string, { asked: number } & PromiseWithResolvers<CertifiedKey>>();
  readonly #rng = seededRng("test signers");

  private constructor(descriptor: Descriptor, credential: KeyObject, seeds: readonly Uint8Array[]) {
    this.descriptor = descriptor;
    this.#credential = credential;
    this.#identities = new Map(seeds.map((seed, place) => [place + 1, new NodeIdentity(new Secret(seed.slice()))]));
    for (const index of this.#identities.keys()) this.held.set(index, new Map());
    const nodes = descriptor.nodes.map(({ index, identityKey }) => ({ index, publicKey: identityKey }));
    const peers = () =>
      descriptor.nodes.map(({ index, id }) => ({
        index,
        nodeId: id,
        present: !this.away.has(index),
        roundTripUs: index * 1_000,
      }));
    this.network = {
      descriptor,
      authority: apply(descriptor),
      signers: new Map(descriptor.nodes.map(({ index }) => [index, this.#client(index)])),
      candidates: () => candidatesOf(descriptor, { peers } as never, this.inFlight),
      countSession: (parties) => this.inFlight.start(parties),
      ...identityBook(DEPLOYMENT_ID, nodes),
      coordination: memoryCoordination(() => this.clock.now()),
      now: this.now,
      clock: this.clock,
      rng: this.#rng,
    };
  }

  static async start(nodes = 3, threshold = 2): Promise<TestSigners> {
    await prepareCurves(seededRng("curves"));
    const credential = seededKey(sha256(utf8("credential")));
    const seeds = Array.from({ length: nodes }, (_, place) => sha256(utf8(`identity ${place + 1}`)));
    return new TestSigners(
      parseDescriptor(testDescriptor({ deploymentId: DEPLOYMENT_ID, threshold, seeds, credential })),
      credential,
      seeds,
    );
  }

  now = (): number => EPOCH_MS + Math.floor(this.clock.now());

  /** Lets virtual time pass until a promise settles. */
  settle<T>(promise: Promise<T>): Promise<T> {
    return this.clock.settle(promise, SETTLE_MS);
  }

  /** Evidence of the pinned credential. */
  approve(path: string, body: unknown, changes: { readonly expiresAtMs?: number } = {}): Evidence {
    const { orgId, principalId, appId, credId } = genesisIds(this.descriptor);
    const approved = {
      orgId,
      principalId,
      appId,
      method: "POST",
      path,
      payload: JSON.stringify(body),
      nonce: this.#rng(32),
      expiresAtMs: this.now() + 240_000,
      ...changes,
    };
    const challenge = base64url(actionDigest({ ...approved, deploymentId: DEPLOYMENT_ID }));
    const clientData = utf8(JSON.stringify({ type: "key.get", challenge }));
    const signature = new Uint8Array(signBytes(null, clientData, this.#credential));
    return { ...approved, assertion: { kind: "Key", credId, clientData, signature } };
  }

  approveKey(): Evidence {
    return this.approve("/keys", { scheme: "EdDSA", curve: "ed25519" });
  }

  approveSignature(keyId: string): Evidence {
    return this.approve(`/keys/${keyId}/signatures`, { kind: "Message", message: "0x68656c6c6f" });
  }

  /** Lets all nodes make a key and hold it in a state; gives its public part with all acknowledgements. */
  async makeKey(keyId = "key-aaaaa-aaaaa-aaaaaaaaaaaaaaaa", state: Held["state"] = "active"): Promise<CertifiedKey> {
    const sessionId = this.#rng(32);
    const { threshold, nodes } = this.descriptor;
    const members = nodes.map(({ index, identityKey }) => ({ index, identityKey }));
    const suite = "FROST-ED25519-SHA512-v1" as const;
    const terms = { deploymentId: DEPLOYMENT_ID, suite, keyId, epoch: 0, threshold, sessionId, members };
    const digest = keygenSessionDigest(terms);
    const signal = new AbortController().signal;
    const rounds = keygenRounds(nodes.length, threshold);
    const identities = this.#identities;
    const session = { deploymentId: DEPLOYMENT_ID, sessionId, sessionDigest: digest, rounds, identities, signal };
    const deliveries = inProcessDeliveries(session);
    const { openSignedMessage, verifyIdentity } = this.network;
    const made = await Promise.all(
      [...identities].map(([index, identity]) => {
        const delivery = deliveries.get(index);
        if (delivery === undefined) throw new Error(`No delivery ${index}.`);
        const options = {
          ...terms,
          identity,
          openSignedMessage,
          verifyIdentity,
          rng: this.#rng,
          stage: async () => {},
        };
        return generateKey(delivery, options);
      }),
    );
    const [first] = made;
    if (first === undefined) throw new Error("No nodes.");
    const { certificate } = first;
    for (const { share } of made) {
      const own = certificate.filter(({ party }) => party === share.index);
      const held: Held = { share, sessionId, state, certificate: state === "active" ? certificate : own };
      this.held.get(share.index)?.set(keyId, held);
    }
    return { package: first.share.public, certificate };
  }

  #client(index: PartyIndex): SignerClient {
    const right: SignerClient = {
      generate: async ({ evidence, session }, { signal }) => {
        const approved = evidenceFromWire(evidence as never);
        const { intent } = authorize(approved, this.network.authority, { now: this.now() });
        if (intent.kind !== "create-key") throw new Error("Not a new key.");
        const { sessionId } = sessionFromWire(session as never);
        return create(GenerateResponseSchema, {
          key: keyToWire(await this.#generate(sessionId, intent.keyId, signal)),
        });
      },
      sign: async ({ evidence, session }, { signal }) =>
        this.#sign(index, evidenceFromWire(evidence as never), sessionFromWire(session as never), signal),
      keyState: async ({ keyId = "" }) => this.#stateOf(index, keyId),
      settle: async ({ keyId = "", proof }) => {
        const own = this.held.get(index)?.get(keyId);
        if (own !== undefined && proof?.case === "certificate") {
          own.state = "active";
          own.certificate = (proof.value.acknowledgements ?? []) as never;
        } else if (own?.state === "staged") this.held.get(index)?.delete(keyId);
        return this.#stateOf(index, keyId);
      },
      renounce: async ({ keyId = "", sessionId = new Uint8Array(32), evidence }) => {
        const { intent } = authorize(evidenceFromWire(evidence as never), this.network.authority, { now: this.now() });
        if (intent.keyId !== keyId) throw remote("intent_mismatch", "refusal");
        if (this.held.get(index)?.has(keyId)) throw remote("share_staged", "refusal");
        const statement = renunciationStatement(DEPLOYMENT_ID, keyId, sessionId);
        const signature = this.#identities.get(index)?.sign(statement) ?? new Uint8Array(64);
        return create(RenounceResponseSchema, { renunciation: { party: index, sessionId, signature } });
      },
      status: async () => create(StatusResponseSchema, {}),
    };
    const called = <K extends keyof SignerClient>(method: K): SignerClient[K] =>
      ((request: never, options: never) => {
        this.calls.push(`${method} ${index}`);
        const answer: (request: never, options: never) => unknown =
          this.behaviour.get(index)?.[method] ?? right[method];
        return answer(request, options);
      }) as SignerClient[K];
    return {
      generate: called("generate"),
      sign: called("sign"),
      keyState: called("keyState"),
      settle: called("settle"),
      renounce: called("renounce"),
      status: called("status"),
    };
  }

  /** Makes the key once every node was asked for the session, as the protocol needs all of them. */
  #generate(sessionId: Uint8Array, keyId: string, signal: AbortSignal): Promise<CertifiedKey> {
    const name = hex(sessionId);
    const session = this.#generations.get(name) ?? { asked: 0, ...Promise.withResolvers<CertifiedKey>() };
    this.#generations.set(name, session);
    signal.addEventListener("abort", () => session.reject(remote("rpc_cancelled")), { once: true });
    if (++session.asked === this.descriptor.nodes.length) this.makeKey(keyId).then(session.resolve, session.reject);
    return session.promise;
  }

  #stateOf(index: PartyIndex, keyId: string) {
    const own = this.held.get(index)?.get(keyId);
    if (own === undefined) return create(KeyStateResponseSchema, { state: State.ABSENT });
    const { share, sessionId, certificate, state } = own;
    const key = keyToWire({ package: share.public, certificate });
    return create(KeyStateResponseSchema, { state: state === "active" ? State.ACTIVE : State.STAGED, sessionId, key });
  }

  async #sign(index: PartyIndex, evidence: Evidence, session: Session, signal: AbortSignal) {
    this.sessions.push(session);
    const { intent } = authorize(evidence, this.network.authority, { now: this.now() });
    if (intent.kind !== "sign") throw new Error("Not a signature.");
    const share = this.held.get(index)?.get(intent.keyId)?.share;
    const identity = this.#identities.get(index);
    if (share === undefined || identity === undefined) throw remote("share_not_here", "refusal");
    const { keyId, suite, epoch } = share.public;
    const items = interpret(intent, { keyId, suite, purpose: "wallet" });
    const digest = sessionDigest({
      ...session,
      purpose: "sign",
      deploymentId: DEPLOYMENT_ID,
      keyId,
      epoch,
      evidenceHash: evidenceHash(evidence),
    });
    const delivery = this.#deliveriesOf(session, { digest, items: items.length, signal }).get(index);
    if (delivery === undefined) throw new Error(`Party ${index} is not in the session.`);
    const partials = await signSchnorr(delivery, { share, items, sessionDigest: digest, identity, rng: this.#rng });
    return create(SignResponseSchema, { partials: partials.map(partialToWire) });
  }

  #deliveriesOf(
    { sessionId, parties }: Session,
    { digest, items, signal }: { readonly digest: Uint8Array; readonly items: number; readonly signal: AbortSignal },
  ): ReadonlyMap<PartyIndex, Delivery> {
    const known = this.#deliveries.get(hex(sessionId));
    if (known !== undefined) return known;
    const made = inProcessDeliveries({
      deploymentId: DEPLOYMENT_ID,
      sessionId,
      sessionDigest: digest,
      rounds: schnorrRounds(items),
      identities: new Map([...this.#identities].filter(([index]) => parties.includes(index))),
      signal,
    });
    this.#deliveries.set(hex(sessionId), made);
    return made;
  }
}
