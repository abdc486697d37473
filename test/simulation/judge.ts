import { createHash } from "node:crypto";
import type { Evidence } from "@countersign/authority";
import type { SignRequest } from "@countersign/proto/signer";
import type { Signed } from "@countersign/service-orchestrator";
import type { AuditEntry } from "@countersign/vault";
import type { CertifiedKey } from "@countersign/wire";
import {
  isSharedBy,
  isShareIn,
  isSignatureOn,
  type NoncePair,
  noncePair,
  type Package,
  packageOf,
  type Statement,
} from "./frost-arithmetic.ts";
import type { Departure, Release, Witness } from "./witness.ts";

/** What a credential approved, as the judge reads it. */
interface Approval {
  readonly expiresAtMs: number;
  readonly asks:
    | { readonly kind: "create" }
    | { readonly kind: "sign"; readonly keyId: string; readonly message: Uint8Array; readonly merkleRoot: Uint8Array };
}

/** A session in which a party committed to nonces, so that it had accepted it. */
interface Committed {
  readonly party: number;
  readonly session: string;
  readonly body: Uint8Array;
  readonly entriesOnDisk: number;
  /** Hash of the package that the party signed in, once it released its share. */
  packageHash?: string;
}

/** What one node holds at the end of a history. */
export interface NodeRecords {
  readonly party: number;
  readonly entries: readonly AuditEntry[];
  /** Active keys by id: the public part as the node stores it, and its share. */
  readonly keys: ReadonlyMap<
    string,
    { readonly c: Uint8Array; readonly publicPart: Uint8Array; readonly share: Uint8Array }
  >;
}

/**
 * Judges a history by the invariants of the drills, with arithmetic that is not the network's. It is told every approval, sees every
 * nonce commitment and every partial at the signer that lets it out, and reads what the nodes hold in the end. Violations are
 * collected, because a witness must not disturb what it sees, and thrown by `conclude`.
 */
export class Judge {
  readonly #terms: { readonly deploymentId: string; readonly threshold: number; readonly attemptsMax: number };
  readonly #approvals = new Map<string, Approval>();
  readonly #keys = new Map<string, CertifiedKey>();
  readonly #points = new Map<string, string>();
  readonly #committed = new Map<string, Committed>();
  readonly #packages = new Map<string, Package>();
  readonly #violations: string[] = [];
  #releases = 0;

  constructor(terms: { readonly deploymentId: string; readonly threshold: number; readonly attemptsMax: number }) {
    this.#terms = terms;
  }

  /** How many partials left signers. */
  get releases(): number {
    return this.#releases;
  }

  /** Sessions in which a party committed to nonces. */
  get commitments(): number {
    return this.#committed.size;
  }

  /** Is told what the credential approved, at the moment it does. */
  approved(evidence: Evidence): void {
    this.#approvals.set(this.#digest(evidence), readApproval(evidence));
  }

  /** A witness of one party's signer. */
  witness(party: number): Witness {
    return {
      sent: (departure) => this.#sent(party, departure),
      released: (release) => this.#released(party, release),
    };
  }

  /** Notes a key that a caller was given: one approval makes one key (I4). */
  created(evidence: Evidence, key: CertifiedKey): void {
    const approval = this.#approvals.get(this.#digest(evidence));
    this.#require(approval?.asks.kind === "create", "A key was created without an approval (I3).");
    const { keyId } = key.package;
    const before = this.#keys.get(keyId);
    const isSame = before === undefined || encoded(before) === encoded(key);
    this.#require(isSame, `One approval made two keys ${keyId} (I4).`);
    this.#keys.set(keyId, key);
  }

  /** Judges a signature that a caller was given: I1 and I3. */
  returned(evidence: Evidence, { signatures }: Pick<Signed, "signatures">): void {
    const asked = this.#statement(evidence);
    const [signature] = signatures;
    if (asked === undefined) this.#violated("A signature was returned without an approval (I3).");
    else if (signatures.length !== 1 || signature === undefined)
      this.#violated(`One message was approved and ${signatures.length} signatures returned (I1).`);
    else {
      const bytes = new Uint8Array(Buffer.concat([signature.r, signature.s]));
      this.#require(isSignatureOn(asked, bytes), "A returned signature is not on the approved message (I1).");
    }
  }

  /** Judges what the nodes hold, and throws the first violation of the history. */
  conclude(nodes: readonly NodeRecords[]): void {
    this.#judgeAudit(nodes);
    this.#judgePackages();
    this.#judgeKeys(nodes);
    const [first] = this.#violations;
    if (first !== undefined) throw new Error(`${first} (${this.#violations.length} violations in all)`);
  }

