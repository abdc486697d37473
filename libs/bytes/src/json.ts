import { encodingError } from "./errors.ts";

/** A JSON value as parsed: objects have no prototype, so `__proto__` is an ordinary key. */
export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };

/** Bounds of what is parsed. */
export interface JsonLimits {
  /** Longest input, UTF-16 units. Default 262,144. */
  readonly textLengthMax?: number;
  /** Deepest nesting of objects and arrays. Default 32. */
  readonly depthMax?: number;
  /** Most values, objects and arrays included. Default 10,000. */
  readonly valuesMax?: number;
}

/** Larger than any request of the API; a bound for the parser's work, a few milliseconds at most. */
const TEXT_LENGTH_MAX = 262_144;
/** Deep enough for typed data; shallow enough that recursion is safe. */
const DEPTH_MAX = 32;
/** More than any request has; values cost far more than characters, and a signer's loop must not stand still for 10 ms. */
const VALUES_MAX = 10_000;
/** The longest shortest spelling of a double has 24 characters (-2.2250738585072014e-308). */
const NUMBER_LENGTH_MAX = 24;

/**
 * Parses JSON (RFC 8259) strictly. Beyond `JSON.parse` it refuses duplicate keys, lone surrogates, integers beyond 2^53-1, and
 * any number not in the one spelling that JavaScript prints (`1.0`, `1e2`, `-0`, digits a double does not hold): what was
 * signed, what is stored and what is executed are then the same text. Work is linear in the input. Raises `encoding_invalid`;
 * messages tell a place, never the content.
 */
export function parseJson(text: string, field = "body", limits: JsonLimits = {}): JsonValue {
  const { textLengthMax = TEXT_LENGTH_MAX, depthMax = DEPTH_MAX, valuesMax = VALUES_MAX } = limits;
  if (text.length > textLengthMax) throw refuse(field, `longer than ${textLengthMax} characters`);
  if (!text.isWellFormed()) throw refuse(field, "not well-formed Unicode");
  return new Parser(text, field, depthMax, valuesMax).document();
}

function refuse(field: string, why: string, cause?: unknown) {
  return encodingError("encoding_invalid", `${field} is not acceptable JSON: ${why}.`, { cause });
}

const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

class Parser {
  private at = 0;
  private readonly text: string;
  private readonly field: string;
  private readonly depthMax: number;
  private valuesLeft: number;

  constructor(text: string, field: string, depthMax: number, valuesMax: number) {
    this.text = text;
    this.field = field;
    this.depthMax = depthMax;
    this.valuesLeft = valuesMax;
  }

  document(): JsonValue {
    const value = this.value(0);
    this.space();
    if (this.at !== this.text.length) throw this.unexpected();
    return value;
  }

  /** `depth` counts the objects and arrays around the value. */
  private value(depth: number): JsonValue {
    this.space();
    if (this.valuesLeft-- === 0) throw refuse(this.field, "too many values");
    switch (this.text[this.at]) {
      case "{":
        return this.object(this.deeper(depth));
      case "[":
        return this.array(this.deeper(depth));
      case '"':
        return this.string();
      case "t":
        return this.word("true", true);
      case "f":
        return this.word("false", false);
      case "n":
        return this.word("null", null);
      default:
        return this.number();
    }
  }

  private deeper(depth: number): number {
    if (depth >= this.depthMax) throw refuse(this.field, `nested deeper than ${this.depthMax}`);
    this.at++;
    return depth + 1;
  }

  private object(depth: number): JsonValue {
    const object: { [key: string]: JsonValue } = Object.create(null);
    if (this.closes("}")) return object;
    for (;;) {
      this.space();
      const start = this.at;
      const key = this.string();
      if (key in object) throw refuse(this.field, `the key at ${start} appears twice in its object`);
      this.expect(":");
      object[key] = this.value(depth);
      if (this.closes("}")) return object;
      this.expect(",");
    }
  }

  private array(depth: number): JsonValue {
    const array: JsonValue[] = [];
    if (this.closes("]")) return array;
    for (;;) {
      array.push(this.value(depth));
      if (this.closes("]")) return array;
      this.expect(",");
    }
  }

  private string(): string {
    if (this.text[this.at] !== '"') throw this.unexpected();
    const start = this.at++;
    let escaped = false;
    for (;;) {
      const unit = this.text.charCodeAt(this.at);
      // NaN at the end of the text is neither: it fails the comparison that every allowed unit passes.
      if (!(unit >= SPACE)) throw this.unexpected();
      if (unit === QUOTE) break;
      if (unit === BACKSLASH) {
        escaped = true;
        this.at++;
      }
      this.at++;
    }
    this.at++;
    return escaped ? this.unescape(start) : this.text.slice(start + 1, this.at - 1);
  }

  private unescape(start: number): string {
    let value: string;
    try {
      value = JSON.parse(this.text.slice(start, this.at));
    } catch (cause) {
      throw refuse(this.field, `a bad escape in the string at ${start}`, cause);
    }
    if (!value.isWellFormed()) throw refuse(this.field, `an escape in the string at ${start} makes a lone surrogate`);
    return value;
  }

  private number(): number {
    const start = this.at;
    while (isNumberUnit(this.text.charCodeAt(this.at)) && this.at - start <= NUMBER_LENGTH_MAX) this.at++;
    const token = this.text.slice(start, this.at);
    if (token === "") throw this.unexpected();
    const value = Number(token);
    if (!NUMBER.test(token) || String(value) !== token)
      throw refuse(this.field, `the number at ${start} is not in the shortest spelling of a double`);
    if (Number.isInteger(value) && !Number.isSafeInteger(value))
      throw refuse(this.field, `the number at ${start} is beyond 2^53-1`);
    return value;
  }

  private word<T extends JsonValue>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) throw this.unexpected();
    this.at += word.length;
    return value;
  }

  private closes(bracket: string): boolean {
    this.space();
    if (this.text[this.at] !== bracket) return false;
    this.at++;
    return true;
  }

  private expect(mark: string): void {
    this.space();
    if (this.text[this.at] !== mark) throw this.unexpected();
    this.at++;
  }

  private space(): void {
    for (;;) {
      const unit = this.text.charCodeAt(this.at);
      if (unit !== SPACE && unit !== LINE_FEED && unit !== CARRIAGE_RETURN && unit !== TAB) return;
      this.at++;
    }
  }

  private unexpected() {
    return this.at >= this.text.length
      ? refuse(this.field, "it ends early")
      : refuse(this.field, `unexpected character at ${this.at}`);
  }
}

/** Digits and the marks `+ - . e E`; which orders of them are numbers is the pattern's business. */
function isNumberUnit(unit: number): boolean {
  if (unit >= 0x30 && unit <= 0x39) return true;
  return unit === 0x2b || unit === 0x2d || unit === 0x2e || unit === 0x45 || unit === 0x65;
}
