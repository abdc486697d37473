import { concatBytes, u16be, u32be } from "@countersign/bytes";
import { ByteReader } from "../byte-reader.ts";
import type { Curve, Point, Scalar } from "../curves/curve.ts";
import type { PartyIndex, SignedMessage } from "../delivery.ts";
import { ProtocolAbort } from "../errors.ts";
import { HEADER_SIZE_MAX, SIGNATURE_SIZE, WORD_SIZE } from "./rounds.ts";

/** First byte of every body but a commitment's: the round's own message, or a complaint in its place. */
export const ORDINARY = 0;
const COMPLAINT = 1;
/** The longest complaint of an honest party shows everyone's reveal and echo. */
const QUOTES_PER_PARTY = 2;

/** pkg_i of the Schnorr specification, section 3. */
export interface Package {
  /** C_i0..C_i(t-1). */
  readonly commitments: readonly Point[];
  /** R_i of the proof of knowledge. */
  readonly R: Point;
  /** mu_i of the proof of knowledge. */
  readonly mu: Scalar;
  /** cc_i: this party's part of the chain code, 32 bytes. */
  readonly chainCode: Uint8Array;
}

/** What a `reveal` message holds; the package undecoded, because its hash is checked before its points. */
export interface Reveal {
  readonly salt: Uint8Array;
  readonly encodedPackage: Uint8Array;
}

/** What a `share` message holds. Indexes and share are as the sender claims. */
export interface ShareBody {
  readonly tau: Uint8Array;
  readonly from: PartyIndex;
  readonly to: PartyIndex;
  /** f_from(to). Secret. */
  readonly share: Scalar;
}

/** What a complaint holds. */
export interface ComplaintBody {
  /** Identity signature over the renunciation statement: the complainer never acknowledges this session. */
  readonly renunciation: Uint8Array;
  /** Signed messages that show what went wrong. */
  readonly messages: readonly SignedMessage[];
}

// All decoders accept exactly one encoding and raise `keygen_message_malformed`, or the curve's code for a scalar or point.

export function decodeCommitment(body: Uint8Array): Uint8Array {
  return read(body, (reader) => reader.take(WORD_SIZE));
}

export function encodePackage(content: Package): Uint8Array {
  const { commitments, R, mu, chainCode } = content;
  return concatBytes(u16be(commitments.length), ...commitments, R, mu, chainCode);
}

/** Raises `keygen_degree_wrong` unless it announces exactly `threshold` commitments: one more would raise the threshold. */
export function decodePackage(curve: Curve, threshold: number, bytes: Uint8Array): Package {
  return read(bytes, (reader) => {
    const count = reader.u16();
    if (count !== threshold)
      throw new ProtocolAbort("keygen_degree_wrong", `Expected ${threshold} commitments, found ${count}.`);
    const commitments = Array.from({ length: threshold }, () => reader.take(curve.pointSize));
    const [R, mu, chainCode] = [reader.take(curve.pointSize), reader.take(curve.scalarSize), reader.take(WORD_SIZE)];
    return {
      commitments: commitments.map((point) => curve.decodePoint(point)),
      R: curve.decodePoint(R),
      mu: curve.decodeScalar(mu),
      chainCode,
    };
  });
}

export function encodeReveal({ salt, encodedPackage }: Reveal): Uint8Array {
  return concatBytes(Uint8Array.of(ORDINARY), salt, encodedPackage);
}

export function decodeReveal(body: Uint8Array): Reveal {
  return read(body, (reader) => {
    ordinary(reader);
    return { salt: reader.take(WORD_SIZE), encodedPackage: reader.rest() };
  });
}

export function encodeEcho(tau: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(ORDINARY), tau);
}

export function decodeEcho(body: Uint8Array): Uint8Array {
  return read(body, (reader) => {
    ordinary(reader);
    return reader.take(WORD_SIZE);
  });
}

export function encodeShare({ tau, from, to, share }: ShareBody): Uint8Array {
  return concatBytes(Uint8Array.of(ORDINARY), tau, u16be(from), u16be(to), share);
}

export function decodeShare(curve: Curve, body: Uint8Array): ShareBody {
  return read(body, (reader) => {
    ordinary(reader);
    const [tau, from, to] = [reader.take(WORD_SIZE), reader.u16(), reader.u16()];
    return { tau, from, to, share: curve.decodeScalar(reader.take(curve.scalarSize)) };
  });
}

export function encodeFinish(acknowledgement: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(ORDINARY), acknowledgement);
}

export function decodeFinish(body: Uint8Array): Uint8Array {
  return read(body, (reader) => {
    ordinary(reader);
    return reader.take(SIGNATURE_SIZE);
  });
}

/** Whether a body of any round but `commit` is a complaint. */
export function isComplaint(body: Uint8Array): boolean {
  return body[0] === COMPLAINT;
}

export function encodeComplaint({ renunciation, messages }: ComplaintBody): Uint8Array {
  const quotes = messages.map(({ header, body, signature }) =>
    concatBytes(u16be(header.length), header, u32be(body.length), body, signature),
  );
  return concatBytes(Uint8Array.of(COMPLAINT), renunciation, u16be(messages.length), ...quotes);
}

/** Accepts at most `QUOTES_PER_PARTY` messages per party: judging each costs signature checks. */
export function decodeComplaint(body: Uint8Array, partyCount: number): ComplaintBody {
  return read(body, (reader) => {
    if (reader.u8() !== COMPLAINT) throw malformed("it is no complaint");
    const renunciation = reader.take(SIGNATURE_SIZE);
    const messages: SignedMessage[] = [];
    const count = reader.u16();
    if (count > QUOTES_PER_PARTY * partyCount) throw malformed("it quotes too many messages");
    while (messages.length < count) {
      const headerSize = reader.u16();
      if (headerSize > HEADER_SIZE_MAX) throw malformed("a quoted header is too long");
      const header = reader.take(headerSize);
      messages.push({ header, body: reader.take(reader.u32()), signature: reader.take(SIGNATURE_SIZE) });
    }
    return { renunciation, messages };
  });
}

function read<T>(bytes: Uint8Array, decode: (reader: ByteReader) => T): T {
  const reader = new ByteReader(bytes, malformed);
  const value = decode(reader);
  reader.finish();
  return value;
}

function malformed(why: string) {
  return new ProtocolAbort("keygen_message_malformed", `A key generation message is malformed: ${why}.`);
}

/** The first byte of a body that is the round's own message. */
function ordinary(reader: ByteReader): void {
  if (reader.u8() !== ORDINARY) throw malformed("its kind is unknown");
}
