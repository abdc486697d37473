import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type ActionFields, actionDigest, type Evidence, evidenceHash } from "@countersign/authority";
import { decodePrefixedHex, hex } from "@countersign/bytes";
import { CountersignError, type ErrorKind } from "@countersign/errors";
import { identityBook } from "@countersign/mesh";
import { approve } from "@countersign/sdk";
import {
  combineSchnorr,
  prepareCurves,
  type SchnorrItem,
  type SchnorrPartial,
  sessionDigest,
} from "@countersign/threshold";
import {
  type CertifiedKey,
  evidenceToWire,
  keyFromWire,
  partialFromWire,
  type Session,
  sessionToWire,
} from "@countersign/wire";
import { verifiesEd25519, verifiesTaproot } from "./foreign-verifiers.ts";
import type { RealNetwork } from "./real-network.ts";

/** A healthy session takes milliseconds; what is meant to fail by silence costs this much. */
export const SILENCE_MS = 1_500;
/** What is meant to end well ends long before this, also on a busy machine. */
export const PATIENCE_MS = 10_000;
const CREATE_MS = 30_000;

/** A partial signature as it came out of a signer, with what the signer had been told. */
export interface Release {
  readonly party: number;
  readonly evidence: Evidence;
  readonly session: Session;
  readonly partial: SchnorrPartial;
}

/** What a signer answered: partials, or the code of its refusal or failure. */
export type Answer =
  | { readonly kind: "released" }
  | { readonly kind: "failed"; readonly code: string; readonly error: ErrorKind };

/**
 * A hostile orchestrator: it calls signers directly with the orchestrator's own certificate, tells each what it likes, and keeps
 * everything that ever comes out.
 */
export class Insider {
  readonly network: RealNetwork;
  /** Every partial that a signer released to this orchestrator. */
  readonly releases: Release[] = [];
  /** Sessions that a signer took up, whatever became of them: party and session id in hex. */
  readonly taken = new Set<string>();
  readonly #keys = new Map<string, CertifiedKey>();
  readonly #book: ReturnType<typeof identityBook>;

