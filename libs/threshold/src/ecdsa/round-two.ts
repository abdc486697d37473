import { concatBytes } from "@countersign/bytes";
import type { Point, Scalar } from "../curves/curve.ts";
import { secp256k1 } from "../curves/secp256k1.ts";
import { WORD_SIZE } from "./parameters.ts";
import { ANSWER_BYTES } from "./rvole.ts";

const POINT_SIZE = 33;
/** One item's R2 message (ECDSA specification, section 3.d): 40,228 bytes. */
export const ANSWER_MESSAGE_BYTES = WORD_SIZE + ANSWER_BYTES + 4 * POINT_SIZE + 2 * WORD_SIZE;

/** R2 from one party to another. */
export interface AnswerMessage {
  readonly D: Uint8Array;
  /** Message 2 of the multiplication: at ‖ eta ‖ mu. */
  readonly answer: Uint8Array;
  /** Gamma_u = cu*G and Gamma_v = cv*G. */
  readonly gammaU: Point;
  readonly gammaV: Point;
  /** psi = phi_i - chi. */
  readonly psi: Scalar;
  /** pk_i. */
  readonly publicShare: Point;
  readonly R: Point;
  readonly salt: Uint8Array;
}

export function encodeAnswer(message: AnswerMessage): Uint8Array {
  const { D, answer, gammaU, gammaV, psi, publicShare, R, salt } = message;
  return concatBytes(D, answer, gammaU, gammaV, psi, publicShare, R, salt);
}

/** D of a message of `ANSWER_MESSAGE_BYTES`, before anything else of it is looked at. */
export function answerDigest(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, WORD_SIZE);
}

/** Reads a message of `ANSWER_MESSAGE_BYTES`; raises `point_invalid`, `scalar_invalid`. The answer is checked by its multiplication. */
export function decodeAnswer(bytes: Uint8Array): AnswerMessage {
  let offset = 0;
  const take = (size: number) => {
    offset += size;
    return bytes.slice(offset - size, offset);
  };
  const [D, answer] = [take(WORD_SIZE), take(ANSWER_BYTES)];
  const [gammaU, gammaV] = [secp256k1.decodePoint(take(POINT_SIZE)), secp256k1.decodePoint(take(POINT_SIZE))];
  const psi = secp256k1.decodeScalar(take(WORD_SIZE));
  const [publicShare, R] = [secp256k1.decodePoint(take(POINT_SIZE)), secp256k1.decodePoint(take(POINT_SIZE))];
  return { D, answer, gammaU, gammaV, psi, publicShare, R, salt: take(WORD_SIZE) };
}
