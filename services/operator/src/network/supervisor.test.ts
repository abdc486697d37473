import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { waitUntil } from "../wait-until.ts";
import { freePorts } from "./ports.ts";
import { Supervisor } from "./supervisor.ts";
import { fixturePlan } from "./testing/fixture-plan.ts";

const START_MS = 20_000;

async function twoStages(t: TestContext) {
  const folder = temporaryFolder(t);
  const [first = 0, second = 0] = await freePorts(2);
  const reports: string[] = [];
  const stages = [[fixturePlan(folder, "first", "ready", first)], [fixturePlan(folder, "second", "ready", second)]];
  const supervisor = new Supervisor({ start: stages, stop: stages.toReversed() }, (line) => reports.push(line));
  t.after(() => supervisor.stop());
  return { supervisor, reports };
}

test("everything is started once, and a second start finds nothing missing", async (t) => {
  const { supervisor } = await twoStages(t);

  const first = await supervisor.start(AbortSignal.timeout(START_MS));
  const second = await supervisor.start(AbortSignal.timeout(START_MS));

  assert.deepEqual(first, ["first", "second"]);
  assert.deepEqual(second, []);
  assert.deepEqual(
    supervisor.status().map(({ up }) => up),
    [true, true],
  );
});

test("a killed service is reported, stays down, and is started again at the same address by the next start", async (t) => {
  const { supervisor, reports } = await twoStages(t);
  await supervisor.start(AbortSignal.timeout(START_MS));
  const before = supervisor.status()[0];

  process.kill(before?.pid ?? 0, "SIGKILL");
  await waitUntil(() => (reports.length > 0 ? true : undefined), START_MS);
  const down = supervisor.status()[0];
  const started = await supervisor.start(AbortSignal.timeout(START_MS));
  const after = supervisor.status()[0];

  assert.match(reports[0] ?? "", /^first ended \(signal SIGKILL\)/);
  assert.deepEqual(down, { name: "first", address: before?.address, up: false, ended: "signal SIGKILL" });
  assert.deepEqual(started, ["first"]);
  assert.equal(after?.address, before?.address);
  assert.notEqual(after?.pid, before?.pid);
});

test("services are stopped in the order given for it and their ends are not reported as crashes", async (t) => {
  const { supervisor, reports } = await twoStages(t);
  await supervisor.start(AbortSignal.timeout(START_MS));

  const stopped = await supervisor.stop();

  assert.deepEqual(stopped, ["second", "first"]);
  assert.deepEqual(
    supervisor.status().map(({ up }) => up),
    [false, false],
  );
  assert.deepEqual(reports, []);
});

test("a stage whose service fails ends the start, and stop ends what was started", async (t) => {
  const folder = temporaryFolder(t);
  const [port = 0] = await freePorts(1);
  const stages = [
    [fixturePlan(folder, "good", "ready", port)],
    [fixturePlan(folder, "bad", "crash")],
    [fixturePlan(folder, "never", "ready")],
  ];
  const supervisor = new Supervisor({ start: stages, stop: stages }, () => {});
  t.after(() => supervisor.stop());

  await assert.rejects(supervisor.start(AbortSignal.timeout(START_MS)), {
    code: "service_not_ready",
    message: /^bad /,
  });
  const stopped = await supervisor.stop();

  assert.deepEqual(stopped, ["good"]);
});