  #sent(party: number, { session, round, body, entriesOnDisk }: Departure): void {
    // Key generation has a round of that name too; only it has reveals.
    if (round !== "commit" || "reveal" in session.rounds) return;
    const name = hex(session.sessionId);
    const place = `${party} ${name}`;
    this.#require(!this.#committed.has(place), `Party ${party} took part in session ${name} twice (I2).`);
    this.#committed.set(place, { party, session: name, body, entriesOnDisk });
    const size = (body.length - 2) / 2;
    for (const point of [body.subarray(2, 2 + size), body.subarray(2 + size)]) {
      const nonce = `${party} ${hex(point)}`;
      const before = this.#points.get(nonce);
      this.#require(before === undefined, `Party ${party} used a nonce in sessions ${before} and ${name} (I2).`);
      this.#points.set(nonce, name);
    }
  }

  #released(party: number, { request, answer, askedAt }: Release): void {
    this.#releases++;
    const name = hex(request.session?.sessionId ?? new Uint8Array(0));
    const parties = request.session?.parties ?? [];
    const statement = this.#approvedRequest(party, request, askedAt);
    const own = this.#committed.get(`${party} ${name}`);
    const [partial] = answer.partials;
    if (answer.partials.length !== 1 || partial?.scheme.case !== "schnorr") {
      this.#violated(`Party ${party} released ${answer.partials.length} partials of whatever scheme.`);
    } else if (own === undefined) {
      this.#violated(`Party ${party} released a share it never committed to (I2).`);
    } else {
      const { commitments, packageHash, z } = partial.scheme.value;
      this.#require(own.packageHash === undefined, `Party ${party} answered session ${name} twice (I2).`);
      own.packageHash = hex(packageHash);
      if (statement === undefined) return;
      const { scheme } = statement;
      const bodies = commitments.map(({ body }) => body);
      const list = parties.map((other, place) => noncePair(scheme, other, bodies[place] ?? new Uint8Array(0)));
      const isOwn = list.some(({ party: of, D, E }) => of === party && hex(D) + hex(E) === hex(own.body.subarray(2)));
      this.#require(isOwn, `Party ${party} released a share with other nonces than it committed to (I2).`);
      const isOn = isShareIn(this.#package(statement, list), party, z);
      this.#require(isOn, `Party ${party} released a share that is not on the approved message (I3).`);
    }
  }

  /** Parties of one session sign in the same package: forming it costs more than a share. */
  #package(statement: Statement, list: readonly NoncePair[]): Package {
    const name = [hex(statement.message), hex(statement.merkleRoot), ...list.map(({ D, E }) => hex(D) + hex(E))].join();
    const known = this.#packages.get(name) ?? packageOf(statement, list);
    this.#packages.set(name, known);
    return known;
  }

  /** What the request's evidence approves; a violation when it approves nothing or no longer did on the signer's own clock. */
  #approvedRequest(party: number, { evidence }: SignRequest, askedAt: number): Statement | undefined {
    const statement =
      evidence === undefined ? undefined : this.#statement({ ...evidence, expiresAtMs: Number(evidence.expiresAtMs) });
    if (statement === undefined) this.#violated(`Party ${party} released a partial that nobody approved (I3).`);
    else
      this.#require(
        askedAt <= Number(evidence?.expiresAtMs),
        `Party ${party} released a partial for an approval that had expired on its clock (I3).`,
      );
    return statement;
  }

  #statement(evidence: Omit<Evidence, "assertion">): Statement | undefined {
    const asks = this.#approvals.get(this.#digest(evidence))?.asks;
    if (asks?.kind !== "sign") return undefined;
    const key = this.#keys.get(asks.keyId);
    if (key === undefined) return undefined;
    const { message, merkleRoot } = asks;
    return { scheme: schemeOf(key), polynomial: key.package.commitments, message, merkleRoot };
  }

  /** I7 and the attempt cap: behind every commitment is an older, durable entry that names session and approval. */
  #judgeAudit(nodes: readonly NodeRecords[]): void {
    const attempts = new Map<string, number>();
    for (const { party, session, entriesOnDisk } of this.#committed.values()) {
      const entries = nodes.find((node) => node.party === party)?.entries ?? [];
      const accepted = entries.filter(({ kind, fields }) => kind === "accepted" && fields["session"] === session);
      const [entry] = accepted;
      if (accepted.length !== 1 || entry === undefined || entry.index >= entriesOnDisk) {
        this.#violated(`Party ${party} took part in session ${session} without one durable entry before it (I7).`);
        continue;
      }
      const c = String(entry.fields["c"]);
      this.#require(
        this.#approvals.get(c)?.asks.kind === "sign",
        `Party ${party} accepted ${c}, which nobody approved (I3).`,
      );
      const counted = `${party} ${c}`;
      attempts.set(counted, (attempts.get(counted) ?? 0) + 1);
    }
    for (const [place, count] of attempts)
      this.#require(count <= this.#terms.attemptsMax, `Party and approval ${place} had ${count} attempts.`);
  }

  /** Parties that released shares in one session signed in one package: nobody was told another story (I2). */
  #judgePackages(): void {
    const packages = new Map<string, string>();
    for (const { session, packageHash } of this.#committed.values()) {
      if (packageHash === undefined) continue;
      const isOne = (packages.get(session) ?? packageHash) === packageHash;
      this.#require(isOne, `Parties signed in different packages of session ${session} (I2).`);
      packages.set(session, packageHash);
    }
  }

  /** I4 and I5: one key per approval at all nodes, and every t of them hold it. */
  #judgeKeys(nodes: readonly NodeRecords[]): void {
    const made = new Map<string, string>();
    for (const { party, keys } of nodes)
      for (const [keyId, { c, publicPart }] of keys) {
        const approval = this.#approvals.get(hex(c));
        this.#require(
          approval?.asks.kind === "create",
          `Party ${party} holds key ${keyId}, which nobody approved (I3).`,
        );
        const key = `${keyId} ${hex(publicPart)}`;
        this.#require((made.get(hex(c)) ?? key) === key, `One approval made two keys ${keyId} at the nodes (I4).`);
        made.set(hex(c), key);
        const holders = nodes.filter((node) => node.keys.has(keyId)).length;
        this.#require(holders === nodes.length, `${holders} nodes hold key ${keyId} and the others never will (I5).`);
      }
    for (const [keyId, key] of this.#keys) {
      const holders = nodes.flatMap(({ party, keys }) => {
        const share = keys.get(keyId)?.share;
        return share === undefined ? [] : [[party, share] as const];
      });
      this.#require(
        holders.length === nodes.length,
        `${holders.length} nodes hold key ${keyId}, which was returned (I5).`,
      );
      const [publicKey] = key.package.commitments;
      for (const quorum of subsets(holders, this.#terms.threshold))
        this.#require(
          publicKey !== undefined && isSharedBy(schemeOf(key), publicKey, new Map(quorum)),
          `Parties ${quorum.map(([party]) => party)} do not hold key ${keyId} (I5).`,
        );
    }
  }

  /** C of the threat model, section 5.1. */
  #digest(evidence: Omit<Evidence, "assertion">): string {
    const { orgId, principalId, appId, method, path, payload, nonce, expiresAtMs } = evidence;
    const { deploymentId } = this.#terms;
    const parts = ["countersign/user-action/v1", deploymentId, orgId, principalId, appId, method, path, payload, nonce];
    const hash = createHash("sha256");
    for (const part of parts.map((value) => Buffer.from(value as string))) {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(part.length);
      hash.update(length).update(part);
    }
    const expiry = Buffer.alloc(8);
    expiry.writeBigUInt64BE(BigInt(expiresAtMs));
    return hash.update(expiry).digest("hex");
  }

  #require(isKept: boolean, otherwise: string): void {
    if (!isKept) this.#violated(otherwise);
  }

  #violated(how: string): void {
    this.#violations.push(how);
  }
}

