/** Reads fields off bytes in order; what it takes are copies. Ends early with what `malformed` makes of the reason. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #malformed: (why: string) => Error;
  #offset = 0;

  constructor(bytes: Uint8Array, malformed: (why: string) => Error) {
    this.#bytes = bytes;
    this.#malformed = malformed;
  }

  take(size: number): Uint8Array {
    const end = this.#offset + size;
    if (end > this.#bytes.length) throw this.#malformed("it ends early");
    // Not `slice`, which is a view where the bytes are a Buffer.
    const part = new Uint8Array(this.#bytes.subarray(this.#offset, end));
    this.#offset = end;
    return part;
  }

  rest(): Uint8Array {
    return this.take(this.#bytes.length - this.#offset);
  }

  u8(): number {
    return this.#view(1).getUint8(0);
  }

  u16(): number {
    return this.#view(2).getUint16(0);
  }

  u32(): number {
    return this.#view(4).getUint32(0);
  }

  /** Refuses bytes that nobody read. */
  finish(): void {
    if (this.#offset !== this.#bytes.length) throw this.#malformed("bytes are left over");
  }

  #view(size: number): DataView {
    return new DataView(this.take(size).buffer);
  }
}
