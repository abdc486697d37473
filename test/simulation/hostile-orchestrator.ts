import { type Evidence, sessionHeads } from "@countersign/authority";
import { hex } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import type { NetworkEvent, SeededRandom } from "@countersign/mesh";
import type { Acknowledgement } from "@countersign/proto/session";
import type { Renunciation, SignResponse } from "@countersign/proto/signer";
import type { SignerClient } from "@countersign/service-orchestrator";
import { evidenceToWire, type Session, sessionToWire } from "@countersign/wire";
import { pick } from "./chaos.ts";
import { askToSign } from "./direct-session.ts";
import type { SimulatedDeployment } from "./simulated-deployment.ts";

/** Longest a signer is given, virtual milliseconds. */
const SESSION_MS_MAX = 1_200;
/** Sessions remembered to come back to. */
const SESSIONS_KEPT = 4;

/** What a signer let out to the adversary. */
export interface Loot {
  readonly party: number;
  readonly evidence: Evidence;
  readonly session: Session;
  readonly answer: SignResponse;
}

type Proof =
  | { readonly case: "certificate"; readonly value: { acknowledgements: Acknowledgement[] } }
  | { readonly case: "renunciations"; readonly value: { renunciations: Renunciation[] } };

/** What one signer is told about one session. */
interface Tale {
  readonly evidence: Evidence;
  readonly session: Session;
}

/**
 * A seeded adversary in the orchestrator's place, with the bus in its hands: it calls the real signers directly, tells each what it
 * likes about a session, comes back to old ones, lets sessions overlap, replays and bends what the bus carried, crashes signers, and
 * keeps whatever comes out.
 */
export class HostileOrchestrator {
  /** Every answer with partials. */
  readonly loot: Loot[] = [];
  /** How often signers refused or failed, by code. */
  readonly codes = new Map<string, number>();
  readonly #deployment: SimulatedDeployment;
  readonly #random: SeededRandom;
  readonly #approvals: readonly Evidence[];
  readonly #creation: Evidence;
  readonly #fresh: { readonly evidence: Evidence; readonly keyId: string };
  /** Generation sessions of the fresh key. */
  readonly #generations: Uint8Array[] = [];
  readonly #promises: Renunciation[] = [];
  readonly #tales: Tale[] = [];
  readonly #running: Promise<void>[] = [];

  constructor(options: {
    readonly deployment: SimulatedDeployment;
    readonly random: SeededRandom;
    /** Genuine approvals of signatures, valid and expired, for several keys. */
    readonly approvals: readonly Evidence[];
    /** The genuine approval of a key that exists. */
    readonly creation: Evidence;
    /** The genuine approval of a key that nobody made yet, with its id. */
    readonly fresh: { readonly evidence: Evidence; readonly keyId: string };
  }) {
    this.#deployment = options.deployment;
    this.#random = options.random;
    this.#approvals = options.approvals;
    this.#creation = options.creation;
    this.#fresh = options.fresh;
  }

