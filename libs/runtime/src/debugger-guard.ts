import { url } from "node:inspector";
import { runtimeError } from "./errors.ts";

/** Options that open a debugger, write memory to a file, or load code that can. */
const DANGEROUS =
  /^--(inspect|debug|heapsnapshot|heap-prof|cpu-prof|prof|report|require|import|loader|experimental-loader)/;

/** How this process was started, as far as a debugger is concerned. */
export interface StartOptions {
  readonly nodeOptions: readonly string[];
  /** Value of `NODE_OPTIONS`. */
  readonly environmentOptions: string | undefined;
  /** Where an inspector listens; undefined when none does. */
  readonly inspectorUrl: string | undefined;
}

/** Refuses to go on in a process that someone can look into. Raises `debugger_refused`. */
export function refuseDebugger({ nodeOptions, environmentOptions, inspectorUrl }: StartOptions): void {
  const option = nodeOptions.find((candidate) => DANGEROUS.test(candidate));
  if (option !== undefined) throw refusal(`the option ${option.split("=")[0]}`);
  // Not read further: what harms here changes with every release of Node.
  if (environmentOptions !== undefined && environmentOptions.trim() !== "") throw refusal("the variable NODE_OPTIONS");
  // SIGUSR1 may have come before our handler was there.
  if (inspectorUrl !== undefined) throw refusal("an open debugger port");
}

function refusal(what: string) {
  return runtimeError(
    "debugger_refused",
    `This service holds secrets and does not start with ${what}, which can look into its memory.`,
  );
}

/** This process's own start options. */
export function startOptions(): StartOptions {
  const { NODE_OPTIONS } = process.env;
  return { nodeOptions: process.execArgv, environmentOptions: NODE_OPTIONS, inspectorUrl: url() };
}
