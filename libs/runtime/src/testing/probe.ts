// A service for tests: its configuration says how it misbehaves.
import { setTimeout as delay } from "node:timers/promises";
import { Type } from "typebox";
import { type RunningService, runService } from "../run-service.ts";
import { settings } from "../settings.ts";

const FOREVER_MS = 60_000;

const ProbeConfig = Type.Object(
  {
    mode: Type.Union([
      Type.Literal("serve"),
      Type.Literal("drain"),
      Type.Literal("stuck"),
      Type.Literal("stuck task"),
      Type.Literal("slow start"),
      Type.Literal("broken start"),
      Type.Literal("broken close"),
      Type.Literal("failing task"),
      Type.Literal("rejection"),
      Type.Literal("exception"),
    ]),
    logLevel: Type.Optional(settings.logLevel),
  },
  { additionalProperties: false },
);

await runService({
  name: "probe",
  schema: ProbeConfig,
  guarded: process.argv.includes("--guarded")
    ? process.argv.splice(process.argv.indexOf("--guarded"), 1).length > 0
    : false,
  shutdownMs: 1_000,
  async start({ mode }, { log, tasks, signal }) {
    tasks.run("heart", async (stop) => {
      await delay(FOREVER_MS, undefined, { signal: stop });
    });
    const service: RunningService = {
      address: "localhost:1",
      async close() {
        if (mode === "drain") await delay(200);
        if (mode === "broken close") throw new Error("the store is gone");
        if (mode === "stuck") await delay(FOREVER_MS);
        log.info("drained");
      },
    };
    switch (mode) {
      case "broken start":
        throw new Error("the store is gone");
      case "slow start":
        log.info("starting");
        await delay(FOREVER_MS, undefined, { signal });
        break;
      case "stuck task":
        tasks.run("deaf", () => delay(FOREVER_MS));
        break;
      case "failing task":
        tasks.run("weak", async () => {
          await delay(50);
          throw new Error("the bus is gone");
        });
        break;
      case "rejection":
        setTimeout(() => void Promise.reject(new Error("nobody caught this")), 50);
        break;
      case "exception":
        setTimeout(() => {
          throw new Error("nobody caught this");
        }, 50);
        break;
      default:
    }
    return service;
  },
});
