import { spawn } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { defineVerb } from "../command-line.ts";
import { requirePrograms } from "../network/programs.ts";

/** Measures what this machine reaches. */
export const bench = defineVerb({
  name: "bench",
  options: {
    quick: { kind: "flag", help: "fewer runs: under 25 s instead of under 90 s" },
    only: { kind: "text", placeholder: "NAME[,NAME…]", help: "these figures alone" },
    json: { kind: "flag", help: "print a JSON array of { name, value, unit, runs, min, max, command }" },
  },
  notes: [
    "Figures named cpu_ms are CPU time of the code itself; network and api figures are wall time through real processes,",
    "started in a temporary folder and stopped again, so that load on the machine shows in them. Values are medians.",
    "docs/performance.md has our own figures and what they are made of.",
    "Exit code 0 when everything was measured, whatever the figures are.",
  ].join("\n"),
  async run({ quick, only, json }, { environment, interrupted, isRoot, node, note, repository }) {
    const programs = await requirePrograms({ environment, isRoot, report: note, signal: interrupted });
    const flags = [
      ...(quick ? ["--quick"] : []),
      ...(json ? ["--json"] : []),
      ...(only === undefined ? [] : [`--only=${only}`]),
    ];
    const folders = new Set([dirname(node), ...Object.values(programs).map((path) => dirname(path))]);
    const child = spawn(node, [join(repository, "test", "bench", "main.ts"), ...flags], {
      cwd: repository,
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...environment, PATH: [...folders, environment["PATH"] ?? ""].join(":") },
    });
    // Ctrl-C in a terminal reaches the measuring process by itself; a signal to this process alone is passed on.
    interrupted.addEventListener("abort", () => child.kill("SIGINT"), { once: true });
    const [code] = await once(child, "exit");
    return typeof code === "number" ? code : 1;
  },
});
