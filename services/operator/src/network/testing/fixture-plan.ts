import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ServicePlan } from "../service-process.ts";

const MAIN = fileURLToPath(new URL("fixture-service.ts", import.meta.url));

/** A plan for the stand-in service. */
export function fixturePlan(
  folder: string,
  name: string,
  behaviour: "ready" | "crash" | "silent",
  port = 0,
): ServicePlan {
  return {
    name,
    kind: "service",
    command: [process.execPath, MAIN, `${behaviour}:${port}`],
    address: `127.0.0.1:${port}`,
    log: join(folder, `${name}.log`),
    environment: {},
  };
}
