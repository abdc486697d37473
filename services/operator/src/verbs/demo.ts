import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineVerb } from "../command-line.ts";
import { withDemoNetwork } from "../demo/demo-network.ts";
import { DemoReport, duration } from "../demo/report.ts";
import { operatorError } from "../errors.ts";
import { jsonFlag } from "./network-flags.ts";

/** Shows the product from nothing and leaves nothing behind. */
export const demo = defineVerb({
  name: "demo",
  options: jsonFlag,
  notes: [
    "Starts a network of three signers in a temporary folder, makes one key per scheme, signs, kills a signer, signs again,",
    "opens a stolen store, tries a forgery, then stops everything and deletes the folder. Every signature is checked by a",
    "library that takes no part in making it. Exit code 0 only when everything was as promised.",
  ].join("\n"),
  async run({ json }, terminal) {
    const scratch = await mkdtemp(join(tmpdir(), "countersign-demo-"));
    const report = new DemoReport(json ? () => {} : terminal.out);
    const start = performance.now();
    let shown = 0;
    const { walk } = await import("../demo/walk.ts");
    try {
      if (!json) terminal.out("Countersign: wallet keys that never exist in one place");
      await withDemoNetwork(join(scratch, "data"), terminal, async (network) => {
        const ms = Math.round(performance.now() - start);
        const { nodes, threshold } = network.deployment.descriptor;
        report.steps.push({ step: "up", ms, nodes: nodes.length, threshold });
        report.part(
          "Network",
          `${nodes.length} signer nodes, any ${threshold} of which sign; NATS, Redis, orchestrator, API`,
        );
        report.line(`${duration(ms)}  ${nodes.map(({ id, region }) => `${id} in ${region}`).join(", ")}`);
        await walk(network, report, join(scratch, "stolen"));
        shown = performance.now();
      });
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
    if (shown === 0) throw operatorError("interrupted", "Stopped; nothing is left running.");
    const end = performance.now();
    report.steps.push({ step: "down", ms: Math.round(end - shown) });
    report.part("Stopped", "every process ended, the data folder is deleted");
    report.line(`${duration(end - shown)}  after ${((end - start) / 1_000).toFixed(1)} s in all. Next: countersign up`);
    if (json) terminal.out(JSON.stringify({ verdict: "passed", ms: Math.round(end - start), steps: report.steps }));
    return 0;
  },
});
