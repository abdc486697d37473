import { expand_message_xmd } from "@noble/curves/abstract/hash-to-curve.js";
import { ed25519 } from "@noble/curves/ed25519.js";
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";

// FROST as RFC 9591 and BIP-340/341 tell it, on noble's curves alone: the judge must not share a line with what it judges.

/** One party's two nonce commitments. */
export interface NoncePair {
  readonly party: number;
  readonly D: Uint8Array;
  readonly E: Uint8Array;
}

/** What somebody approved to be signed with a key. */
export interface Statement {
  readonly scheme: "EdDSA" | "Schnorr";
  /** Coefficients of the key's public polynomial: the group's key first, untweaked. */
  readonly polynomial: readonly Uint8Array[];
  readonly message: Uint8Array;
  /** 32 bytes, or none. */
  readonly merkleRoot: Uint8Array;
}

type Point = {
  add(other: Point): Point;
  negate(): Point;
  multiplyUnsafe(scalar: bigint): Point;
  toBytes(): Uint8Array;
  equals(other: Point): boolean;
};

/** Whether a complete signature (64 bytes) is on the statement. */
export function isSignatureOn(statement: Statement, signature: Uint8Array): boolean {
  const { scheme, polynomial, message } = statement;
  const [internal] = polynomial;
  if (internal === undefined) return false;
  if (scheme === "EdDSA") return ed25519.verify(signature, message, internal, { zip215: false });
  return schnorr.verify(signature, message, keyOf(statement).point.toBytes().slice(1));
}

/** What a list of nonce commitments fixes for one statement: D_j + rho_j E_j of each party, and the challenge's weight without lambda. */
export interface Package {
  readonly statement: Statement;
  readonly parties: readonly number[];
  readonly nonces: ReadonlyMap<number, Point>;
  readonly R: Point;
  /** With the sign that every share has under the key. */
  readonly challenge: bigint;
  /** c times the key's tweak: joins the sum of all shares once. */
  readonly addend: bigint;
}

/** Forms the package that honest parties sign in (RFC 9591, sections 4.4 to 4.6). */
export function packageOf(statement: Statement, list: readonly NoncePair[]): Package {
  const { message, scheme } = statement;
  const { order, decode, encodeScalar, H1, H2, H4, H5 } = ARITHMETIC[scheme];
  const { point: P, sign, addend } = keyOf(statement);
  const encoded = list.flatMap(({ party, D, E }) => [encodeScalar(BigInt(party)), D, E]);
  const prefix = joined(P.toBytes(), H4(message), H5(joined(...encoded)));
  const nonces = new Map(
    list.map(({ party, D, E }) => {
      const rho = H1(joined(prefix, encodeScalar(BigInt(party))));
      return [party, decode(D).add(decode(E).multiplyUnsafe(rho))];
    }),
  );
  const R = [...nonces.values()].reduce((sum, nonce) => sum.add(nonce));
  const c = H2(R.toBytes(), P.toBytes(), message);
  const parties = list.map(({ party }) => party);
  return { statement, parties, nonces, R, challenge: mod(c * sign, order), addend: mod(c * addend, order) };
}

/** Whether z is the party's share of a signature on the package's statement (RFC 9591, section 5.4). */
export function isShareIn(
  { statement, parties, nonces, R, challenge }: Package,
  party: number,
  z: Uint8Array,
): boolean {
  const { polynomial, scheme } = statement;
  const { base, order, decode, decodeScalar } = ARITHMETIC[scheme];
  const own = nonces.get(party);
  if (own === undefined) return false;
  const Y = polynomial.map(decode).reduceRight((sum, C) => sum.multiplyUnsafe(BigInt(party)).add(C));
  const weight = mod(challenge * lagrange(parties, party, order), order);
  const nonce = scheme === "Schnorr" && R.toBytes()[0] === 3 ? own.negate() : own;
  return base.multiplyUnsafe(decodeScalar(z)).equals(nonce.add(Y.multiplyUnsafe(weight)));
}

/** The signature that shares add up to: 64 bytes, valid only if they are the shares of this package. */
export function signatureOf({ statement, R, addend }: Package, shares: readonly Uint8Array[]): Uint8Array {
  const { scheme } = statement;
  const { order, encodeScalar, decodeScalar } = ARITHMETIC[scheme];
  const sum = shares.reduce((total, share) => mod(total + decodeScalar(share), order), addend);
  return joined(scheme === "Schnorr" ? R.toBytes().slice(1) : R.toBytes(), encodeScalar(sum));
}

/** Reads the body of a commit message for one item: two bytes of count, then D and E. */
export function noncePair(scheme: Statement["scheme"], party: number, body: Uint8Array): NoncePair {
  const size = scheme === "EdDSA" ? 32 : 33;
  return { party, D: body.slice(2, 2 + size), E: body.slice(2 + size, 2 + 2 * size) };
}

