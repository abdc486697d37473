import { authorize } from "@countersign/authority";
import { makeDeployment, randomMessage } from "./deployment.ts";
import { cpuMs, type Plan, repeat, warmUp } from "./plan.ts";
import type { RecordSamples } from "./rows.ts";

/** A key id of the right form; evidence is judged without looking the key up. */
const PATH = "/keys/key-bench-bench-benchbenchbenchb/signatures";
/** Checks per sample: the clock of CPU time is coarse on some kernels. */
const CHECKS_PER_SAMPLE = 100;
/** Samples that are thrown away: code is compiled while they run. */
const WARM_UP = 10;

/** Measures what a signer does with evidence before anything else, with both credential algorithms. */
export async function measureAuthorize(plan: Plan, record: RecordSamples): Promise<void> {
  const { wanted } = plan;
  if (wanted.has("authorize.cpu_ms") || wanted.has("authorize.ed25519.cpu_ms")) {
    const samples = await measure(plan, "Ed25519");
    for (const row of ["authorize.cpu_ms", "authorize.ed25519.cpu_ms"] as const)
      if (wanted.has(row)) record(row, samples);
  }
  if (wanted.has("authorize.p256.cpu_ms")) record("authorize.p256.cpu_ms", await measure(plan, "P-256"));
}

async function measure(plan: Plan, algorithm: "Ed25519" | "P-256"): Promise<readonly number[]> {
  const { authority, approve } = makeDeployment(algorithm);
  // Each check has evidence of its own, as in life.
  const evidence = await Promise.all(Array.from({ length: CHECKS_PER_SAMPLE }, () => approve(PATH, randomMessage())));
  const now = Date.now();
  const sample = () =>
    cpuMs(() => {
      for (const one of evidence) authorize(one, authority, { now, seenAt: now });
    });
  await warmUp(plan, WARM_UP, sample);
  const samples = await repeat(plan, plan.quick ? { runsMax: 10, msMax: 400 } : { runsMax: 50, msMax: 2_000 }, sample);
  return samples.map((ms) => ms / CHECKS_PER_SAMPLE);
}
