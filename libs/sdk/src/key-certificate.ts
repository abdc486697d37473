import { createPublicKey, verify } from "node:crypto";
import type { Descriptor } from "@countersign/authority";
import {
  concatBytes,
  decodeHex,
  hex,
  JsonMembers,
  type JsonValue,
  lengthPrefixed,
  sha256,
  u16be,
  u32be,
  utf8,
} from "@countersign/bytes";
import type { CountersignError } from "@countersign/errors";
import { KEY_SCHEMES, type KeyScheme } from "@countersign/intent";
import { ed25519 } from "@noble/curves/ed25519.js";
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js";
import type { Key } from "./answers.ts";
import { sdkError } from "./errors.ts";

/** The public part of a key as its certificate states it. */
interface Certificate {
  readonly kind: KeyScheme;
  readonly epoch: number;
  readonly threshold: number;
  readonly publicKey: Uint8Array;
  readonly tau: Uint8Array;
  readonly chainCodeHash: Uint8Array;
  /** Ascending by node index. */
  readonly verificationShares: readonly Uint8Array[];
  readonly acknowledgements: readonly Acknowledgement[];
}

interface Acknowledgement {
  readonly nodeId: string;
  readonly index: number;
  readonly signature: Uint8Array;
}

/** What this file needs of a point of either curve. */
interface CurvePoint<P> {
  subtract(other: P): P;
  equals(other: P): boolean;
  is0(): boolean;
  isTorsionFree(): boolean;
  toBytes(): Uint8Array;
}

const U32_MAX = 0xffff_ffff;
const U16_MAX = 0xffff;
/** Bytes of an encoded point of each curve. */
const POINT_BYTES = { ed25519: 32, secp256k1: 33 } as const;
/** DER of an Ed25519 SubjectPublicKeyInfo before the key's 32 bytes (RFC 8410). */
const ED25519_SPKI = decodeHex("302a300506032b6570032100");

/**
 * Checks that every pinned node acknowledged exactly this key (Schnorr specification, section 3): otherwise a hostile API shows
 * a public key of its own, and whoever pays to it pays the thief (threat model, A14). Shares no code with the nodes. Raises
 * `key_certificate_refused`.
 */
export function verifyKeyCertificate(key: Key, descriptor: Descriptor): void {
  const refuse = refusalOf(key.id);
  const members = new JsonMembers(key.answer, "key", refuse).object("countersign").object("certificate");
  const certificate = readCertificate(members, refuse);
  requireDeployment(certificate, descriptor, refuse);
  requireAcknowledgements(key.id, certificate, descriptor, refuse);
  requirePolynomial(certificate, refuse);
  requirePublishedKey(key, certificate, refuse);
}

type Refuse = (sentence: string) => CountersignError;

function refusalOf(keyId: string): Refuse {
  return (sentence) =>
    sdkError("key_certificate_refused", `The API's word for key ${keyId} is not proven: ${sentence}`, {
      details: { keyId },
    });
}

function readCertificate(members: JsonMembers, refuse: Refuse): Certificate {
  const bytes = (of: JsonMembers, name: string, size: number) =>
    decodeHex(of.text(name, { lengthMin: 2 * size, lengthMax: 2 * size, pattern: /^[0-9a-f]*$/ }));
  const suite = members.text("suite", { lengthMax: 64 });
  const kind = KEY_SCHEMES.find((one) => one.suite === suite);
  if (kind === undefined) throw refuse("its ciphersuite is not one of this network.");
  const pointSize = POINT_BYTES[kind.curve];
  const point = (value: JsonValue) => bytes(new JsonMembers({ value }, "share", refuse), "value", pointSize);
  return {
    kind,
    epoch: members.integer("epoch", 0, U32_MAX),
    threshold: members.integer("threshold", 2, U16_MAX),
    publicKey: bytes(members, "publicKey", pointSize),
    tau: bytes(members, "tau", 32),
    chainCodeHash: bytes(members, "chainCodeHash", 32),
    verificationShares: members.list("verificationShares", 2, U16_MAX).map(point),
    acknowledgements: members.list("acknowledgements", 2, U16_MAX).map((value) => {
      const one = new JsonMembers(value, "acknowledgement", refuse);
      const nodeId = one.text("nodeId", { lengthMax: 64 });
      return { nodeId, index: one.integer("index", 1, U16_MAX), signature: bytes(one, "signature", 64) };
    }),
  };
}

function requireDeployment(certificate: Certificate, { threshold, nodes }: Descriptor, refuse: Refuse): void {
  if (certificate.threshold !== threshold)
    throw refuse(`its threshold is ${certificate.threshold}, the deployment's ${threshold}.`);
  if (certificate.verificationShares.length !== nodes.length || certificate.acknowledgements.length !== nodes.length)
    throw refuse(`it is not a certificate of ${nodes.length} nodes.`);
}