/** What an approved request asks for, read by the judge itself. */
function readApproval({ method, path, payload, expiresAtMs }: Evidence): Approval {
  const body = JSON.parse(payload);
  if (method === "POST" && path === "/keys") return { expiresAtMs, asks: { kind: "create" } };
  const keyId = /^\/keys\/([a-z0-9-]+)\/signatures$/.exec(path)?.[1];
  if (method !== "POST" || keyId === undefined || body.kind !== "Hash")
    throw new Error(`The judge does not know what ${method} ${path} approves.`);
  const bytes = (text: string | undefined) => new Uint8Array(Buffer.from(text?.slice(2) ?? "", "hex"));
  return {
    expiresAtMs,
    asks: { kind: "sign", keyId, message: bytes(body.hash), merkleRoot: bytes(body.taprootMerkleRoot) },
  };
}

function schemeOf(key: CertifiedKey): Statement["scheme"] {
  return key.package.suite === "FROST-ED25519-SHA512-v1" ? "EdDSA" : "Schnorr";
}

function encoded({ package: key }: CertifiedKey): string {
  return [key.suite, ...key.commitments.map(hex), hex(key.chainCodeHash)].join(" ");
}

function subsets<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  if (size === 0) return [[]];
  return items.flatMap((first, place) => subsets(items.slice(place + 1), size - 1).map((rest) => [first, ...rest]));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
