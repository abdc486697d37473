import { randomBytes } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import { prepareCurves } from "@countersign/threshold";
import { SCENARIOS, type ScenarioName } from "./scenarios.ts";

// Runs the seeds it is sent, one at a time, and answers each with its figures or its failure.

const scenario = SCENARIOS[(workerData as { readonly scenario: ScenarioName }).scenario];
await prepareCurves((size) => new Uint8Array(randomBytes(size)));
parentPort?.on("message", async (seed: number) => {
  try {
    parentPort?.postMessage({ seed, figures: await scenario(seed) });
  } catch (error) {
    parentPort?.postMessage({ seed, failure: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
