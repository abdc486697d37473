/**
 * SHA-256 compressions of four blocks at a time, as a WebAssembly function that is assembled here when it is first used: there is no
 * binary whose source is elsewhere. Written for the row hash's blocks: j + lane, i, four words of row, padding (`row-hash.ts`).
 */
export interface RowHashKernel {
  /** Eight words of midstate, each once per lane. */
  readonly midstate: Int32Array;
  /** Four words of row, each with its four lanes. */
  readonly rows: Int32Array;
  /** Eight words of hash, each with its four lanes. */
  readonly hashes: Int32Array;
  /** Hashes rows j..j+3 with `i`. */
  run(j: number, i: number): void;
}

/** What is used of the platform's WebAssembly, whose types TypeScript gives to browsers only. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
  ) => {
    readonly exports: {
      readonly memory: { readonly buffer: ArrayBuffer };
      readonly run: (j: number, i: number) => void;
    };
  };
};

/** Rows hashed at once. */
export const LANES = 4;

const ROUNDS = 64;
const STATE_WORDS = 8;
const BLOCK_WORDS = 16;
const ROW_WORDS = 4;
/** Bytes of a vector. */
const VECTOR = 16;
/** Where the function finds midstate and rows and leaves the hashes. */
const ROWS_AT = STATE_WORDS * VECTOR;
const HASHES_AT = ROWS_AT + ROW_WORDS * VECTOR;

/** Locals: the parameters j and i, then vectors: the state a..h, the schedule's last sixteen words, one value in passing. */
const J = 0;
const I = 1;
const STATE = 2;
const SCHEDULE = STATE + STATE_WORDS;
const PASSING = SCHEDULE + BLOCK_WORDS;
const VECTOR_LOCALS = STATE_WORDS + BLOCK_WORDS + 1;

/** Opcodes of the WebAssembly specification, section 5.4. */
const OP = { end: 0x0b, get: 0x20, set: 0x21, tee: 0x22, const: 0x41 } as const;
const SIMD = {
  load: [0xfd, 0x00],
  store: [0xfd, 0x0b],
  const: [0xfd, 0x0c],
  splat: [0xfd, 0x11],
  and: [0xfd, 0x4e],
  or: [0xfd, 0x50],
  xor: [0xfd, 0x51],
  shl: [0xfd, 0xab, 0x01],
  shr: [0xfd, 0xad, 0x01],
  add: [0xfd, 0xae, 0x01],
} as const;
const TYPE = { i32: 0x7f, vector: 0x7b, func: 0x60 } as const;
/** log2 of a vector's alignment, for loads and stores. */
const ALIGNMENT = 4;

let kernel: RowHashKernel | undefined;

/** The kernel of this thread. `K` are SHA-256's round constants, `padding` words 6..15 of the block. */
export function rowHashKernel(K: Int32Array, padding: readonly number[]): RowHashKernel {
  kernel ??= instantiate(moduleBytes(compression(K, padding)));
  return kernel;
}

function instantiate(bytes: Uint8Array): RowHashKernel {
  const { memory, run } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
  const words = (at: number, count: number) => new Int32Array(memory.buffer, at, count * LANES);
  return {
    midstate: words(0, STATE_WORDS),
    rows: words(ROWS_AT, ROW_WORDS),
    hashes: words(HASHES_AT, STATE_WORDS),
    run,
  };
}