function requireAcknowledgements(
  keyId: string,
  certificate: Certificate,
  { deploymentId, nodes }: Descriptor,
  refuse: Refuse,
): void {
  const statement = acknowledgementStatement(deploymentId, keyId, certificate);
  for (const [place, { id, index, identityKey }] of nodes.entries()) {
    const acknowledgement = certificate.acknowledgements[place];
    // Each node at its own place: n signatures of one node are one.
    const isOfNode = acknowledgement?.nodeId === id && acknowledgement.index === index;
    if (!isOfNode || !isSigned(statement, acknowledgement.signature, identityKey))
      throw refuse(`node ${id} did not acknowledge it.`);
  }
}

/** What each node signs; 32 bytes (Schnorr specification, sections 1 and 3, R3). */
function acknowledgementStatement(deploymentId: string, keyId: string, certificate: Certificate): Uint8Array {
  const { tau, kind, epoch, threshold, publicKey, verificationShares, chainCodeHash } = certificate;
  const facts = [tau, deploymentId, keyId, kind.suite, u32be(epoch), u16be(threshold), publicKey];
  const list = lengthPrefixed(...facts, ...verificationShares, chainCodeHash);
  return sha256(concatBytes(utf8("countersign/schnorr/v1/dkg-out\0"), list));
}

function isSigned(statement: Uint8Array, signature: Uint8Array, identityKey: Uint8Array): boolean {
  const spki = Buffer.from(concatBytes(ED25519_SPKI, identityKey));
  return verify(null, statement, createPublicKey({ key: spki, format: "der", type: "spki" }), signature);
}

/** Public key and verification shares are the values at 0..n of one polynomial in the exponent, of degree exactly t-1. */
function requirePolynomial({ kind, threshold, publicKey, verificationShares }: Certificate, refuse: Refuse): void {
  const encoded = [publicKey, ...verificationShares];
  if (kind.curve === "ed25519") requireDegree(decode(ed25519.Point, encoded, refuse), threshold, refuse);
  else requireDegree(decode(secp256k1.Point, encoded, refuse), threshold, refuse);
}

/** Canonical encodings of points on the curve; the key that people pay to is also known to be of prime order. */
function decode<P extends CurvePoint<P>>(
  curve: { fromBytes(bytes: Uint8Array): P },
  encoded: readonly Uint8Array[],
  refuse: Refuse,
): P[] {
  const points = encoded.flatMap((bytes) => {
    try {
      const point = curve.fromBytes(bytes);
      return hex(point.toBytes()) === hex(bytes) ? [point] : [];
    } catch {
      // What noble says of bytes that are no point adds nothing to the refusal below.
      return [];
    }
  });
  const [publicKey] = points;
  if (points.length !== encoded.length || publicKey?.is0() !== false || !publicKey.isTorsionFree())
    throw refuse("it holds bytes that are no point of the key's group.");
  return points;
}

function requireDegree<P extends CurvePoint<P>>(points: readonly P[], threshold: number, refuse: Refuse): void {
  let values = points;
  for (let order = 1; order < threshold; order++)
    values = values.slice(1).map((value, place) => value.subtract(values[place] ?? value));
  const [first] = values;
  if (first === undefined || first.is0() || !values.every((value) => value.equals(first)))
    throw refuse(`its points are not on one polynomial of degree ${threshold - 1}.`);
}

function requirePublishedKey(key: Key, { kind, publicKey }: Certificate, refuse: Refuse): void {
  const { scheme, curve } = kind;
  if (key.scheme !== scheme || key.curve !== curve) throw refuse(`it is for a ${scheme} key on ${curve}.`);
  const published = scheme === "Schnorr" ? outputKey(publicKey) : publicKey;
  if (key.publicKey !== hex(published)) throw refuse("it is for another public key.");
  const member = new JsonMembers(key.answer, "key", refuse).object("countersign");
  const internal = member.optionalText("internalPublicKey", { lengthMax: 66 });
  if (internal !== undefined && internal !== hex(publicKey)) throw refuse("it is for another internal public key.");
}

/** BIP-341 output key without a script tree, compressed SEC1. */
function outputKey(internal: Uint8Array): Uint8Array {
  const {
    Point,
    Point: { Fn, BASE },
  } = secp256k1;
  const xOnly = internal.subarray(1);
  const tweak = Fn.fromBytes(schnorr.utils.taggedHash("TapTweak", xOnly));
  return Point.fromBytes(concatBytes(Uint8Array.of(2), xOnly))
    .add(BASE.multiply(tweak))
    .toBytes(true);
}
