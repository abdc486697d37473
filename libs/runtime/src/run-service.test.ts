import assert from "node:assert/strict";
import { readdir, readFile, readlink } from "node:fs/promises";
import { test } from "node:test";
import { type ProbeProcessOptions, startProbe } from "./testing/probe-process.ts";

test("a service reports itself ready, drains on SIGTERM and ends with 0", async (t) => {
  const { child, ready, ended } = await startProbe(t, { config: { mode: "drain" } });
  assert.deepEqual(await ready, { kind: "ready", address: "localhost:1" });

  child.kill("SIGTERM");

  const { code, lines } = await ended;
  assert.equal(code, 0);
  assert.deepEqual(
    lines.map(({ msg }) => msg),
    ["ready", "leaving", "drained", "left"],
  );
  assert.equal(lines[0]?.service, "probe");
  assert.equal(lines[1]?.reason, "SIGTERM");
});

test("SIGINT ends it likewise, and a second signal does not cut the drain short", async (t) => {
  const { child, ready, ended, said } = await startProbe(t, { config: { mode: "drain" } });
  await ready;

  child.kill("SIGINT");
  await said("leaving");
  child.kill("SIGTERM");
  child.kill("SIGINT");

  const { code, lines } = await ended;
  assert.equal(code, 0);
  assert.ok(lines.some(({ msg }) => msg === "drained"));
});

test("the end of the parent's IPC ends it", async (t) => {
  const { child, ready, ended } = await startProbe(t, { config: { mode: "drain" } });
  await ready;

  child.disconnect();

  const { code, lines } = await ended;
  assert.equal(code, 0);
  assert.ok(lines.some(({ reason }) => reason === "the parent process ended"));
});

test("a signal during the start gives up the start", async (t) => {
  const { child, ended, said } = await startProbe(t, { config: { mode: "slow start" } });
  await said("starting");

  child.kill("SIGTERM");

  const { code, lines } = await ended;
  assert.equal(code, 0);
  assert.ok(!lines.some(({ msg }) => msg === "ready"));
});

for (const mode of ["stuck", "stuck task"])
  test(`a drain that does not end is ended: ${mode}`, async (t) => {
    const { child, ready, ended } = await startProbe(t, { config: { mode } });
    await ready;

    child.kill("SIGTERM");

    const { code, lines } = await ended;
    assert.equal(code, 3);
    const last = lines.at(-1);
    assert.equal(last?.msg, "could not leave in time");
    assert.deepEqual(last?.tasks, mode === "stuck" ? ["heart"] : ["deaf"]);
  });

for (const [mode, message] of [
  ["broken start", "failed"],
  ["failing task", "a background task failed"],
  ["rejection", "crashed"],
  ["exception", "crashed"],
] as const)
  test(`a failure is logged with its cause and ends the process with 1: ${mode}`, async (t) => {
    const { ended } = await startProbe(t, { config: { mode } });

    const { code, lines } = await ended;

    assert.equal(code, 1);
    const fatal = lines.find(({ level }) => level === "fatal");
    assert.equal(fatal?.msg, message);
    assert.match(JSON.stringify(fatal?.err), /is gone|nobody caught this/);
  });

test("a service that cannot close everything says so and ends with 1", async (t) => {
  const { child, ready, ended } = await startProbe(t, { config: { mode: "broken close" } });
  await ready;

  child.kill("SIGTERM");

  const { code, lines } = await ended;
  assert.equal(code, 1);
  assert.ok(lines.some(({ msg }) => msg === "could not close everything"));
});

test("SIGUSR1 opens no debugger, and the service goes on", async (t) => {
  const { child, ready, ended, said } = await startProbe(t, {});
  await ready;

  child.kill("SIGUSR1");
  await said("SIGUSR1 is ignored: it would open a debugger");

  assert.deepEqual(await listeningSockets(child.pid ?? 0), []);
  child.kill("SIGTERM");
  const { code, stderr } = await ended;
  assert.equal(code, 0);
  assert.ok(!stderr.includes("Debugger"));
});

