import { KeyStateResponse_State as State } from "@countersign/proto/signer";
import { type PublicKeyPackage, verifyCertificate } from "@countersign/threshold";
import { type CertifiedKey, keyFromWire } from "@countersign/wire";
import { orchestratorError } from "./errors.ts";
import { type Network, signerOf } from "./network.ts";

/** Verified public keys kept in memory: about 2 KB each. */
const KEYS_MAX = 20_000;
/** A node answers a key's state from memory or one read. */
const STATE_DEADLINE_MS = 2_000;

/** Public key packages whose certificates this orchestrator verified; what a node says about a key is not believed otherwise. */
export class KeyDirectory {
  readonly #network: Network;
  readonly #keys = new Map<string, CertifiedKey>();

  constructor(network: Network) {
    this.#network = network;
  }

  /** The active key of this id. Raises `key_not_active` when no node that answers holds it. */
  async find(keyId: string, signal: AbortSignal): Promise<PublicKeyPackage> {
    const known = this.#keys.get(keyId);
    if (known !== undefined) {
      // Moved to the young end: the oldest unused key leaves first.
      this.#keys.delete(keyId);
      this.#keys.set(keyId, known);
      return known.package;
    }
    const present = this.#network.candidates().filter((candidate) => candidate.present);
    const asked = present.map(async ({ index }) => {
      const options = { signal, deadlineMs: STATE_DEADLINE_MS };
      const answer = await signerOf(this.#network, index).keyState({ keyId }, options);
      if (answer.state !== State.ACTIVE)
        throw orchestratorError("key_not_active", `Node ${index} holds no active key ${keyId}.`);
      return this.admit(keyFromWire(answer.key, this.#network.descriptor.nodes.length), keyId);
    });
    try {
      return (await Promise.any(asked)).package;
    } catch (cause) {
      throw orchestratorError("key_not_active", `No node that answers holds an active key ${keyId}.`, { cause });
    }
  }

  /** Verifies a key's certificate and remembers the key. Raises `certificate_differs`. */
  admit(key: CertifiedKey, keyId: string): CertifiedKey {
    const { descriptor, verifyIdentity } = this.#network;
    try {
      if (key.package.keyId !== keyId) throw new Error(`The package is of key ${key.package.keyId}.`);
      verifyCertificate(descriptor.deploymentId, key.package, key.certificate, verifyIdentity);
    } catch (cause) {
      throw orchestratorError("certificate_differs", `The certificate presented for key ${keyId} does not verify.`, {
        cause,
      });
    }
    this.#keys.set(keyId, key);
    if (this.#keys.size > KEYS_MAX) for (const oldest of this.#keys.keys()) return this.#drop(oldest, key);
    return key;
  }

  #drop(oldest: string, kept: CertifiedKey): CertifiedKey {
    this.#keys.delete(oldest);
    return kept;
  }
}
