import { parseArgs } from "node:util";
import type { TSchema } from "typebox";
import { runtimeError } from "./errors.ts";
import { expectation, type SchemaNode } from "./schema-walk.ts";

/** What a service was asked to do. */
export type Command = { readonly kind: "run"; readonly configPath: string } | { readonly kind: "help" };

/** Reads a service's arguments (without program and script). Raises `command_line_invalid`. */
export function parseCommandLine(name: string, parameters: readonly string[]): Command {
  let values: { config?: string; help?: boolean };
  try {
    ({ values } = parseArgs({
      args: [...parameters],
      options: { config: { type: "string" }, help: { type: "boolean", short: "h" } },
    }));
  } catch (cause) {
    throw runtimeError("command_line_invalid", `${cause instanceof Error ? cause.message : cause}\n${usage(name)}`, {
      cause,
    });
  }
  if (values.help) return { kind: "help" };
  if (values.config === undefined || values.config === "")
    throw runtimeError("command_line_invalid", `${name} needs its configuration file.\n${usage(name)}`);
  return { kind: "run", configPath: values.config };
}

function usage(name: string): string {
  return `Usage: ${name} --config <file>     (--help lists the settings)`;
}

/** Text of `--help`: usage and every setting with what it takes. */
export function helpText(name: string, schema: TSchema): string {
  const lines = settingsOf(schema, "").map(([path, what]) => `  ${path.padEnd(28)} ${what}`);
  return [usage(name), "", "Settings of the configuration file (JSON):", ...lines, ""].join("\n");
}

function settingsOf(schema: SchemaNode, path: string, isRequired = true): [string, string][] {
  if (schema.properties !== undefined)
    return Object.entries(schema.properties).flatMap(([key, setting]) =>
      settingsOf(
        setting,
        path === "" ? key : `${path}.${key}`,
        isRequired && (schema.required?.includes(key) ?? false),
      ),
    );
  if (schema.items?.properties !== undefined) return settingsOf(schema.items, `${path}[]`, isRequired);
  if (schema.anyOf?.every((alternative) => alternative.properties !== undefined))
    return schema.anyOf.flatMap((alternative) => settingsOf(alternative, path, isRequired));
  return [[path, `${expectation(schema)}${isRequired ? "" : " (optional)"}`]];
}