test("the level in the configuration is the log's", async (t) => {
  const { child, ready, ended } = await startProbe(t, { config: { mode: "serve", logLevel: "error" } });
  await ready;

  child.kill("SIGTERM");

  assert.deepEqual((await ended).lines, []);
});

test("arguments and configurations that cannot be used end it with 2 and a sentence", async (t) => {
  const cases: { options: ProbeProcessOptions; expected: RegExp }[] = [
    { options: { parameters: [] }, expected: /needs its configuration file[\s\S]*Usage: probe --config <file>/ },
    { options: { parameters: ["--confg", "x"] }, expected: /Unknown option '--confg'/ },
    { options: { parameters: ["--config", "/does/not/exist"] }, expected: /\/does\/not\/exist cannot be read: ENOENT/ },
    { options: { config: '{"mode": "serve",}' }, expected: /config\.json cannot be used: .* not acceptable JSON/ },
    { options: { config: '{"mode": "serve", "mode": "serve"}' }, expected: /key at 18 appears twice/ },
    { options: { config: { mode: "sing" } }, expected: /mode: expected "serve" or .*, found "sing"/ },
    { options: { config: { mode: "serve", tls: 1 } }, expected: /tls is not a setting; there are: mode, logLevel/ },
  ];

  const check = async ({ options, expected }: (typeof cases)[number]) => {
    const { ended } = await startProbe(t, options);
    const { code, stderr, lines } = await ended;
    assert.equal(code, 2);
    assert.match(stderr, expected);
    assert.deepEqual(lines, []);
  };
  await Promise.all(cases.map(check));
});

test("--help names every setting", async (t) => {
  const { child, ended } = await startProbe(t, { parameters: ["--help"] });
  let text = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });

  const { code } = await ended;

  assert.equal(code, 0);
  assert.match(text, /Usage: probe --config <file>[\s\S]*mode +"serve" or[\s\S]*logLevel .*\(optional\)/);
});

test("a guarded service does not start under a debugger or with options that load code", async (t) => {
  const cases: (ProbeProcessOptions & { expected: RegExp })[] = [
    { nodeOptions: ["--inspect=127.0.0.1:0"], expected: /the option --inspect,/ },
    { nodeOptions: ["--cpu-prof", "--cpu-prof-dir=/nonexistent"], expected: /the option --cpu-prof,/ },
    { environment: { NODE_OPTIONS: "--max-old-space-size=500" }, expected: /the variable NODE_OPTIONS,/ },
    { environment: { NODE_OPTIONS: "--inspect=127.0.0.1:0" }, expected: /the variable NODE_OPTIONS,/ },
  ];

  const check = async ({ expected, ...options }: (typeof cases)[number]) => {
    const { ended } = await startProbe(t, { ...options, parameters: ["--guarded", "--config", "/any"] });
    const { code, stderr } = await ended;
    assert.equal(code, 2, stderr);
    assert.match(stderr, expected);
  };
  await Promise.all(cases.map(check));
});

/** Inodes of TCP sockets that a process listens on, from /proc. */
async function listeningSockets(pid: number): Promise<string[]> {
  const LISTEN = "0A";
  const tables = await Promise.all(
    [`/proc/${pid}/net/tcp`, `/proc/${pid}/net/tcp6`].map((path) => readFile(path, "utf8")),
  );
  const listening = new Set(
    tables
      .flatMap((table) => table.split("\n").slice(1))
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === LISTEN)
      .map((fields) => fields[9]),
  );
  const folder = `/proc/${pid}/fd`;
  const targets = await Promise.all((await readdir(folder)).map((fd) => readlink(`${folder}/${fd}`).catch(() => "")));
  return targets.filter((target) => listening.has(/^socket:\[(\d+)\]$/.exec(target)?.[1]));
}
