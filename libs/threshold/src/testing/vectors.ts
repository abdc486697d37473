import { readFileSync } from "node:fs";

const FOLDER = new URL("../../vectors/", import.meta.url);

/** Reads a JSON file of the package's `vectors` folder; the caller names its shape. */
export function readVectors<Shape>(path: string): Shape {
  return JSON.parse(readVectorText(path));
}

/** Reads a text file of the package's `vectors` folder. */
export function readVectorText(path: string): string {
  return readFileSync(new URL(path, FOLDER), "utf8");
}

/** Bytes of published hex, upper or lower case. */
export function fromHex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "hex"));
}
