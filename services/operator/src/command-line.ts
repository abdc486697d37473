import { parseArgs } from "node:util";
import { CountersignError } from "@countersign/errors";
import { didYouMean } from "./did-you-mean.ts";
import { operatorError } from "./errors.ts";
import type { Terminal } from "./terminal.ts";

/** One flag of a verb. */
export type Option =
  | { readonly kind: "flag"; readonly help: string }
  | { readonly kind: "text"; readonly placeholder: string; readonly help: string }
  | {
      readonly kind: "number";
      readonly placeholder: string;
      readonly min: number;
      readonly max: number;
      readonly help: string;
    };

type Options = Readonly<Record<string, Option>>;

/** Parsed flags of a verb: flags are booleans, the others undefined when absent. */
export type ValuesOf<O extends Options> = {
  readonly [K in keyof O]: O[K]["kind"] extends "flag"
    ? boolean
    : (O[K]["kind"] extends "number" ? number : string) | undefined;
};

/** A verb as its file defines it. */
export interface VerbDefinition<O extends Options> {
  readonly name: string;
  /** Placeholder of the one positional argument, when there is one, for example `[service]`. */
  readonly argument?: string;
  readonly options: O;
  /** Closing paragraphs of the help text: exit codes, what is kept, examples. */
  readonly notes?: string;
  /** Resolves with the exit code. */
  run(values: ValuesOf<O>, terminal: Terminal, argument: string | undefined): Promise<number>;
}

/** A verb ready to be called with its part of the command line. */
export interface Verb {
  help(summary: string): string;
  execute(parameters: readonly string[], terminal: Terminal): Promise<number | "help">;
}

/** A verb as the overview knows it; the rest is loaded when it is called, because a verb may need half the repository. */
export interface ListedVerb {
  readonly name: string;
  /** One line, no full stop. */
  readonly summary: string;
  /** Called by the command line itself; not shown. */
  readonly internal?: true;
  load(): Promise<Verb>;
}

/** Exit code of a command line that makes no sense; nothing was done. */
export const USAGE_EXIT_CODE = 2;

/** Makes a verb that parses its flags strictly and refuses what it does not know with `usage_wrong`. */
export function defineVerb<const O extends Options>(definition: VerbDefinition<O>): Verb {
  return {
    help: (summary) => helpText(definition, summary),
    async execute(parameters, terminal) {
      const { values, argument, help } = parse(definition, parameters);
      return help ? "help" : definition.run(values, terminal, argument);
    },
  };
}

/** Runs the verb that the command line names; prints what went wrong as a sentence and resolves with the exit code. */
export async function runCommandLine(
  verbs: readonly ListedVerb[],
  parameters: readonly string[],
  terminal: Terminal,
): Promise<number> {
  try {
    const [name, ...rest] = parameters[0] === "help" ? [parameters[1] ?? "--help", "--help"] : parameters;
    if (name === undefined || name === "--help" || name === "-h") {
      terminal.out(overview(verbs));
      return name === undefined ? USAGE_EXIT_CODE : 0;
    }
    const listed = findVerb(verbs, name);
    const verb = await listed.load();
    const code = await verb.execute(rest, terminal);
    if (code !== "help") return code;
    terminal.out(verb.help(listed.summary));
    return 0;
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error;
    terminal.note(`countersign: ${error.message}`);
    return error.code === "usage_wrong" ? USAGE_EXIT_CODE : 1;
  }
}

function findVerb(verbs: readonly ListedVerb[], name: string): ListedVerb {
  const verb = verbs.find((candidate) => candidate.name === name);
  if (verb !== undefined) return verb;
  const listed = verbs.filter((candidate) => !candidate.internal).map((candidate) => candidate.name);
  const kind = name.startsWith("-") ? "flag" : "verb";
  throw operatorError(
    "usage_wrong",
    `There is no ${kind} "${name}".${didYouMean(name, listed)} Verbs: ${listed.join(", ")}. \`countersign --help\` explains them.`,
  );
}