/** Whether t of the shares, whichever t, are shares of the key: interpolated at 0 they give the secret of its public point. */
export function isSharedBy(
  scheme: Statement["scheme"],
  publicKey: Uint8Array,
  shares: ReadonlyMap<number, Uint8Array>,
): boolean {
  const { base, order, decode, decodeScalar } = ARITHMETIC[scheme];
  const parties = [...shares.keys()];
  const secret = [...shares].reduce(
    (sum, [party, share]) => mod(sum + lagrange(parties, party, order) * decodeScalar(share), order),
    0n,
  );
  return base.multiplyUnsafe(secret).equals(decode(publicKey));
}

/** P of the challenge, the sign that every share has under it, and the tweak: taproot's output key with even y (BIP-341), or the key itself. */
function keyOf({ scheme, polynomial, merkleRoot }: Statement): { point: Point; sign: bigint; addend: bigint } {
  const { base, decode } = ARITHMETIC[scheme];
  const [internal] = polynomial;
  if (internal === undefined) throw new Error("A key has a polynomial.");
  const start = decode(internal);
  if (scheme === "EdDSA") return { point: start, sign: 1n, addend: 0n };
  const even = start.toBytes()[0] === 3 ? start.negate() : start;
  const tweak = BigInt(`0x${Buffer.from(tagged("TapTweak", even.toBytes().slice(1), merkleRoot)).toString("hex")}`);
  const output = even.add(base.multiplyUnsafe(tweak));
  const isOdd = output.toBytes()[0] === 3;
  const sign = (internal[0] === 3) === isOdd ? 1n : -1n;
  return { point: isOdd ? output.negate() : output, sign, addend: isOdd ? -tweak : tweak };
}

function lagrange(parties: readonly number[], party: number, order: bigint): bigint {
  let [top, bottom] = [1n, 1n];
  for (const other of parties) {
    if (other === party) continue;
    top = mod(top * BigInt(other), order);
    bottom = mod(bottom * BigInt(other - party), order);
  }
  return mod(top * power(bottom, order - 2n, order), order);
}

function power(base: bigint, exponent: bigint, order: bigint): bigint {
  let result = 1n;
  for (let square = base, left = exponent; left > 0n; left >>= 1n, square = mod(square * square, order))
    if (left & 1n) result = mod(result * square, order);
  return result;
}

const ED25519_NAME = "FROST-ED25519-SHA512-v1";
const TAPROOT_NAME = "FROST-secp256k1-SHA256-TR-v1";
const ED25519_ORDER = ed25519.Point.Fn.ORDER;
const SECP256K1_ORDER = secp256k1.Point.Fn.ORDER;

const ARITHMETIC = {
  EdDSA: {
    base: ed25519.Point.BASE as unknown as Point,
    order: ED25519_ORDER,
    decode: (bytes: Uint8Array) => ed25519.Point.fromBytes(bytes, false) as unknown as Point,
    encodeScalar: (scalar: bigint) => bigEndian(scalar).reverse(),
    decodeScalar: littleEndian,
    H1: (input: Uint8Array) => mod(littleEndian(sha512(joined(text(`${ED25519_NAME}rho`), input))), ED25519_ORDER),
    H2: (R: Uint8Array, P: Uint8Array, message: Uint8Array) =>
      mod(littleEndian(sha512(joined(R, P, message))), ED25519_ORDER),
    H4: (input: Uint8Array) => sha512(joined(text(`${ED25519_NAME}msg`), input)),
    H5: (input: Uint8Array) => sha512(joined(text(`${ED25519_NAME}com`), input)),
  },
  Schnorr: {
    base: secp256k1.Point.BASE as unknown as Point,
    order: SECP256K1_ORDER,
    decode: (bytes: Uint8Array) => secp256k1.Point.fromBytes(bytes) as unknown as Point,
    encodeScalar: bigEndian,
    decodeScalar: number,
    H1: (input: Uint8Array) =>
      mod(number(expand_message_xmd(input, text(`${TAPROOT_NAME}rho`), 48, sha256)), SECP256K1_ORDER),
    H2: (R: Uint8Array, P: Uint8Array, message: Uint8Array) =>
      mod(number(tagged("BIP0340/challenge", R.slice(1), P.slice(1), message)), SECP256K1_ORDER),
    H4: (input: Uint8Array) => sha256(joined(text(`${TAPROOT_NAME}msg`), input)),
    H5: (input: Uint8Array) => sha256(joined(text(`${TAPROOT_NAME}com`), input)),
  },
};

function tagged(tag: string, ...parts: readonly Uint8Array[]): Uint8Array {
  const hash = sha256(text(tag));
  return sha256(joined(hash, hash, ...parts));
}

function number(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
}

function littleEndian(bytes: Uint8Array): bigint {
  return number(bytes.slice().reverse());
}

function bigEndian(scalar: bigint): Uint8Array {
  return new Uint8Array(Buffer.from(scalar.toString(16).padStart(64, "0"), "hex"));
}

function mod(value: bigint, order: bigint): bigint {
  const rest = value % order;
  return rest < 0n ? rest + order : rest;
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
