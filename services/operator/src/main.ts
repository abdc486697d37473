import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { runCommandLine } from "./command-line.ts";
import type { Terminal } from "./terminal.ts";
import { verbs } from "./verbs/verbs.ts";

/** Exit code of a process that a signal ended at once. */
const INTERRUPTED_EXIT_CODE = 130;

const interruption = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    // Asked twice: leave now. Services notice and leave by themselves.
    if (interruption.signal.aborted) process.exit(INTERRUPTED_EXIT_CODE);
    interruption.abort();
  });
}
// A reader that left (`countersign logs | head`) is no failure of ours.
process.stdout.on("error", () => process.exit(0));

const terminal: Terminal = {
  out: (text) => void process.stdout.write(`${text}\n`),
  note: (text) => void process.stderr.write(`${text}\n`),
  coloured: process.stdout.isTTY && process.env["NO_COLOR"] === undefined,
  workingFolder: process.cwd(),
  repository: resolve(dirname(fileURLToPath(import.meta.url)), "../../.."),
  node: process.execPath,
  pid: process.pid,
  isRoot: process.getuid?.() === 0,
  environment: process.env,
  interrupted: interruption.signal,
  ...(process.send === undefined ? {} : { parent: parentOf(process.send.bind(process)) }),
};

const code = await runCommandLine(verbs, process.argv.slice(2), terminal);
// Explicit, once what was printed is out: a handle somebody forgot must not keep a finished command alive.
process.stdout.write("", () => process.exit(code));

function parentOf(send: (message: object, callback: () => void) => boolean): NonNullable<Terminal["parent"]> {
  const gone = new AbortController();
  let released = false;
  process.once("disconnect", () => {
    if (!released) gone.abort();
  });
  return {
    // A parent that left is told by `gone`; the message to it has nowhere to go.
    tell: (message) => void (process.connected && send(message, () => {})),
    release() {
      released = true;
      if (process.connected) process.disconnect();
    },
    gone: gone.signal,
  };
}