  private constructor(network: RealNetwork) {
    this.network = network;
    const { deploymentId, nodes } = network.descriptor;
    this.#book = identityBook(
      deploymentId,
      nodes.map(({ index, identityKey }) => ({ index, publicKey: identityKey })),
    );
  }

  static async of(network: RealNetwork): Promise<Insider> {
    await prepareCurves((size) => new Uint8Array(randomBytes(size)));
    return new Insider(network);
  }

  get parties(): readonly number[] {
    return this.network.descriptor.nodes.map(({ index }) => index);
  }

  /** Has a key created in the ordinary way and remembers it. */
  async createKey(scheme: "EdDSA" | "Schnorr"): Promise<{ key: CertifiedKey; evidence: Evidence }> {
    const curve = scheme === "EdDSA" ? "ed25519" : "secp256k1";
    const evidence = await this.network.approve("POST", "/keys", { scheme, curve });
    const answer = await this.network
      .orchestratorClient()
      .createKey({ evidence: evidenceToWire(evidence) }, { deadlineMs: CREATE_MS });
    const key = keyFromWire(answer.key, this.parties.length);
    this.remember(key);
    return { key, evidence };
  }

  /** Makes a key known whose releases are to be combined. */
  remember(key: CertifiedKey): void {
    this.#keys.set(key.package.keyId, key);
  }

  /** The administrator's approval of a signature over 32 bytes that all are `byte`; `changes` bend what is approved. */
  approveHash(key: CertifiedKey, byte: number, changes: Partial<ActionFields> = {}): Promise<Evidence> {
    const { orgId, principalId, appId } = this.network.ids;
    const { deploymentId } = this.network.descriptor;
    const payload = JSON.stringify({ kind: "Hash", hash: `0x${hex(new Uint8Array(32).fill(byte))}` });
    const path = `/keys/${key.package.keyId}/signatures`;
    const fields = { deploymentId, orgId, principalId, appId, method: "POST", path, payload, ...changes };
    return approve(fields, this.network.signer);
  }

  /** A session with a fresh id and true heads, as `changes` bend it. */
  session(parties: readonly number[], changes: Partial<Session> = {}): Session {
    const { hash } = this.network.descriptor;
    const sessionId = new Uint8Array(randomBytes(32));
    return { sessionId, attempt: 1, parties, organisationHead: hash, deploymentHead: hash, ...changes };
  }

  /** Asks one signer to sign. Whatever it releases is kept. */
  async sign(
    party: number,
    evidence: Evidence,
    session: Session,
    options: { readonly deadlineMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<Answer> {
    const { deadlineMs = PATIENCE_MS } = options;
    const request = { evidence: evidenceToWire(evidence), session: sessionToWire(session) };
    const answer = await answerOf(async () => {
      const { partials } = await this.network.signerClient(party).sign(request, { ...options, deadlineMs });
      assert.equal(partials.length, 1, "one message was approved");
      for (const partial of partials)
        this.releases.push({ party, evidence, session, partial: partialFromWire(partial) });
    });
    if (answer.kind === "released" || answer.error !== "refusal") this.taken.add(`${party} ${hex(session.sessionId)}`);
    return answer;
  }

  /** Asks one signer to take part in generating a key. */
  generate(party: number, evidence: Evidence, session: Session, deadlineMs = SILENCE_MS): Promise<Answer> {
    const request = { evidence: evidenceToWire(evidence), session: sessionToWire(session) };
    return answerOf(() => this.network.signerClient(party).generate(request, { deadlineMs }));
  }

  /** Tells all parties of a session the same. */
  signTogether(evidence: Evidence, session: Session, deadlineMs = PATIENCE_MS): Promise<Answer[]> {
    return Promise.all(session.parties.map((party) => this.sign(party, evidence, session, { deadlineMs })));
  }

  /** An honest session with this quorum, whose signature is judged by verifiers that are not ours. */
  async signsWith(key: CertifiedKey, parties: readonly number[], deadlineMs = PATIENCE_MS): Promise<void> {
    const evidence = await this.approveHash(key, 0x77);
    const session = this.session(parties);
    assert.deepEqual(
      await this.signTogether(evidence, session, deadlineMs),
      parties.map(() => ({ kind: "released" })),
    );
    const mine = this.releases.filter((release) => release.session === session);
    assert.ok(this.combine(mine) !== undefined, `quorum ${parties.join(", ")} signs`);
  }

  /** Keys that each node holds. */
  async keyCounts(): Promise<number[]> {
    const states = await Promise.all(this.parties.map((party) => this.network.signerClient(party).status({})));
    return states.map(({ keys }) => keys);
  }

  /** The key that a release is of. */
  keyOf({ evidence }: Pick<Release, "evidence">): CertifiedKey {
    const [, , keyId = ""] = evidence.path.split("/");
    const key = this.#keys.get(keyId);
    assert.ok(key !== undefined, "a release is of a key that was created here");
    return key;
  }

  /** C of evidence, in hex. */
  cOf(evidence: Evidence): string {
    return hex(actionDigest({ ...evidence, deploymentId: this.network.descriptor.deploymentId }));
  }

  /** What an approval of kind `Hash` signs, read from the approved body by the test itself. */
  itemOf(evidence: Evidence): SchnorrItem {
    const body: { readonly hash: string } = JSON.parse(evidence.payload);
    const message = decodePrefixedHex(body.hash, "hash");
    const { suite } = this.keyOf({ evidence }).package;
    return suite === "FROST-ED25519-SHA512-v1" ? { message } : { message, taprootMerkleRoot: new Uint8Array(0) };
  }

  /** What all parties of a session must hold for it to come to anything. */
  digestOf(evidence: Evidence, session: Session): Uint8Array {
    const { keyId, epoch } = this.keyOf({ evidence }).package;
    const { deploymentId } = this.network.descriptor;
    return sessionDigest({
      ...session,
      purpose: "sign",
      deploymentId,
      keyId,
      epoch,
      evidenceHash: evidenceHash(evidence),
    });
  }

  /**
   * Tries to make a signature from releases, one per party of the first one's session, under the first one's view; undefined when
   * nothing valid comes of it. What does is judged by verifiers that are not ours. `item` is what the signature shall be on; default:
   * what the first one's approval signs.
   */
  combine(releases: readonly Release[], item?: SchnorrItem): Uint8Array | undefined {
    const [first] = releases;
    assert.ok(first !== undefined);
    const { evidence, session } = first;
    const key = this.keyOf(first);
    const wanted = item ?? this.itemOf(evidence);
    try {
      const { r, s } = combineSchnorr({
        publicKey: key.package,
        item: wanted,
        itemIndex: 0,
        sessionId: session.sessionId,
        sessionDigest: this.digestOf(evidence, session),
        parties: session.parties,
        partials: new Map(releases.map(({ party, partial }) => [party, partial])),
        ...this.#book,
      });
      const signature = new Uint8Array(Buffer.concat([r, s]));
      assert.ok(isForeignlyValid(key, wanted, signature), "what combines is a signature");
      return signature;
    } catch (error) {
      if (error instanceof CountersignError) return undefined;
      throw error;
    }
  }

  /** The releases of each session that went to its whole quorum. */
  wholeSessions(): Release[][] {
    const bySession = Map.groupBy(this.releases, ({ session }) => session);
    return [...bySession.values()].filter((found) => found.length === found[0]?.session.parties.length);
  }
}

/** Whether verifiers that are not ours accept a signature on what an approval signs. */
export function isForeignlyValid(key: CertifiedKey, item: SchnorrItem, signature: Uint8Array): boolean {
  const [internal] = key.package.commitments;
  assert.ok(internal !== undefined);
  return key.package.suite === "FROST-ED25519-SHA512-v1"
    ? verifiesEd25519(internal, item.message, signature)
    : verifiesTaproot(internal, item.taprootMerkleRoot ?? new Uint8Array(0), item.message, signature);
}

/** Runs a call to its answer; anything but a typed error is a failure of the test. */
export async function answerOf(call: () => Promise<unknown>): Promise<Answer> {
  try {
    await call();
    return { kind: "released" };
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error;
    return { kind: "failed", code: error.code, error: error.kind };
  }
}

/** Every quorum of 2 of 3 nodes. */
export const QUORUMS: readonly (readonly [number, number])[] = [
  [1, 2],
  [1, 3],
  [2, 3],
];
