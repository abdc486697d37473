import { open } from "node:fs/promises";

/** Read at a time. */
const CHUNK_BYTES = 65_536;
/** Read of a file that is longer than what anybody looks through; its older part is skipped. */
const FIRST_READ_BYTES_MAX = 16 * 1024 * 1024;

/** Reads a log file's whole lines, each once, as they are written. */
export class LogReader {
  readonly #path: string;
  #offset = 0;
  #rest = "";
  readonly #decoder = new TextDecoder();

  constructor(path: string) {
    this.#path = path;
  }

  /** Lines that were completed since the last call. A file that is gone or was set aside starts over. */
  async read(): Promise<string[]> {
    const file = await open(this.#path, "r").catch(() => undefined);
    if (file === undefined) return [];
    try {
      const { size } = await file.stat();
      if (size < this.#offset) this.#offset = 0;
      if (this.#offset === 0) this.#offset = Math.max(0, size - FIRST_READ_BYTES_MAX);
      const buffer = Buffer.alloc(CHUNK_BYTES);
      while (this.#offset < size) {
        const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, size - this.#offset), this.#offset);
        if (bytesRead === 0) break;
        this.#offset += bytesRead;
        this.#rest += this.#decoder.decode(buffer.subarray(0, bytesRead), { stream: true });
      }
    } finally {
      await file.close();
    }
    const lines = this.#rest.split("\n");
    this.#rest = lines.pop() ?? "";
    return lines.filter((line) => line.trim() !== "");
  }
}
