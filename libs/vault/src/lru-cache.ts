/** The `sizeMax` entries used last. `evicted` gets every value that leaves, replaced ones included. */
export class LruCache<Value> {
  readonly #entries = new Map<string, Value>();
  readonly #sizeMax: number;
  readonly #evicted: (value: Value) => void;

  constructor(sizeMax: number, evicted: (value: Value) => void = () => {}) {
    this.#sizeMax = sizeMax;
    this.#evicted = evicted;
  }

  get(key: string): Value | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    // A map keeps the order of insertion: the first entry is the one used longest ago.
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  set(key: string, value: Value): void {
    this.delete(key);
    this.#entries.set(key, value);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#sizeMax) return;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    const value = this.#entries.get(key);
    if (value === undefined) return;
    this.#entries.delete(key);
    this.#evicted(value);
  }

  clear(): void {
    for (const key of [...this.#entries.keys()]) this.delete(key);
  }
}
