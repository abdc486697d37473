import { wipe } from "@countersign/bytes";
import { ELEMENT_SIZE, type Element, type Exponent, ristretto255 } from "../curves/ristretto255.ts";
import type { Rng } from "../delivery.ts";
import { bitOf } from "../ecdsa/ot-extension.ts";
import { COLUMNS, WORD_SIZE } from "../ecdsa/parameters.ts";
import { TH, TH512 } from "../ecdsa/transcript.ts";
import { ProtocolAbort } from "../errors.ts";
import type { Pause } from "../steps.ts";

/** OT1 and OT2: two elements for each of the 128 transfers. */
export const BASE_OT_BYTES = 2 * COLUMNS * ELEMENT_SIZE;
/** Transfers between two pauses: a few milliseconds of work. */
const BURST = 8;

/**
 * The receiver of 128 endemic base oblivious transfers (Masny and Rindal, 2019/706, figure 8; ECDSA specification, section 3.b) on
 * ristretto255. The RVOLE sender plays it: its choice bits become nabla.
 */
export interface BaseOtReceiver {
  /** OT1: R_0 ‖ R_1 for each transfer, 8,192 bytes. */
  readonly request: Uint8Array;
  /** The seeds F_jb it chose, 4,096 bytes, from OT2; raises `point_invalid`. */
  complete(answer: Uint8Array): Promise<Uint8Array>;
  /** nabla_j = 1 - b_j: the index of the seed that it does not know. 16 bytes. */
  readonly nabla: Uint8Array;
  /** Overwrites what `complete` needs. */
  wipe(): void;
}

/** Starts the receiver's side: draws choices and exponents, and computes OT1. */
export async function requestBaseOts(pairSid: Uint8Array, rng: Rng, pause: Pause): Promise<BaseOtReceiver> {
  const choices = rng(COLUMNS / 8);
  const exponents: Exponent[] = [];
  const request = new Uint8Array(BASE_OT_BYTES);
  for (let j = 0; j < COLUMNS; j++) {
    const choice = bitOf(choices, j);
    const t = ristretto255.randomExponent(rng);
    exponents.push(t);
    const uniform = rng(64);
    // Nobody knows the logarithm of the element in the slot that was not chosen.
    const other = ristretto255.fromUniform(uniform);
    const chosen = ristretto255.subtract(ristretto255.multiplyBase(t), hashToGroup(pairSid, j, choice, other));
    request.set(select(choice, chosen, other), 2 * ELEMENT_SIZE * j);
    request.set(select(1 - choice, chosen, other), 2 * ELEMENT_SIZE * j + ELEMENT_SIZE);
    if (j % BURST === BURST - 1) await pause();
  }
  return {
    request,
    nabla: Uint8Array.from(choices, (byte) => ~byte),
    complete: (answer) => completeBaseOts({ pairSid, choices, exponents, request, pause }, answer),
    wipe: () => wipe(choices, ...exponents),
  };
}

interface ReceiverState {
  readonly pairSid: Uint8Array;
  readonly choices: Uint8Array;
  readonly exponents: readonly Exponent[];
  readonly request: Uint8Array;
  readonly pause: Pause;
}

/** F_jb = TH("mr-k", pairSid, j, b, R_0, R_1, Y_b, t_j * Y_b). */
async function completeBaseOts(state: ReceiverState, answer: Uint8Array): Promise<Uint8Array> {
  const { pairSid, choices, exponents, request, pause } = state;
  const answers = decodeElements(answer);
  const seeds = new Uint8Array(COLUMNS * WORD_SIZE);
  for (const [j, t] of exponents.entries()) {
    const choice = bitOf(choices, j);
    const [Y0, Y1] = elementsAt(answers, j);
    const Y = select(choice, Y0, Y1) as Element;
    const [R0, R1] = [slot(request, j, 0), slot(request, j, 1)];
    const shared = ristretto255.multiply(t, Y);
    seeds.set(TH("mr-k", pairSid, j, choice, R0, R1, Y, shared), WORD_SIZE * j);
    wipe(shared);
    if (j % BURST === BURST - 1) await pause();
  }
  return seeds;
}

/** The sender's answer: OT2 = Y_0 ‖ Y_1 for each transfer, and both seeds of each. */
export interface BaseOtAnswer {
  readonly answer: Uint8Array;
  /** F_j0 ‖ F_j1 for each transfer, 8,192 bytes. Secret. */
  readonly seeds: Uint8Array;
}

/** The sender of the 128 transfers, which the RVOLE receiver plays. Raises `point_invalid`, or `link_setup_failed` where R_0 = R_1. */
export async function answerBaseOts(
  pairSid: Uint8Array,
  request: Uint8Array,
  rng: Rng,
  pause: Pause,
): Promise<BaseOtAnswer> {
  const requested = decodeElements(request);
  const answer = new Uint8Array(BASE_OT_BYTES);
  const seeds = new Uint8Array(2 * COLUMNS * WORD_SIZE);
  for (let j = 0; j < COLUMNS; j++) {
    const R = elementsAt(requested, j);
    if (ristretto255.equal(R[0], R[1]))
      throw new ProtocolAbort("link_setup_failed", `Transfer ${j} of a link's setup offers one element twice.`);
    for (const c of [0, 1] as const) {
      const M = ristretto255.add(R[c], hashToGroup(pairSid, j, c, R[1 - c] as Element));
      const y = ristretto255.randomExponent(rng);
      const Y = ristretto255.multiplyBase(y);
      const shared = ristretto255.multiply(y, M);
      answer.set(Y, ELEMENT_SIZE * (2 * j + c));
      seeds.set(TH("mr-k", pairSid, j, c, R[0], R[1], Y, shared), WORD_SIZE * (2 * j + c));
      wipe(y, shared);
    }
    if (j % BURST === BURST - 1) await pause();
  }
  return { answer, seeds };
}

/** H2G(bit, P), bound to direction, link and place, so that nothing of one transfer is of use in another. */
function hashToGroup(pairSid: Uint8Array, j: number, bit: number, P: Element): Element {
  return ristretto255.fromUniform(TH512("mr-h", pairSid, j, bit, P));
}

/** `first` for 0, `second` for 1, by masks: the choice is secret. */
function select(choice: number, first: Uint8Array, second: Uint8Array): Uint8Array {
  const mask = 0 - choice;
  return first.map((byte, k) => byte ^ (mask & (byte ^ (second[k] ?? 0))));
}

/** All 256 elements of a message, each checked; raises `point_invalid`. */
function decodeElements(bytes: Uint8Array): readonly Element[] {
  if (bytes.length !== BASE_OT_BYTES)
    throw new ProtocolAbort("point_invalid", `Expected ${BASE_OT_BYTES} bytes of base OT, found ${bytes.length}.`);
  return Array.from({ length: 2 * COLUMNS }, (_, place) =>
    ristretto255.decode(bytes.subarray(ELEMENT_SIZE * place, ELEMENT_SIZE * (place + 1))),
  );
}

function elementsAt(elements: readonly Element[], j: number): readonly [Element, Element] {
  const [first, second] = [elements[2 * j], elements[2 * j + 1]];
  if (first === undefined || second === undefined) throw new RangeError(`There is no transfer ${j}.`);
  return [first, second];
}

function slot(message: Uint8Array, j: number, c: 0 | 1): Uint8Array {
  return message.subarray(ELEMENT_SIZE * (2 * j + c), ELEMENT_SIZE * (2 * j + c + 1));
}
