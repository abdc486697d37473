import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { processIsGone } from "../testing/process-is-gone.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { waitUntil } from "../wait-until.ts";
import { freePorts, isFree } from "./ports.ts";
import { findProgram } from "./programs.ts";
import { type ServicePlan, startService } from "./service-process.ts";
import { fixturePlan } from "./testing/fixture-plan.ts";

const START_MS = 20_000;
const GONE_MS = 15_000;

/** Redis, the smaller of the two programs, as one that knows nothing of supervisors. */
async function redisPlan(folder: string, port: number): Promise<ServicePlan> {
  const redis = (await findProgram("redis-server", { environment: process.env })) ?? "redis-server";
  const settings = join(folder, "redis.conf");
  writeFileSync(settings, `bind 127.0.0.1\nport ${port}\nsave ""\ndir "${folder}"\n`);
  return {
    name: "redis",
    kind: "program",
    command: [redis, settings],
    probe: "PING\r\n",
    address: `127.0.0.1:${port}`,
    log: join(folder, "redis.log"),
    environment: {},
  };
}

test("a service is started once it says that it is ready, and stops when told", async (t) => {
  const folder = temporaryFolder(t);
  const [port = 0] = await freePorts(1);

  const service = await startService(fixturePlan(folder, "one", "ready", port), AbortSignal.timeout(START_MS));
  const listened = !(await isFree(port));
  const exit = await service.stop();

  assert.equal(listened, true);
  assert.deepEqual(exit, { code: 0, signal: null });
  assert.equal(await processIsGone(service.pid, GONE_MS), true);
});

test("a service can never dump its memory", { skip: process.platform !== "linux" }, async (t) => {
  const folder = temporaryFolder(t);
  const [port = 0] = await freePorts(1);

  const service = await startService(fixturePlan(folder, "one", "ready", port), AbortSignal.timeout(START_MS));
  const limits = readFileSync(`/proc/${service.pid}/limits`, "utf8");
  const command = readFileSync(`/proc/${service.pid}/cmdline`, "utf8");
  await service.stop();

  assert.match(limits, /^Max core file size +0 +0 /m);
  assert.match(command, /fixture-service/);
});

test("a service that ends while it starts is reported with its last log lines", async (t) => {
  const folder = temporaryFolder(t);

  const starting = startService(fixturePlan(folder, "one", "crash"), AbortSignal.timeout(START_MS));

  await assert.rejects(starting, {
    code: "service_not_ready",
    message: /^one stopped while starting \(exit code 7\)[\s\S]*the reason of the crash/,
  });
});

test("a service that is not ready in time is stopped and named", async (t) => {
  const folder = temporaryFolder(t);
  const plan = fixturePlan(folder, "one", "silent");
  const late = new AbortController();

  const starting = startService(plan, late.signal);
  await waitUntil(
    () => (existsSync(plan.log) && readFileSync(plan.log, "utf8").includes("behaves") ? true : undefined),
    START_MS,
  );
  late.abort();

  await assert.rejects(starting, { code: "service_not_ready", message: /^one was not ready in time/ });
});

test("a program that cannot be run is named", async (t) => {
  const folder = temporaryFolder(t);
  const plan: ServicePlan = { ...fixturePlan(folder, "one", "ready"), command: [join(folder, "absent")] };

  await assert.rejects(startService(plan, AbortSignal.timeout(START_MS)), {
    code: "service_not_ready",
    message: /^one stopped while starting \(exit code 127\)[\s\S]*absent/,
  });
});

test("a program has the process id that is reported, and leaves when told", async (t) => {
  const folder = temporaryFolder(t);
  const [port = 0] = await freePorts(1);

  const redis = await startService(await redisPlan(folder, port), AbortSignal.timeout(START_MS));
  const command = readFileSync(`/proc/${redis.pid}/cmdline`, "utf8");
  await redis.stop();

  assert.match(command, /redis-server/);
  assert.equal(await isFree(port), true);
});

test("a paused program leaves when told", async (t) => {
  const folder = temporaryFolder(t);
  const [port = 0] = await freePorts(1);
  const redis = await startService(await redisPlan(folder, port), AbortSignal.timeout(START_MS));

  process.kill(redis.pid, "SIGSTOP");
  await redis.stop();

  assert.equal(await isFree(port), true);
});

test("nothing outlives a supervisor that was killed: no process, no port", async (t) => {
  const folder = temporaryFolder(t);
  const [redisPort = 0, servicePort = 0] = await freePorts(2);
  const plans = [await redisPlan(folder, redisPort), fixturePlan(folder, "one", "ready", servicePort)];
  const main = fileURLToPath(new URL("testing/supervisor-process.ts", import.meta.url));
  const supervisor = spawn(process.execPath, [main, JSON.stringify(plans)], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(supervisor.stdout, "data");
  const pids: number[] = JSON.parse(String(line));

  supervisor.kill("SIGKILL");

  for (const pid of pids) assert.equal(await processIsGone(pid, GONE_MS), true, `process ${pid} is still there`);
  assert.equal(await isFree(redisPort), true);
  assert.equal(await isFree(servicePort), true);
});
