import type { TSchema } from "typebox";
import { Value } from "typebox/value";
import { expectation, type SchemaNode } from "./schema-walk.ts";

/** More than anyone reads at once. */
const PROBLEMS_MAX = 20;
/** Longer text would hide the sentence it stands in. */
const FOUND_LENGTH_MAX = 80;

/**
 * Everything that is wrong with a configuration, one sentence each: which setting, what was expected, what was found. Empty
 * when it fits. A setting that the schema does not name is wrong, whatever the schema says about additional properties.
 */
export function configProblems(schema: TSchema, value: unknown): string[] {
  const problems = walk(schema, value, "");
  // The schema decides; the walk only finds the words.
  if (problems.length === 0 && !Value.Check(schema, value)) {
    const [first] = Value.Errors(schema, value);
    return [`${first?.instancePath ?? "The file"} ${first?.message ?? "does not fit"}.`];
  }
  return problems.slice(0, PROBLEMS_MAX);
}

function walk(schema: SchemaNode, value: unknown, path: string): string[] {
  if (schema.anyOf !== undefined) return walkAlternatives(schema, schema.anyOf, value, path);
  if (schema.type === "object" && isObject(value)) return walkObject(schema, value, path);
  if (schema.type === "array" && Array.isArray(value) && value.length >= (schema.minItems ?? 0))
    return value.flatMap((item, i) => walk(schema.items ?? {}, item, `${path}[${i}]`));
  return fits(schema, value) ? [] : [mismatch(schema, value, path)];
}

function walkObject(schema: SchemaNode, value: Readonly<Record<string, unknown>>, path: string): string[] {
  const settings = schema.properties ?? {};
  const unknown = Object.keys(value)
    .filter((key) => !Object.hasOwn(settings, key))
    .map((key) => `${join(path, key)} is not a setting; there are: ${Object.keys(settings).join(", ")}.`);
  const wrong = Object.entries(settings).flatMap(([key, setting]) => {
    if (Object.hasOwn(value, key)) return walk(setting, value[key], join(path, key));
    return schema.required?.includes(key) ? [`${join(path, key)} is missing; expected ${expectation(setting)}.`] : [];
  });
  return [...unknown, ...wrong];
}

/** Alternatives are told apart by a setting that is one fixed word in each, as `provider` is; then only that one's problems count. */
function walkAlternatives(
  schema: SchemaNode,
  alternatives: readonly SchemaNode[],
  value: unknown,
  path: string,
): string[] {
  const attempts = alternatives.map((alternative) => walk(alternative, value, path));
  if (attempts.some((problems) => problems.length === 0)) return [];
  if (!isObject(value)) return [mismatch(schema, value, path)];
  const [word] = Object.keys(alternatives[0]?.properties ?? {}).filter((key) =>
    alternatives.every((alternative) => alternative.properties?.[key]?.const !== undefined),
  );
  if (word === undefined) return [mismatch(schema, value, path)];
  const chosen = alternatives.findIndex((alternative) => alternative.properties?.[word]?.const === value[word]);
  const words = alternatives.flatMap((alternative) => alternative.properties?.[word] ?? []);
  return attempts[chosen] ?? [mismatch({ anyOf: words }, value[word], join(path, word))];
}

function fits(schema: SchemaNode, value: unknown): boolean {
  return Value.Check(schema as TSchema, value);
}

function mismatch(schema: SchemaNode, value: unknown, path: string): string {
  return `${path === "" ? "The file" : path}: expected ${expectation(schema)}, found ${found(value)}.`;
}

function found(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (isObject(value)) return "an object";
  const text = JSON.stringify(value);
  // A URL may carry a password before its @; it must not end up in a log.
  return text.length > FOUND_LENGTH_MAX || text.includes("@") ? `${text.length} characters of text` : text;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function join(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}
