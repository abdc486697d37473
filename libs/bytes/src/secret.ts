import { inspect } from "node:util";
import { wipe } from "./bytes.ts";

/**
 * Bytes that must not leak. Prints as `[secret]` wherever it is logged, stringified or inspected. `wipe` overwrites the
 * bytes this object holds; copies that WebAssembly, native calls or the garbage collector made are out of its reach.
 */
export class Secret {
  readonly #bytes: Uint8Array;
  #wiped = false;

  /** Takes ownership: the caller must not keep or reuse `bytes`. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The bytes themselves, for the one computation that needs them. Throws once wiped. */
  expose(): Uint8Array {
    if (this.#wiped) throw new Error("This secret was wiped.");
    return this.#bytes;
  }

  /** Overwrites the bytes; safe to call twice. */
  wipe(): void {
    this.#wiped = true;
    wipe(this.#bytes);
  }

  [Symbol.dispose](): void {
    this.wipe();
  }

  toJSON(): string {
    return "[secret]";
  }

  toString(): string {
    return "[secret]";
  }

  [inspect.custom](): string {
    return "[secret]";
  }
}
