import type { CountersignError } from "@countersign/errors";
import { type JsonLimits, type JsonValue, parseJson } from "./json.ts";

/** Makes the caller's own error from a sentence, so that each door keeps its own code. */
export type Refuse = (sentence: string) => CountersignError;

/** What a text member may hold. */
export interface TextRules {
  /** Fewest UTF-16 units. Default 0. */
  readonly lengthMin?: number;
  /** Most UTF-16 units. */
  readonly lengthMax: number;
  /** The whole text matches. */
  readonly pattern?: RegExp;
}

/** Names short and plain enough to be repeated in an error. */
const PLAIN_NAME = /^[A-Za-z0-9_]{1,40}$/;

/**
 * Reads the members of one JSON object strictly: each by its name and type, and `finish` refuses what nobody read. Every
 * refusal goes through `refuse`.
 *
 * ```ts
 * const body = new JsonMembers(parseJson(text), "payload", (sentence) => intentError("payload_invalid", sentence));
 * const kind = body.text("kind", { lengthMax: 32 });
 * body.finish();
 * ```
 */
export class JsonMembers {
  readonly #members: { readonly [key: string]: JsonValue };
  readonly #unread: Set<string>;
  readonly #field: string;
  readonly #refuse: Refuse;

  constructor(value: JsonValue, field: string, refuse: Refuse) {
    if (value === null || typeof value !== "object" || Array.isArray(value)) throw refuse(`${field} is not an object.`);
    this.#members = value;
    this.#unread = new Set(Object.keys(value));
    this.#field = field;
    this.#refuse = refuse;
  }

  /** Parses the text and reads its object; `parseJson` raises `encoding_invalid`. */
  static parse(text: string, field: string, refuse: Refuse, limits: JsonLimits = {}): JsonMembers {
    return new JsonMembers(parseJson(text, field, limits), field, refuse);
  }

  /** Whether a member of that name is there. */
  has(name: string): boolean {
    return name in this.#members;
  }

  /** Any value that is there. */
  value(name: string): JsonValue {
    const value = this.#members[name];
    if (value === undefined) throw this.#refuse(`${this.#field}.${name} is missing.`);
    this.#unread.delete(name);
    return value;
  }

  /** A string within the rules. */
  text(name: string, { lengthMin = 0, lengthMax, pattern }: TextRules): string {
    const value = this.value(name);
    if (typeof value !== "string") throw this.#refuse(`${this.#field}.${name} is not a string.`);
    if (value.length < lengthMin || value.length > lengthMax)
      throw this.#refuse(`${this.#field}.${name} has ${value.length} characters, not ${lengthMin} to ${lengthMax}.`);
    if (pattern !== undefined && !pattern.test(value))
      throw this.#refuse(`${this.#field}.${name} does not match ${pattern.source}.`);
    return value;
  }

  /** A string within the rules, or nothing when no such member is there. `null` is not nothing. */
  optionalText(name: string, rules: TextRules): string | undefined {
    return this.has(name) ? this.text(name, rules) : undefined;
  }

  /** A string that is one of a few. */
  choice<T extends string>(name: string, choices: readonly T[]): T {
    const value = this.value(name);
    const choice = choices.find((one) => one === value);
    if (choice === undefined) throw this.#refuse(`${this.#field}.${name} is not one of ${choices.join(", ")}.`);
    return choice;
  }

  /** An integer within the bounds, both included. */
  integer(name: string, min: number, max: number): number {
    const value = this.value(name);
    if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max)
      throw this.#refuse(`${this.#field}.${name} is not an integer from ${min} to ${max}.`);
    return value;
  }

  /** A list within the bounds, both included. */
  list(name: string, min: number, max: number): readonly JsonValue[] {
    const value = this.value(name);
    if (!Array.isArray(value) || value.length < min || value.length > max)
      throw this.#refuse(`${this.#field}.${name} is not a list of ${min} to ${max} elements.`);
    return value;
  }

  /** The members of an object inside this one. */
  object(name: string): JsonMembers {
    return new JsonMembers(this.value(name), `${this.#field}.${name}`, this.#refuse);
  }

  /** Refuses members that nobody read: a misspelt option must not be silently without effect. */
  finish(): void {
    for (const name of this.#unread) {
      const shown = PLAIN_NAME.test(name) ? `"${name}"` : "of another name";
      throw this.#refuse(`${this.#field} has a member ${shown} that is not known here.`);
    }
  }
}
