import { decodeUtf8, parseJson } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import type { Static, TSchema } from "typebox";
import { configProblems } from "./config-problems.ts";
import { runtimeError } from "./errors.ts";
import { readBounded } from "./read-file.ts";

/** No configuration of ours comes near. */
const CONFIG_BYTES_MAX = 256 * 1024;

/** Reads a configuration file as strict JSON of a schema. Raises `file_unreadable` and `config_invalid` with every problem in it. */
export async function readConfig<S extends TSchema>(path: string, schema: S): Promise<Static<S>> {
  const bytes = await readBounded(path, CONFIG_BYTES_MAX);
  const value = parse(path, bytes);
  const problems = configProblems(schema, value);
  if (problems.length > 0)
    throw runtimeError("config_invalid", [`${path} cannot be used:`, ...problems].join("\n  "), { details: { path } });
  return value as Static<S>;
}

function parse(path: string, bytes: Uint8Array): unknown {
  try {
    return parseJson(decodeUtf8(bytes), "The text");
  } catch (cause) {
    const why = cause instanceof CountersignError ? cause.message : String(cause);
    throw runtimeError("config_invalid", `${path} cannot be used: ${why}`, { details: { path }, cause });
  }
}
