import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { requirePrograms } from "./programs.ts";

function executable(folder: string, name: string, script = "exit 0"): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** A machine of its own: a root folder, a PATH, and what was reported. */
function machine(t: TestContext, { isRoot = false } = {}) {
  const systemRoot = temporaryFolder(t);
  const bin = join(systemRoot, "home/bin");
  mkdirSync(join(systemRoot, "usr/sbin"), { recursive: true });
  const reports: string[] = [];
  const search = {
    environment: { PATH: `${bin}:relative/bin` },
    isRoot,
    report: (line: string) => void reports.push(line),
    systemRoot,
    signal: AbortSignal.timeout(20_000),
  };
  return { systemRoot, bin, reports, search };
}

/** An apt-get that installs into the machine: notes its calls and the policy it found. */
function aptGet(bin: string, systemRoot: string, { failures = 0 } = {}): string {
  const log = join(systemRoot, "apt.log");
  executable(
    bin,
    "apt-get",
    `echo "$*" >>${log}
    [ -x ${systemRoot}/usr/sbin/policy-rc.d ] && echo "policy: $(${systemRoot}/usr/sbin/policy-rc.d; echo $?)" >>${log}
    [ "$1" = install ] || exit 0
    n=$(/usr/bin/grep -c '^install' ${log})
    [ "$n" -gt ${failures} ] || { echo "no such package here"; exit 100; }
    for p in nats-server redis-server; do printf '#!/bin/sh\\n' >${systemRoot}/usr/sbin/$p; /bin/chmod 755 ${systemRoot}/usr/sbin/$p; done`,
  );
  return log;
}

test("programs are found on PATH before the system's folders", async (t) => {
  const { systemRoot, bin, search } = machine(t);
  const nats = executable(bin, "nats-server");
  executable(join(systemRoot, "usr/sbin"), "nats-server");
  const redis = executable(join(systemRoot, "usr/sbin"), "redis-server");

  assert.deepEqual(await requirePrograms(search), { "nats-server": nats, "redis-server": redis });
});

test("a folder or a file that cannot be run is not a program", async (t) => {
  const { systemRoot, bin, search } = machine(t);
  mkdirSync(join(bin, "nats-server"), { recursive: true });
  writeFileSync(join(bin, "redis-server"), "");
  executable(join(systemRoot, "usr/bin"), "redis-server");

  await assert.rejects(requirePrograms(search), { code: "program_missing", message: /^nats-server is needed/ });
});

test("without root nothing is installed, and the message has the commands", async (t) => {
  const { systemRoot, bin, search } = machine(t);
  const log = aptGet(bin, systemRoot);

  await assert.rejects(requirePrograms(search), {
    code: "program_missing",
    message:
      /sudo apt-get install --no-install-recommends nats-server redis-server[\s\S]*brew install nats-server redis/,
  });
  assert.equal(existsSync(log), false);
});

test("root on a Debian-like system installs what is missing, with its services kept from starting", async (t) => {
  const { systemRoot, bin, reports, search } = machine(t, { isRoot: true });
  const log = aptGet(bin, systemRoot);

  const programs = await requirePrograms(search);

  assert.equal(programs["nats-server"], join(systemRoot, "usr/sbin/nats-server"));
  assert.deepEqual(readFileSync(log, "utf8").trim().split("\n"), [
    "install --yes --no-install-recommends nats-server redis-server",
    "policy: 101",
  ]);
  assert.deepEqual(reports, ["installing nats-server and redis-server with apt-get (once)"]);
  assert.equal(existsSync(join(systemRoot, "usr/sbin/policy-rc.d")), false);
});

test("stale package lists are updated once, and output stays hidden when that helps", async (t) => {
  const { systemRoot, bin, reports, search } = machine(t, { isRoot: true });
  const log = aptGet(bin, systemRoot, { failures: 1 });

  await requirePrograms(search);

  const calls = readFileSync(log, "utf8")
    .split("\n")
    .filter((line) => /^(install|update)/.test(line));
  assert.deepEqual(
    calls.map((line) => line.split(" ")[0]),
    ["install", "update", "install"],
  );
  assert.equal(reports.length, 1);
});

test("an installation that fails shows what apt-get said and leaves no policy behind", async (t) => {
  const { systemRoot, bin, reports, search } = machine(t, { isRoot: true });
  aptGet(bin, systemRoot, { failures: 9 });

  await assert.rejects(requirePrograms(search), { code: "program_missing" });

  assert.match(reports.at(-1) ?? "", /no such package here/);
  assert.equal(existsSync(join(systemRoot, "usr/sbin/policy-rc.d")), false);
});

test("a policy that the machine already has stays as it is", async (t) => {
  const { systemRoot, bin, search } = machine(t, { isRoot: true });
  aptGet(bin, systemRoot);
  const policy = executable(join(systemRoot, "usr/sbin"), "policy-rc.d", "exit 104");
  const before = readFileSync(policy, "utf8");

  await requirePrograms(search);

  assert.equal(readFileSync(policy, "utf8"), before);
});
