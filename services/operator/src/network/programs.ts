import { spawn } from "node:child_process";
import { access, constants, stat } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { operatorError } from "../errors.ts";
import { withoutServiceStart } from "./without-service-start.ts";

/** Programs that the local network runs and this repository does not contain. */
export const PROGRAMS = ["nats-server", "redis-server"] as const;

/** Name of such a program, which is also the name of its Debian package. */
export type ProgramName = (typeof PROGRAMS)[number];

/** Absolute paths of the programs. */
export type Programs = Readonly<Record<ProgramName, string>>;

/** Where the search looks and whether it may install. */
export interface ProgramSearch {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whether this process may install packages. */
  readonly isRoot: boolean;
  /** Told in a line when something is installed. */
  readonly report: (line: string) => void;
  /** Folder that stands for `/`. Default `/`; a test gives another. */
  readonly systemRoot?: string;
  readonly signal: AbortSignal;
}

/** Folders that hold servers but are often missing from a user's PATH. */
const MORE_FOLDERS = ["/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin", "/sbin", "/opt/homebrew/bin"];
/** A slow mirror may need minutes; a hanging one must not hold `up` for ever. */
const INSTALL_TIMEOUT_MS = 300_000;
/** Output kept of a failed installation. */
const OUTPUT_BYTES_MAX = 16_384;

/**
 * Finds the programs on PATH and in the system's usual folders, installs missing ones where that is possible without asking
 * (root on a Debian-like system), and otherwise raises `program_missing` with the commands to run.
 */
export async function requirePrograms(search: ProgramSearch): Promise<Programs> {
  let missing = await missingPrograms(search);
  if (missing.length > 0 && search.isRoot) {
    const apt = await findProgram("apt-get", search);
    if (apt !== undefined) await installWithApt(apt, missing, search);
    missing = await missingPrograms(search);
  }
  if (missing.length > 0) throw operatorError("program_missing", missingSentence(missing));
  return Object.fromEntries(
    await Promise.all(PROGRAMS.map(async (name) => [name, (await findProgram(name, search)) ?? name])),
  ) as Programs;
}

/** Path of a program, or undefined. */
export async function findProgram(
  name: string,
  { environment, systemRoot = "/" }: Pick<ProgramSearch, "environment" | "systemRoot">,
): Promise<string | undefined> {
  const onPath = (environment["PATH"] ?? "").split(delimiter).filter((folder) => folder.startsWith("/"));
  for (const folder of [...onPath, ...MORE_FOLDERS.map((usual) => join(systemRoot, usual))]) {
    const path = join(folder, name);
    if (await isExecutable(path)) return path;
  }
  return undefined;
}

/** The sentence for a person whose machine lacks programs, with commands to copy. */
export function missingSentence(missing: readonly string[]): string {
  const names = missing.join(" ");
  return [
    `${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} needed and could not be installed from here. Install with:`,
    `    Debian, Ubuntu:  sudo apt-get update && sudo apt-get install --no-install-recommends ${names}`,
    `    macOS:           brew install ${names.replace("redis-server", "redis")}`,
    "    elsewhere:       https://docs.nats.io/running-a-nats-service/introduction/installation and https://redis.io/downloads",
    "  then run this again. Countersign starts its own copies on its own ports; a system service of them is not needed.",
  ].join("\n");
}

async function missingPrograms(search: ProgramSearch): Promise<ProgramName[]> {
  const found = await Promise.all(PROGRAMS.map((name) => findProgram(name, search)));
  return PROGRAMS.filter((_, place) => found[place] === undefined);
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    // Absent or not for us: the search goes on.
    return false;
  }
}

async function installWithApt(apt: string, missing: readonly ProgramName[], search: ProgramSearch): Promise<void> {
  const deadline = AbortSignal.any([search.signal, AbortSignal.timeout(INSTALL_TIMEOUT_MS)]);
  search.report(`installing ${missing.join(" and ")} with apt-get (once)`);
  const install = ["install", "--yes", "--no-install-recommends", ...missing];
  await withoutServiceStart({ systemRoot: search.systemRoot ?? "/", packages: missing }, async () => {
    if ((await runQuietly(apt, install, search, deadline)).code === 0) return;
    // A fresh image has no package lists, and old lists name files that mirrors no longer have.
    const outputs = [await runQuietly(apt, ["update"], search, deadline)];
    outputs.push(await runQuietly(apt, install, search, deadline));
    if (outputs.at(-1)?.code !== 0)
      search.report(
        outputs
          .map(({ output }) => output)
          .join("")
          .trimEnd(),
      );
  });
}

async function runQuietly(
  program: string,
  parameters: readonly string[],
  search: ProgramSearch,
  signal: AbortSignal,
): Promise<{ code: number; output: string }> {
  const { promise, resolve } = Promise.withResolvers<{ code: number; output: string }>();
  const child = spawn(program, parameters, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...search.environment, DEBIAN_FRONTEND: "noninteractive" },
    signal,
  });
  let output = "";
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString("utf8")).slice(-OUTPUT_BYTES_MAX);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  child.once("error", (error) => resolve({ code: 1, output: `${output}${error.message}\n` }));
  child.once("close", (code) => resolve({ code: code ?? 1, output }));
  return promise;
}