function overview(verbs: readonly ListedVerb[]): string {
  const listed = verbs.filter((verb) => !verb.internal);
  const width = Math.max(...listed.map((verb) => verb.name.length));
  return [
    "Countersign: a wallet signing network in which no key ever exists in one place.",
    "",
    "Usage: countersign <verb> [flags]",
    "",
    ...listed.map((verb) => `  ${verb.name.padEnd(width)}  ${verb.summary}`),
    "",
    "Start with `countersign demo` (half a minute, leaves nothing behind), then `countersign up`.",
    "`countersign <verb> --help` explains a verb.",
  ].join("\n");
}

function helpText<O extends Options>(definition: VerbDefinition<O>, summary: string): string {
  const rows = Object.entries(definition.options).map(([name, option]): [string, string] => [
    option.kind === "flag" ? `--${name}` : `--${name} ${option.placeholder}`,
    option.help,
  ]);
  rows.push(["--help", "this text"]);
  const width = Math.max(...rows.map(([flag]) => flag.length));
  return [
    `Usage: countersign ${definition.name}${definition.argument === undefined ? "" : ` ${definition.argument}`} [flags]`,
    "",
    `${summary}.`,
    "",
    ...rows.map(([flag, help]) => `  ${flag.padEnd(width)}  ${help}`),
    ...(definition.notes === undefined ? [] : ["", definition.notes]),
  ].join("\n");
}

function parse<O extends Options>(definition: VerbDefinition<O>, parameters: readonly string[]) {
  const known = Object.fromEntries(
    Object.entries(definition.options).map(([name, option]) => [
      name,
      { type: option.kind === "flag" ? ("boolean" as const) : ("string" as const) },
    ]),
  );
  const { tokens } = parseArgs({
    args: [...parameters],
    options: { ...known, help: { type: "boolean", short: "h" } },
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const values: Record<string, string | number | boolean | undefined> = {};
  for (const [name, option] of Object.entries(definition.options))
    values[name] = option.kind === "flag" ? false : undefined;
  let help = false;
  let argument: string | undefined;
  const seen = new Set<string>();
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") {
      if (definition.argument === undefined || argument !== undefined)
        throw wrongUsage(definition, `"${token.value}" is not expected here.`);
      argument = token.value;
      continue;
    }
    if (token.name === "help") {
      help = true;
      continue;
    }
    if (seen.has(token.name)) throw wrongUsage(definition, `${token.rawName} is given twice.`);
    seen.add(token.name);
    // Without "=", a value that looks like a flag is a forgotten value, not a folder of that name.
    const value = token.inlineValue === false && token.value.startsWith("-") ? undefined : token.value;
    values[token.name] = optionValue(definition, token.name, token.rawName, value);
  }
  // The loop above fills exactly the shape that the table describes; TypeScript cannot follow a mapped type through it.
  return { values: values as ValuesOf<O>, help, argument };
}

function optionValue<O extends Options>(
  definition: VerbDefinition<O>,
  name: string,
  rawName: string,
  value: string | undefined,
): string | number | boolean {
  const option =
    rawName.startsWith("--") && Object.hasOwn(definition.options, name) ? definition.options[name] : undefined;
  if (option === undefined) {
    const names = [...Object.keys(definition.options), "help"].map((known) => `--${known}`);
    throw wrongUsage(definition, `There is no flag ${rawName}.${didYouMean(rawName, names)}`);
  }
  if (option.kind === "flag") {
    if (value !== undefined) throw wrongUsage(definition, `${rawName} takes no value.`);
    return true;
  }
  if (value === undefined || value === "")
    throw wrongUsage(definition, `${rawName} needs a value: ${option.placeholder}.`);
  if (option.kind === "text") return value;
  const number = /^(0|[1-9][0-9]{0,8})$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= option.min && number <= option.max))
    throw wrongUsage(
      definition,
      `${rawName} must be a whole number from ${option.min} to ${option.max}, not "${value}".`,
    );
  return number;
}

function wrongUsage<O extends Options>(definition: VerbDefinition<O>, sentence: string) {
  return operatorError("usage_wrong", `${sentence} See \`countersign ${definition.name} --help\`.`);
}
