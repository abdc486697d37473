import { createHash, randomBytes } from "node:crypto";
import type { AuthorityState } from "@countersign/authority";
import { authorize } from "@countersign/authority";
import { concatBytes, sha256 } from "@countersign/bytes";
import { type CreateKey, interpret, type SignItem } from "@countersign/intent";
import { type CreateKeyResponse, OrchestratorService } from "@countersign/proto/orchestrator";
import { implement, type RpcServer, serveRpc, type TlsMaterial } from "@countersign/rpc";
import { evidenceFromWire } from "@countersign/wire";
import { ed25519 } from "@noble/curves/ed25519.js";
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js";

type CreatedKey = Omit<CreateKeyResponse, "$typeName" | "$unknown">;

interface HeldKey {
  readonly intent: CreateKey;
  readonly secret: Uint8Array;
}

/**
 * An orchestrator of one process that holds whole keys: it judges evidence as a signer does and answers real signatures. What a
 * network of nodes does on top is not the API's business.
 */
export class TestOrchestrator {
  /** Runs before every call is handled; raises or waits as a test likes. */
  before: (method: "createKey" | "sign" | "status", signal: AbortSignal) => Promise<void> = async () => {};
  /** Calls that were let through, by method. */
  readonly calls = { createKey: 0, sign: 0 };
  /** Deadlines that calls arrived with, milliseconds. */
  readonly deadlines: number[] = [];
  /** Changes what is answered for a new key. */
  mangle: (answer: CreatedKey) => CreatedKey = (answer) => answer;
  readonly #keys = new Map<string, HeldKey>();
  readonly #state: () => AuthorityState;
  readonly #now: () => number;
  readonly #threshold = 2;
  readonly #nodeCount = 3;

  constructor(state: () => AuthorityState, now: () => number) {
    this.#state = state;
    this.#now = now;
  }

  serve(tls: TlsMaterial, port = 0): Promise<RpcServer> {
    const service = implement(
      OrchestratorService,
      {
        createKey: async ({ evidence }, { signal, deadlineMs }) => {
          this.deadlines.push(deadlineMs);
          await this.before("createKey", signal);
          const { intent } = this.#authorize(evidence);
          if (intent.kind !== "create-key") throw new Error("Not a key creation.");
          this.calls.createKey++;
          return this.mangle(this.#create(intent));
        },
        sign: async ({ evidence }, { signal, deadlineMs }) => {
          this.deadlines.push(deadlineMs);
          await this.before("sign", signal);
          const { intent } = this.#authorize(evidence);
          if (intent.kind !== "sign") throw new Error("Not a signature.");
          const key = this.#keys.get(intent.keyId);
          if (key === undefined) throw new Error("No such key.");
          this.calls.sign++;
          const items = interpret(intent, { keyId: intent.keyId, suite: key.intent.suite, purpose: "wallet" });
          return { signatures: items.map((item) => signItem(key, item)), attempts: 1, parties: [1, 2] };
        },
        status: async (_request, { signal }) => {
          await this.before("status", signal);
          const nodes = [1, 2, 3].map((party) => ({
            nodeId: `node-${party}`,
            party,
            region: `region-${party}`,
            present: true,
          }));
          return { nodes, threshold: this.#threshold };
        },
      },
      { callers: ["api"], deadlineMaxMs: 60_000 },
    );
    return serveRpc({ listen: { host: "127.0.0.1", port }, tls, services: [service] });
  }

  #authorize(message: Parameters<typeof evidenceFromWire>[0]) {
    return authorize(evidenceFromWire(message), this.#state(), { now: this.#now() });
  }

  #create(intent: CreateKey): CreatedKey {
    const key = this.#keys.get(intent.keyId) ?? { intent, secret: newSecret(intent) };
    this.#keys.set(intent.keyId, key);
    const { internal, published } = publicKeys(key);
    const certificate = Array.from({ length: this.#nodeCount }, (_, place) => ({
      $typeName: "countersign.common.v1.Acknowledgement" as const,
      party: place + 1,
      signature: new Uint8Array(64).fill(place + 1),
    }));
    return {
      key: {
        $typeName: "countersign.common.v1.PublicKeyPackage",
        keyId: intent.keyId,
        suite: intent.suite,
        epoch: 0,
        threshold: this.#threshold,
        commitments: Array.from({ length: this.#threshold }, () => internal),
        chainCodeHash: sha256(key.secret),
        tau: sha256(internal),
        certificate,
      },
      publicKey: published,
      verificationShares: Array.from({ length: this.#nodeCount }, () => internal),
    };
  }
}

function newSecret({ scheme }: CreateKey): Uint8Array {
  return scheme === "EdDSA" ? new Uint8Array(randomBytes(32)) : secp256k1.utils.randomSecretKey();
}

function publicKeys({ intent, secret }: HeldKey): { internal: Uint8Array; published: Uint8Array } {
  if (intent.scheme === "EdDSA") {
    const key = ed25519.getPublicKey(secret);
    return { internal: key, published: key };
  }
  return {
    internal: secp256k1.getPublicKey(secret),
    published: secp256k1.getPublicKey(tweaked(secret, new Uint8Array(0))),
  };
}

function signItem({ intent, secret }: HeldKey, { message, taprootMerkleRoot }: SignItem) {
  const signature =
    intent.scheme === "EdDSA"
      ? ed25519.sign(message, secret)
      : schnorr.sign(message, tweaked(secret, taprootMerkleRoot ?? new Uint8Array(0)));
  return { r: signature.slice(0, 32), s: signature.slice(32) };
}

/** BIP-341: the secret of the output key. */
function tweaked(secret: Uint8Array, merkleRoot: Uint8Array): Uint8Array {
  const { Fn } = secp256k1.Point;
  const point = secp256k1.Point.BASE.multiply(Fn.fromBytes(secret));
  const even = point.y % 2n === 0n ? Fn.fromBytes(secret) : Fn.neg(Fn.fromBytes(secret));
  const tag = createHash("sha256").update("TapTweak").digest();
  const tweak = sha256(concatBytes(tag, tag, point.toBytes(true).slice(1), merkleRoot));
  return Fn.toBytes(Fn.add(even, Fn.fromBytes(tweak)));
}
