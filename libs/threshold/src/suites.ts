import { createHash } from "node:crypto";
import { concatBytes, utf8, wipe } from "@countersign/bytes";
import { expand_message_xmd } from "@noble/curves/abstract/hash-to-curve.js";
import { sha256 } from "@noble/hashes/sha2.js";
import type { Curve, Scalar } from "./curves/curve.ts";
import { ed25519 } from "./curves/ed25519.ts";
import { secp256k1 } from "./curves/secp256k1.ts";
import { TH2S } from "./ecdsa/transcript.ts";
import { thresholdError } from "./errors.ts";
import type { SchnorrSuiteName, SuiteName } from "./key-share.ts";

/** What key generation needs to know of a key's suite. */
export interface KeySuite {
  readonly name: SuiteName;
  readonly curve: Curve;
  /** BIP-340 rules: keys and nonce commitments count by their x coordinate, normalised to even y. */
  readonly evenY: boolean;
  /** Whether signing needs a link between each two nodes. */
  readonly usesLinks: boolean;
  /** Proof of knowledge in key generation, of parts whose lengths the suite fixes. */
  HDKG(...parts: readonly Uint8Array[]): Scalar;
}

/** A FROST ciphersuite: a curve and the hash functions of RFC 9591, section 4.4, with the DKG's of the FROST paper. */
export interface Suite extends KeySuite {
  readonly name: SchnorrSuiteName;
  /** Binding factor rho. */
  H1(input: Uint8Array): Scalar;
  /** Challenge c; the input already holds encodings of R and of the key as the signature scheme wants them. */
  H2(input: Uint8Array): Scalar;
  /** Nonce; input and output are secret, the caller wipes both. */
  H3(input: Uint8Array): Scalar;
  /** Message. */
  H4(input: Uint8Array): Uint8Array;
  /** Commitment list. */
  H5(input: Uint8Array): Uint8Array;
}

/** hash_to_field's L for a 256-bit order at 128-bit security (RFC 9380, section 5.1). */
const FIELD_BYTES = 48;

/** The suite that keys of that name are generated for. */
export function keySuiteOf(name: SuiteName): KeySuite {
  return name === ECDSA.name ? ECDSA : suiteOf(name);
}

/** The FROST suite of that name (Schnorr specification, section 1). Raises `suite_unfit` for a key of another kind. */
export function suiteOf(name: SuiteName): Suite {
  if (name === ECDSA.name) throw thresholdError("suite_unfit", `A ${name} key makes no Schnorr signatures.`);
  return SUITES[name];
}

/** Threshold ECDSA (ECDSA specification, section 3.a). */
const ECDSA = {
  name: "DKLS23-secp256k1-SHA256-v1",
  curve: secp256k1,
  evenY: false,
  usesLinks: true,
  HDKG: (...parts) => TH2S("dkg-pok", ...parts),
} as const satisfies KeySuite;

const SUITES: Readonly<Record<SchnorrSuiteName, Suite>> = {
  "FROST-ED25519-SHA512-v1": ed25519Suite("FROST-ED25519-SHA512-v1"),
  "FROST-secp256k1-SHA256-TR-v1": secp256k1Suite("FROST-secp256k1-SHA256-TR-v1", true),
  "FROST-secp256k1-SHA256-v1": secp256k1Suite("FROST-secp256k1-SHA256-v1", false),
};

function ed25519Suite(name: SchnorrSuiteName): Suite {
  const wide = (tag: string) => (input: Uint8Array) =>
    reduced(ed25519, createHash("sha512").update(tag).update(input).digest());
  const digest = (tag: string) => (input: Uint8Array) =>
    new Uint8Array(createHash("sha512").update(tag).update(input).digest());
  return {
    name,
    curve: ed25519,
    evenY: false,
    usesLinks: false,
    H1: wide(`${name}rho`),
    // Without a prefix, so that every RFC 8032 verifier computes the same challenge.
    H2: wide(""),
    H3: wide(`${name}nonce`),
    H4: digest(`${name}msg`),
    H5: digest(`${name}com`),
    HDKG: (...parts) => wide(`${name}dkg`)(concatBytes(...parts)),
  };
}

/** Reduces a hash and wipes it: of H3, it is the nonce itself. */
function reduced(curve: Curve, hash: Uint8Array): Scalar {
  try {
    return curve.reduceWide(hash);
  } finally {
    wipe(hash);
  }
}

function secp256k1Suite(name: SchnorrSuiteName, evenY: boolean): Suite {
  const toField = (tag: string) => {
    const domain = utf8(name + tag);
    return (input: Uint8Array) => reduced(secp256k1, expand_message_xmd(input, domain, FIELD_BYTES, sha256));
  };
  const digest = (tag: string) => (input: Uint8Array) =>
    new Uint8Array(
      createHash("sha256")
        .update(name + tag)
        .update(input)
        .digest(),
    );
  return {
    name,
    curve: secp256k1,
    evenY,
    usesLinks: false,
    H1: toField("rho"),
    H2: evenY ? (input) => taggedScalar("BIP0340/challenge", input) : toField("chal"),
    H3: toField("nonce"),
    H4: digest("msg"),
    H5: digest("com"),
    HDKG: (...parts) => toField("dkg")(concatBytes(...parts)),
  };
}

/** tagged(tag, x) of BIP-340: SHA-256(SHA-256(tag) ‖ SHA-256(tag) ‖ x). */
export function taggedHash(tag: string, ...parts: readonly Uint8Array[]): Uint8Array {
  const tagHash = createHash("sha256").update(tag).digest();
  const hash = createHash("sha256").update(tagHash).update(tagHash);
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

/** A tagged hash as a big-endian integer mod n. */
function taggedScalar(tag: string, input: Uint8Array): Scalar {
  return secp256k1.reduceWide(concatBytes(new Uint8Array(FIELD_BYTES - 32), taggedHash(tag, input)));
}
