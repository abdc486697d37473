import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { defineVerb } from "../command-line.ts";
import type { DataFolder } from "../deployment/data-folder.ts";
import { operatorError } from "../errors.ts";
import { type LogLine, parseLogLine, printLogLine } from "../log-line.ts";
import { LogReader } from "../network/log-reader.ts";
import { dataFlag, dataFolderOf } from "./network-flags.ts";

/** Shown when --lines is absent. */
const LINES_DEFAULT = 100;
const LINES_MAX = 100_000;
/** How often files are looked at with --follow. */
const FOLLOW_INTERVAL_MS = 200;

/** Prints logs. */
export const logs = defineVerb({
  name: "logs",
  argument: "[service]",
  options: {
    ...dataFlag,
    lines: {
      kind: "number",
      placeholder: "N",
      min: 0,
      max: LINES_MAX,
      help: `last lines to show (default: ${LINES_DEFAULT})`,
    },
    follow: { kind: "flag", help: "go on as lines are written, until Ctrl-C" },
    json: { kind: "flag", help: "print lines as they stand in the files" },
  },
  notes: "Works on a stopped network too. The files are in DIR/logs, one per service.",
  async run({ data, lines = LINES_DEFAULT, follow, json }, terminal, service) {
    const folder = dataFolderOf(data, terminal);
    const names = await logNames(folder);
    const chosen = service === undefined ? names : names.filter((name) => name === service);
    if (chosen.length === 0) throw noLog(folder, names, service);
    const width = Math.max(...chosen.map((name) => name.length));
    const print = (line: LogLine) =>
      terminal.out(
        json ? line.text : printLogLine(line, { width: chosen.length > 1 ? width : 0, coloured: terminal.coloured }),
      );

    const readers = chosen.map((name) => new ServiceLog(name, folder.log(name)));
    const read = async () => {
      const batches = await Promise.all(readers.map((reader) => reader.read()));
      return batches.flat().sort((a, b) => a.timeMs - b.timeMs);
    };
    for (const line of (await read()).slice(lines === 0 ? Number.POSITIVE_INFINITY : -lines)) print(line);
    while (follow && !terminal.interrupted.aborted) {
      await delay(FOLLOW_INTERVAL_MS);
      for (const line of await read()) print(line);
    }
    return 0;
  },
});

/** Lines of one service. A line that tells no time (a stack trace) has the time of the line before it, so that it stays there. */
class ServiceLog {
  readonly #service: string;
  readonly #reader: LogReader;
  #timeMs = 0;

  constructor(service: string, path: string) {
    this.#service = service;
    this.#reader = new LogReader(path);
  }

  async read(): Promise<LogLine[]> {
    return (await this.#reader.read()).map((text) => {
      const line = parseLogLine(this.#service, text);
      if (line.timeMs !== 0) this.#timeMs = line.timeMs;
      return { ...line, timeMs: this.#timeMs };
    });
  }
}

async function logNames(folder: DataFolder): Promise<string[]> {
  const files = await readdir(folder.logs).catch((): string[] => []);
  return files
    .filter((file) => file.endsWith(".log"))
    .map((file) => basename(file, ".log"))
    .sort();
}

function noLog(folder: DataFolder, names: readonly string[], service: string | undefined) {
  if (names.length === 0)
    return operatorError(
      "network_not_running",
      `There are no logs in ${join(folder.root, "logs")}: nothing was started there yet.`,
    );
  return operatorError("usage_wrong", `There is no service "${service}" with a log; there are: ${names.join(", ")}.`);
}