/** One compression (FIPS 180-4, section 6.2.2), its 64 rounds one after the other. */
function compression(K: Int32Array, padding: readonly number[]): number[] {
  const code: number[] = [];
  const emit = (...parts: readonly (number | readonly number[])[]) => {
    for (const part of parts) code.push(...(typeof part === "number" ? [part] : part));
  };
  for (let word = 0; word < STATE_WORDS; word++) emit(load(word * VECTOR), OP.set, STATE + word);
  emit(OP.get, J, SIMD.splat, vector([0, 1, 2, 3]), SIMD.add, OP.set, SCHEDULE);
  emit(OP.get, I, SIMD.splat, OP.set, SCHEDULE + 1);
  for (let word = 0; word < ROW_WORDS; word++) emit(load(ROWS_AT + word * VECTOR), OP.set, SCHEDULE + 2 + word);
  for (const [place, word] of padding.entries())
    emit(vector([word, word, word, word]), OP.set, SCHEDULE + 2 + ROW_WORDS + place);

  for (let t = 0; t < ROUNDS; t++) {
    if (t >= BLOCK_WORDS) emit(scheduleStep(t));
    // Variables do not change places; their names do.
    const name = (k: number) => STATE + ((((k - t) % STATE_WORDS) + STATE_WORDS) % STATE_WORDS);
    const [a, b, c, d, e, f, g, h] = [0, 1, 2, 3, 4, 5, 6, 7].map(name) as [...Octet];
    const k = K[t] ?? 0;
    emit(get(h), sigma(e, [6, 11, 25]), SIMD.add);
    // Ch(e, f, g) = g xor (e and (f xor g)).
    emit(get(g), get(e), get(f), get(g), SIMD.xor, SIMD.and, SIMD.xor, SIMD.add);
    emit(vector([k, k, k, k]), SIMD.add, get(SCHEDULE + (t % BLOCK_WORDS)), SIMD.add, OP.set, PASSING);
    emit(get(d), get(PASSING), SIMD.add, OP.set, d);
    emit(get(PASSING), sigma(a, [2, 13, 22]), SIMD.add);
    // Maj(a, b, c) = (a and b) or (c and (a or b)).
    emit(get(a), get(b), SIMD.and, get(c), get(a), get(b), SIMD.or, SIMD.and, SIMD.or, SIMD.add, OP.set, h);
  }
  // After 64 rounds every name is back in its place.
  for (let word = 0; word < STATE_WORDS; word++)
    emit(
      OP.const,
      0,
      get(STATE + word),
      load(word * VECTOR),
      SIMD.add,
      SIMD.store,
      memoryAt(HASHES_AT + word * VECTOR),
    );
  return code;
}

type Octet = [number, number, number, number, number, number, number, number];

/** w_t = sigma1(w_(t-2)) + w_(t-7) + sigma0(w_(t-15)) + w_(t-16), in place of the last of these. */
function scheduleStep(t: number): number[] {
  const word = (back: number) => SCHEDULE + ((t - back) % BLOCK_WORDS);
  return [
    ...get(word(16)),
    ...sigma(word(15), [7, 18], 3),
    ...SIMD.add,
    ...get(word(7)),
    ...SIMD.add,
    ...sigma(word(2), [17, 19], 10),
    ...SIMD.add,
    OP.set,
    word(16),
  ];
}

/** The sum (xor) of a local's rotations, and of a shift where there is one. */
function sigma(local: number, rotations: readonly number[], shift?: number): number[] {
  const terms = rotations.map((count) => [
    ...get(local),
    ...constant(count),
    ...SIMD.shr,
    ...get(local),
    ...constant(32 - count),
    ...SIMD.shl,
    ...SIMD.or,
  ]);
  if (shift !== undefined) terms.push([...get(local), ...constant(shift), ...SIMD.shr]);
  return terms.flatMap((term, place) => (place === 0 ? term : [...term, ...SIMD.xor]));
}

function get(local: number): number[] {
  return [OP.get, local];
}

/** A small constant, 0..63: one byte of signed LEB128. */
function constant(value: number): number[] {
  return [OP.const, value];
}

function vector(lanes: readonly number[]): number[] {
  return [...SIMD.const, ...new Uint8Array(Int32Array.from(lanes).buffer)];
}

function load(at: number): number[] {
  return [...constant(0), ...SIMD.load, ...memoryAt(at)];
}

function memoryAt(offset: number): number[] {
  return [ALIGNMENT, ...unsigned(offset)];
}

/** Unsigned LEB128. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

/** A module with one memory and one function (WebAssembly specification, section 5.5). */
function moduleBytes(code: readonly number[]): Uint8Array {
  const section = (id: number, ...content: readonly number[]) => [id, ...unsigned(content.length), ...content];
  const name = (text: string) => [text.length, ...Buffer.from(text, "ascii")];
  const body = [1, VECTOR_LOCALS, TYPE.vector, ...code, OP.end];
  return Uint8Array.of(
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, 1, TYPE.func, 2, TYPE.i32, TYPE.i32, 0),
    ...section(3, 1, 0),
    ...section(5, 1, 0, 1),
    ...section(7, 2, ...name("memory"), 2, 0, ...name("run"), 0, 0),
    ...section(10, 1, ...unsigned(body.length), ...body),
  );
}
