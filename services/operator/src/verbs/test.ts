import { spawn } from "node:child_process";
import { once } from "node:events";
import { dirname } from "node:path";
import { defineVerb } from "../command-line.ts";
import { requirePrograms } from "../network/programs.ts";

/** Test files at once: each of those that start a network keeps a core busy. */
const CONCURRENCY = 2;
const PATTERNS = ["libs/**/*.test.ts", "services/**/*.test.ts", "test/**/*.test.ts"];

/** Runs the tests. */
export const test = defineVerb({
  name: "test",
  options: { all: { kind: "flag", help: "add long matrices, drills and the soak" } },
  notes:
    "Ends with node:test's own closing lines and exit code. Long-running parts see COUNTERSIGN_TEST_ALL=1 with --all.",
  async run({ all }, terminal) {
    const { environment, isRoot, node, repository, interrupted, note } = terminal;
    const programs = await requirePrograms({ environment, isRoot, report: note, signal: interrupted });
    // Debian keeps nats-server in /usr/sbin, which is not on everybody's PATH; tests look on PATH alone.
    const folders = new Set([dirname(node), ...Object.values(programs).map((path) => dirname(path))]);
    const child = spawn(node, ["--test", `--test-concurrency=${CONCURRENCY}`, "--test-reporter=spec", ...PATTERNS], {
      cwd: repository,
      stdio: "inherit",
      env: {
        ...environment,
        PATH: [...folders, environment["PATH"] ?? ""].join(":"),
        ...(all ? { COUNTERSIGN_TEST_ALL: "1" } : {}),
      },
    });
    // Ctrl-C in a terminal reaches the tests by itself; a signal to this process alone is passed on.
    interrupted.addEventListener("abort", () => child.kill("SIGINT"), { once: true });
    const [code] = await once(child, "exit");
    return typeof code === "number" ? code : 1;
  },
});
