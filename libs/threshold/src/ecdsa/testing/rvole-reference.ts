import { createHash } from "node:crypto";
import { concatBytes, hex, u32be } from "@countersign/bytes";
import { secp256k1 } from "../../curves/secp256k1.ts";
import { systemRng } from "../../testing/system-rng.ts";
import { LIMBS } from "../limbs.ts";
import { answerExtension, COLUMN_WORDS, requestExtension } from "../ot-extension.ts";
import { GADGET_LENGTH } from "../parameters.ts";
import type { ReceivingSide, SendingSide } from "../rvole.ts";
import { TH } from "../transcript.ts";

// The multiplication of section 3.c in big integers and plain SHA-256, straight from its formulas. Not constant time.

const { order } = secp256k1;
const big = (bytes: Uint8Array) => BigInt(`0x${hex(bytes)}`);
const mod = (value: bigint) => ((value % order) + order) % order;
const bytes = (value: bigint) => new Uint8Array(Buffer.from(value.toString(16).padStart(64, "0"), "hex"));
const encode = (value: bigint) => bytes(mod(value));
const bit = (bits: Uint8Array, k: number) => ((bits[k >> 3] ?? 0) >> (k & 7)) & 1;

function weights(gadget: Float64Array): readonly bigint[] {
  return Array.from({ length: GADGET_LENGTH }, (_, j) =>
    gadget.subarray(LIMBS * j, LIMBS * (j + 1)).reduceRight((total, limb) => (total << 20n) + BigInt(limb), 0n),
  );
}

function rowOf(columns: Int32Array, j: number): Uint8Array {
  return new Uint8Array(columns.slice(COLUMN_WORDS * j, COLUMN_WORDS * (j + 1)).buffer);
}

/** RH(psid2, j, i, row). */
function rowHash(psid2: Uint8Array, j: number, i: number, row: Uint8Array): bigint {
  const input = concatBytes(TH("row", psid2), new Uint8Array(32), u32be(j), u32be(i), row);
  return big(createHash("sha256").update(input).digest()) % order;
}

function challengesOf(psid2: Uint8Array, corrections: Uint8Array): readonly [bigint, bigint] {
  const digest = TH("at", corrections);
  return [big(TH("theta", psid2, digest, 1)) % order, big(TH("theta", psid2, digest, 2)) % order];
}

export function request({ seeds, gadget }: ReceivingSide, psid1: Uint8Array, choices: Uint8Array) {
  const b = weights(gadget).reduce((total, weight, j) => total + BigInt(bit(choices, j)) * weight, 0n) % order;
  return { ...requestExtension(seeds, psid1, choices), choices, b };
}

/** Message 2 of a sender that may cheat in these ways and is consistent otherwise. */
export function answer(
  side: SendingSide,
  psid1: Uint8Array,
  psid2: Uint8Array,
  message1: Uint8Array,
  options: {
    /** Default: random ones. */
    readonly inputs?: readonly Uint8Array[];
    /** Rows in which the first input is one more than elsewhere. */
    readonly shifted?: readonly number[];
    /** Chooses the first input so that the very first correction is 5, and adds this to its encoding. */
    readonly excess?: bigint;
  } = {},
) {
  const { inputs = [systemRng(32), systemRng(32), systemRng(32)], shifted = [], excess } = options;
  const z = answerExtension(side, psid1, message1);
  if (z === undefined) throw new Error("CHECK-1 failed.");
  const a = inputs.map((input) => big(input) % order);
  const flip = (row: Uint8Array) => row.map((byte, k) => byte ^ (side.nabla[k] ?? 0));
  const first = rowOf(z, 0);
  if (excess !== undefined) a[0] = mod(rowHash(psid2, 0, 1, flip(first)) - rowHash(psid2, 0, 1, first) + 5n);
  const al0: bigint[][] = [];
  const at: Uint8Array[] = [];
  for (let j = 0; j < GADGET_LENGTH; j++) {
    const row = rowOf(z, j);
    al0.push([1, 2, 3].map((i) => rowHash(psid2, j, i, row)));
    for (const [k, input] of a.entries()) {
      const shift = k === 0 && shifted.includes(j) ? 1n : 0n;
      at.push(encode((al0[j]?.[k] ?? 0n) - rowHash(psid2, j, k + 1, flip(row)) + input + shift));
    }
  }
  if (excess !== undefined) at[0] = bytes(5n + excess);
  const corrections = concatBytes(...at);
  const [theta1, theta2] = challengesOf(psid2, corrections);
  const [a1 = 0n, a2 = 0n, a3 = 0n] = a;
  const eta = encode(a3 + theta1 * a1 + theta2 * a2);
  const values = al0.map(([x = 0n, y = 0n, check = 0n]) => encode(check + theta1 * x + theta2 * y));
  const mu = TH("mu", psid2, concatBytes(...values));
  const g = weights(side.gadget);
  const c = [0, 1].map((k) => mod(-al0.reduce((total, row, j) => total + (g[j] ?? 0n) * (row[k] ?? 0n), 0n)));
  return { message: concatBytes(corrections, eta, mu), c };
}

export function complete(
  { gadget }: ReceivingSide,
  { columns, choices }: { readonly columns: Int32Array; readonly choices: Uint8Array },
  psid2: Uint8Array,
  message2: Uint8Array,
): readonly bigint[] {
  const at = (j: number, k: number) => big(message2.subarray(32 * (3 * j + k), 32 * (3 * j + k + 1)));
  const g = weights(gadget);
  const dd = (j: number, k: number) => rowHash(psid2, j, k + 1, rowOf(columns, j)) + BigInt(bit(choices, j)) * at(j, k);
  return [0, 1].map((k) => mod(g.reduce((total, weight, j) => total + weight * dd(j, k), 0n)));
}