  /** Does this many things, a little virtual time apart, and waits for what they started. */
  async act(times: number): Promise<void> {
    const { clock } = this.#deployment.network;
    for (let time = 0; time < times; time++) {
      this.#actOnce();
      await clock.advance(this.#random.next() ** 3 * 80);
    }
    await clock.settle(Promise.all(this.#running), 60_000);
  }

  #actOnce(): void {
    const dice = this.#random.next();
    if (dice < 0.25) this.#runSession(this.#tale());
    else if (dice < 0.55) this.#runTwistedSession();
    else if (dice < 0.65) this.#comeBack();
    else if (dice < 0.8) this.#useBus();
    else if (dice < 0.9) this.#disturbKeys();
    else if (dice < 0.96) this.#crash();
    else this.#jumpClock();
  }

  /** A story that one signer at least could believe. */
  #tale(): Tale {
    const { descriptor } = this.#deployment;
    const evidence = pick(this.#random, this.#approvals);
    const parties = this.#quorum(descriptor.threshold);
    const attempt = 1 + Math.floor(this.#random.next() * 3);
    const heads = sessionHeads(this.#deployment.orchestrator.network.authority, evidence.orgId);
    return { evidence, session: { sessionId: this.#bytes(), attempt, parties, ...heads } };
  }

  #runSession({ evidence, session }: Tale): void {
    for (const party of session.parties) this.#ask(party, { evidence, session });
  }

  /** One session id, but not one story for all; sometimes an id of an earlier session. */
  #runTwistedSession(): void {
    const tale = this.#tale();
    const earlier = this.#random.next() < 0.3 && this.#tales.length > 0 ? pick(this.#random, this.#tales) : tale;
    const session = { ...tale.session, sessionId: earlier.session.sessionId };
    for (const party of this.#parties())
      if (this.#random.next() < 0.8)
        this.#ask(party, this.#random.next() < 0.5 ? { ...tale, session } : this.#twisted({ ...tale, session }));
  }

  #twisted({ evidence, session }: Tale): Tale {
    const { threshold } = this.#deployment.descriptor;
    const other = pick(this.#random, this.#approvals);
    const twists: readonly (() => Tale)[] = [
      () => ({ evidence: other, session }),
      () => ({ evidence: this.#creation, session }),
      () => ({ evidence: { ...evidence, payload: other.payload }, session }),
      () => ({ evidence: { ...evidence, path: other.path, payload: other.payload }, session }),
      () => ({ evidence: { ...evidence, assertion: other.assertion }, session }),
      () => ({ evidence: { ...evidence, assertion: { ...evidence.assertion, signature: this.#bytes(64) } }, session }),
      () => ({ evidence: { ...evidence, nonce: this.#bytes() }, session }),
      () => ({ evidence: { ...evidence, expiresAtMs: evidence.expiresAtMs + 1_000 }, session }),
      () => ({ evidence, session: { ...session, parties: this.#quorum(threshold) } }),
      () => ({
        evidence,
        session: { ...session, parties: this.#quorum(pick(this.#random, [1, threshold - 1, threshold + 1])) },
      }),
      () => ({ evidence, session: { ...session, attempt: pick(this.#random, [0, 1, 2, 3, 4, 1_000]) } }),
      () => ({ evidence, session: { ...session, organisationHead: this.#bytes() } }),
      () => ({ evidence, session: { ...session, deploymentHead: this.#bytes() } }),
    ];
    return pick(this.#random, twists)();
  }

  /** An old request again, to whom it was for or to somebody else. */
  #comeBack(): void {
    if (this.#tales.length === 0) return;
    const tale = pick(this.#random, this.#tales);
    for (const party of this.#parties()) if (this.#random.next() < 0.7) this.#ask(party, tale);
  }

  /** Something that the bus carried, again: as it was, in another session, to another node, or with a bit flipped. */
  #useBus(): void {
    const { network } = this.#deployment;
    const envelopes = network.history.filter(({ subject }) => isOfSession(subject)).slice(-40);
    if (envelopes.length === 0) return;
    const recorded: NetworkEvent = pick(this.#random, envelopes);
    const [prefix, deployment, from, to, session] = recorded.subject.split(".");
    const others = envelopes.map(({ subject }) => subject.split(".")[4]);
    const bent = recorded.bytes.slice();
    const place = Math.floor(this.#random.next() * bent.length);
    bent[place] = (bent[place] ?? 0) ^ 1;
    const [node, otherNode] = this.#quorum(2).map((party) => `node-${party}`);
    const injections: readonly (readonly [string, Uint8Array])[] = [
      [recorded.subject, recorded.bytes],
      [[prefix, deployment, from, to, pick(this.#random, others)].join("."), recorded.bytes],
      [[prefix, deployment, otherNode, node, session].join("."), recorded.bytes],
      [[prefix, deployment, to, from, session].join("."), recorded.bytes],
      [recorded.subject, bent],
    ];
    network.inject(...pick(this.#random, injections));
  }

  /** Makes a mess of the key that nobody made yet, and tries to move one that exists. */
  #disturbKeys(): void {
    const { keyId, evidence } = this.#fresh;
    const existing = this.#approvals[0]?.path.split("/")[2] ?? "";
    const party = pick(this.#random, this.#parties());
    const signer = this.#signer(party);
    const sessionId =
      this.#random.next() < 0.5 ? this.#bytes() : pick(this.#random, [...this.#generations, this.#bytes()]);
    const approval = evidenceToWire(evidence);
    const moves: readonly (() => void)[] = [
      () => this.#generate(evidence, sessionId),
      () => this.#generate(evidence, sessionId),
      () => this.#generate(this.#creation, sessionId),
      () =>
        this.#follow(
          signer.renounce({ keyId: existing, sessionId, evidence: approval }, this.#call()).then(() => undefined),
        ),
      () => {
        const asked = signer.renounce({ keyId, sessionId, evidence: approval }, this.#call());
        this.#follow(asked.then(({ renunciation }) => void (renunciation && this.#promises.push(renunciation))));
      },
      () => this.#settle(signer, keyId, { case: "renunciations", value: { renunciations: this.#somePromises() } }),
      () => this.#follow(this.#collectCertificate(keyId).then((value) => this.#settle(signer, keyId, value))),
    ];
    pick(this.#random, moves)();
  }

  /** One generation session, of which some nodes may hear nothing and others another approval. */
  #generate(evidence: Evidence, sessionId: Uint8Array): void {
    this.#generations.push(sessionId);
    const { session } = this.#tale();
    const described = sessionToWire({ ...session, sessionId, parties: this.#parties() });
    const isHonest = this.#random.next() < 0.6;
    for (const party of this.#parties()) {
      if (!isHonest && this.#random.next() < 0.2) continue;
      const told = !isHonest && this.#random.next() < 0.1 ? this.#creation : evidence;
      const asked = this.#signer(party).generate({ evidence: evidenceToWire(told), session: described }, this.#call());
      this.#follow(asked.then(() => undefined));
    }
  }

  /** Whatever acknowledgements the nodes give away, as if they were one certificate. */
  async #collectCertificate(keyId: string): Promise<Proof> {
    const held = await Promise.all(
      this.#parties().map((party) => this.#signer(party).keyState({ keyId }, this.#call())),
    );
    const acknowledgements = held.flatMap(({ key }, place) =>
      (key?.certificate ?? []).filter(({ party }) => party === place + 1),
    );
    return { case: "certificate", value: { acknowledgements } };
  }

  #settle(signer: SignerClient, keyId: string, proof: Proof): void {
    this.#follow(signer.settle({ keyId, proof }, this.#call()).then(() => undefined));
  }

  /** Promises for one session, as many as are at hand. */
  #somePromises(): Renunciation[] {
    if (this.#promises.length === 0) return [];
    const { sessionId } = pick(this.#random, this.#promises);
    const ofSession = this.#promises.filter((promise) => hex(promise.sessionId) === hex(sessionId));
    return [...new Map(ofSession.map((promise) => [promise.party, promise])).values()];
  }

  #call() {
    return { signal: new AbortController().signal, deadlineMs: SESSION_MS_MAX };
  }

  #crash(): void {
    const { signers, network } = this.#deployment;
    const signer = pick(this.#random, signers);
    signer.crash();
    network.clock.setTimer(this.#random.next() * 150, () => void signer.start().catch(() => signer.crash()));
  }

  #jumpClock(): void {
    pick(this.#random, this.#deployment.signers).skewMs = Math.round((this.#random.next() * 2 - 1) * 400_000);
  }

  #ask(party: number, tale: Tale): void {
    this.#tales.push(tale);
    if (this.#tales.length > SESSIONS_KEPT * this.#parties().length) this.#tales.shift();
    const deadlineMs = Math.ceil(200 + this.#random.next() * (SESSION_MS_MAX - 200));
    const { evidence, session } = tale;
    this.#follow(
      askToSign(this.#signer(party), tale, { deadlineMs }).then((answer) => {
        if (answer.partials.length > 0) this.loot.push({ party, evidence, session, answer });
      }),
    );
  }

  #follow(call: Promise<void>): void {
    const counted = call.catch((error: unknown) => {
      if (!(error instanceof CountersignError)) throw error;
      this.codes.set(error.code, (this.codes.get(error.code) ?? 0) + 1);
    });
    this.#running.push(counted);
  }

  #signer(party: number) {
    const signer = this.#deployment.signers[party - 1];
    if (signer === undefined) throw new Error(`No node ${party}.`);
    return signer.client();
  }

  #parties(): number[] {
    return this.#deployment.descriptor.nodes.map(({ index }) => index);
  }

  #quorum(size: number): number[] {
    const left = this.#parties();
    while (left.length > size) left.splice(Math.floor(this.#random.next() * left.length), 1);
    return left;
  }

  #bytes(length = 32): Uint8Array {
    return Uint8Array.from({ length }, () => Math.floor(this.#random.next() * 256));
  }
}

function isOfSession(subject: string): boolean {
  return /\.[0-9a-f]{64}$/.test(subject);
}
