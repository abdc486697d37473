/** Something that must show nowhere but at home. */
export interface Canary {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Files of the data folder in which it is kept. */
  readonly homes: readonly string[];
}

/** A canary in one of the forms in which programs leak bytes. */
interface Needle {
  readonly canary: Canary;
  readonly form: string;
  readonly bytes: Buffer;
}

/** Needles are told apart by so many leading bytes before they are compared whole. */
const PREFIX_BYTES = 4;

/** Finds canaries in any form, in one pass over the bytes however many there are. */
export class SecretSearch {
  readonly #byPrefix: Map<number, Needle[]>;
  /** Whether any needle begins with these two bytes: lets the pass skip nearly everything. */
  readonly #begins = new Uint8Array(65_536);

  constructor(canaries: readonly Canary[]) {
    const needles = canaries.flatMap((canary) =>
      formsOf(canary.bytes).map(([form, bytes]) => ({ canary, form, bytes })),
    );
    this.#byPrefix = Map.groupBy(needles, ({ bytes }) => bytes.readUInt32BE(0));
    for (const { bytes } of needles) this.#begins[bytes.readUInt16BE(0)] = 1;
  }

  /** Canaries that are in the bytes, with the form. */
  find(haystack: Buffer): { readonly canary: Canary; readonly form: string }[] {
    const found = new Set<Needle>();
    for (let at = 0; at + PREFIX_BYTES <= haystack.length; at++) {
      if (this.#begins[((haystack[at] ?? 0) << 8) | (haystack[at + 1] ?? 0)] === 0) continue;
      for (const needle of this.#byPrefix.get(haystack.readUInt32BE(at)) ?? [])
        if (haystack.subarray(at, at + needle.bytes.length).equals(needle.bytes)) found.add(needle);
    }
    return [...found];
  }
}

/** Every form of a secret's bytes: as they are, in hex, base64 wherever it begins in what is encoded, and in decimals. */
export function formsOf(secret: Uint8Array): [form: string, bytes: Buffer][] {
  const raw = Buffer.from(secret);
  const texts: [string, string][] = [
    ["hex", raw.toString("hex")],
    ["upper-case hex", raw.toString("hex").toUpperCase()],
    ["hex pairs", raw.toString("hex").replace(/..(?!$)/g, "$& ")],
    ["decimals", raw.join(",")],
    ["spaced decimals", raw.join(", ")],
    ...[0, 1, 2].flatMap((offset): [string, string][] => {
      const text = alignedBase64(raw, offset);
      const url = text.replaceAll("+", "-").replaceAll("/", "_");
      return [
        [`base64 at ${offset}`, text],
        ...(url === text ? [] : [[`base64url at ${offset}`, url] as [string, string]]),
      ];
    }),
  ];
  return [["raw", raw], ...texts.map(([form, text]): [string, Buffer] => [form, Buffer.from(text)])];
}

/** The characters that base64 has for these bytes alone when `offset` others (modulo 3) stand before them. */
function alignedBase64(bytes: Buffer, offset: number): string {
  const text = Buffer.concat([Buffer.alloc(offset), bytes])
    .toString("base64")
    .replace(/=+$/, "");
  const isWhole = (offset + bytes.length) % 3 === 0;
  return text.slice(Math.ceil((offset * 8) / 6), isWhole ? undefined : -1);
}
