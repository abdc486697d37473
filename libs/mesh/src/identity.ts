import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { concatBytes, Secret } from "@countersign/bytes";

const PKCS8_PREFIX = Uint8Array.from(Buffer.from("302e020100300506032b657004220420", "hex"));
const SPKI_PREFIX = Uint8Array.from(Buffer.from("302a300506032b6570032100", "hex"));

/** A node's long-term Ed25519 key. The public part is pinned in the deployment descriptor. */
export class NodeIdentity {
  readonly #key: KeyObject;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;

  /** Takes a 32-byte seed and wipes it. */
  constructor(seed: Secret) {
    using pkcs8 = new Secret(concatBytes(PKCS8_PREFIX, seed.expose()));
    const { buffer, byteOffset, byteLength } = pkcs8.expose();
    // A view, not a copy that nobody would wipe.
    this.#key = createPrivateKey({ key: Buffer.from(buffer, byteOffset, byteLength), format: "der", type: "pkcs8" });
    seed.wipe();
    const spki = createPublicKey(this.#key).export({ format: "der", type: "spki" });
    this.publicKey = new Uint8Array(spki.subarray(SPKI_PREFIX.length));
  }

  /** Ed25519 over a statement that carries its own domain tag; 64 bytes. */
  sign(statement: Uint8Array): Uint8Array {
    return new Uint8Array(sign(null, statement, this.#key));
  }
}

/** A pinned identity to verify against; parsed once, because parsing costs as much as a tenth of a verification. */
export class PeerIdentity {
  readonly #key: KeyObject;
  readonly publicKey: Uint8Array;

  /** Takes 32 bytes that the descriptor's parser already validated (canonical, not of small order). */
  constructor(publicKey: Uint8Array) {
    this.publicKey = publicKey;
    const spki = Buffer.from(concatBytes(SPKI_PREFIX, publicKey));
    this.#key = createPublicKey({ key: spki, format: "der", type: "spki" });
  }

  verify(statement: Uint8Array, signature: Uint8Array): boolean {
    return signature.length === 64 && verify(null, statement, this.#key, signature);
  }
}
