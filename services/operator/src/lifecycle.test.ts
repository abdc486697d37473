// The life of a real network, told in order: every test goes on where the one before stopped, because a start takes seconds.
// What signing does while services die and come back is told in test/e2e.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { CountersignClient, KeySigner } from "@countersign/sdk";
import { isFree } from "./network/ports.ts";
import { processIsGone } from "./testing/process-is-gone.ts";
import { runCommand, startCommand } from "./testing/run-command.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";

/** A service has 15 s to leave by itself, and a busy machine makes that longer. */
const GONE_MS = 60_000;

interface Summary {
  apiUrl: string;
  orgId: string;
  deploymentId: string;
  descriptorFile: string;
  data: string;
  nodes: { id: string; region: string; pid: number }[];
  admin: { token: string; credId: string; privateKeyFile: string };
}

interface Status {
  running: boolean;
  services: { name: string; address: string; up: boolean; pid?: number }[];
  nodes: { id: string; present: boolean; keys: number; auditLength: number }[];
}

async function statusOf(data: string): Promise<Status> {
  return JSON.parse((await runCommand("status", "--json", "--data", data)).out);
}

function clientOf({ apiUrl, orgId, descriptorFile, admin }: Summary): CountersignClient {
  const signer = new KeySigner({ privateKey: readFileSync(admin.privateKeyFile, "utf8"), credId: admin.credId });
  const descriptor = new Uint8Array(readFileSync(descriptorFile));
  return new CountersignClient({ apiUrl, orgId, descriptor, token: admin.token, signer });
}

function supervisorPid(data: string): number {
  return Number(readFileSync(join(data, "run", "supervisor.pid"), "utf8"));
}

async function assertAllGone({ services }: Status): Promise<void> {
  for (const { name, pid = 0, address } of services) {
    assert.equal(await processIsGone(pid, GONE_MS), true, `${name} is still there`);
    assert.equal(await isFree(Number(address.split(":")[1])), true, `${name}'s port is still taken`);
  }
}

describe("a local network", { timeout: 300_000 }, () => {
  let data: string;
  let summary: Summary;
  let keyId: string;

  before(async () => {
    data = join(mkdtempSync(join(tmpdir(), "countersign-test-")), "data");
    const { code, out, notes } = await runCommand("up", "--detach", "--json", "--port", "0", "--data", data);
    assert.equal(code, 0, notes);
    summary = JSON.parse(out);
  });
  after(async () => {
    await runCommand("down", "--data", data);
    rmSync(dirname(data), { recursive: true, force: true });
  });

  test("up --json prints one object with all that a program needs", async () => {
    assert.match(summary.apiUrl, /^http:\/\/127\.0\.0\.1:\d+$/);
    assert.match(summary.orgId, /^or-/);
    assert.equal(summary.data, data);
    assert.deepEqual(
      summary.nodes.map(({ id, region }) => [id, region]),
      [
        ["node-1", "eu-west"],
        ["node-2", "us-east"],
        ["node-3", "ap-south"],
      ],
    );
    assert.equal(statSync(summary.admin.privateKeyFile).mode & 0o777, 0o600);

    const key = await clientOf(summary).createKey({ scheme: "EdDSA", curve: "ed25519" });

    keyId = key.id;
    assert.equal(key.status, "Active");
  });

  test("status tells services, nodes, keys and audit lengths", async () => {
    const { running, services, nodes } = await statusOf(data);

    assert.equal(running, true);
    assert.deepEqual(
      services.map(({ name }) => name),
      ["nats", "redis", "node-1", "node-2", "node-3", "orchestrator", "api"],
    );
    for (const node of nodes) {
      assert.equal(node.present, true);
      assert.equal(node.keys, 1);
      assert.ok(node.auditLength > 1);
    }
  });

  test("no signer opens a debugger or dumps its memory", { skip: process.platform !== "linux" }, () => {
    for (const { id, pid } of summary.nodes) {
      const threads = readdirSync(`/proc/${pid}/task`).map((thread) =>
        readFileSync(`/proc/${pid}/task/${thread}/comm`, "utf8").trim(),
      );
      // Node's thread that turns SIGUSR1 into an open debugger port.
      assert.equal(threads.includes("SignalInspector"), false, id);
      assert.match(readFileSync(`/proc/${pid}/limits`, "utf8"), /^Max core file size +0 +0 /m, id);
    }
  });

  test("each service leaves a log that `logs` shows, all of them or one", async () => {
    const all = await runCommand("logs", "--data", data);
    const one = await runCommand("logs", "node-2", "--lines", "1000", "--data", data);
    const none = await runCommand("logs", "node-9", "--data", data);

    assert.match(all.out, /^api .*ready/m);
    assert.match(one.out, /ready/);
    assert.doesNotMatch(one.out, /^api /m);
    assert.equal(none.code, 2);
    assert.match(none.notes, /There is no service "node-9"/);
  });

  test("doctor finds nothing wrong with it", async () => {
    const { code, out } = await runCommand("doctor", "--port", "0", "--data", data);

    assert.equal(code, 0, out);
    assert.match(out, /7 services run/);
  });

  test("a second up changes nothing and prints the same", async () => {
    const { code, out } = await runCommand("up", "--json", "--data", data);

    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(out), summary);
  });

  test("an up that asks for another size or port is refused, and nothing changes", async () => {
    const size = await runCommand("up", "--nodes", "5", "--data", data);
    const port = await runCommand("up", "--port", "1", "--data", data);

    assert.deepEqual([size.code, port.code], [1, 1]);
    assert.match(size.notes, /holds a deployment of 3 nodes with threshold 2/);
    assert.match(port.notes, /already runs, with its API on port/);
    assert.deepEqual(JSON.parse((await runCommand("up", "--json", "--data", data)).out), summary);
  });

  test("of two ups at once one supervises; Ctrl-C ends that network, and the first network does not notice", async (t) => {
    const other = join(temporaryFolder(t), "data");
    const words = ["--nodes", "2", "--threshold", "2", "--port", "0", "--data", other];
    const both = [startCommand("up", ...words), startCommand("up", ...words)];
    t.after(() => both.map(({ child }) => child.kill("SIGKILL")));
    const first = await Promise.race(both.map(({ ended }, place) => ended.then((result) => ({ ...result, place }))));
    const up = await statusOf(other);
    const remaining = both[1 - first.place];

    remaining?.child.kill("SIGINT");
    const last = await remaining?.ended;

    assert.match(first.out, /^Countersign is up: 2 signer nodes/);
    assert.deepEqual([first.code, last?.code], [0, 0], last?.notes);
    await assertAllGone(up);
    assert.equal(
      (await statusOf(data)).services.every((service) => service.up),
      true,
    );
  });

  test("a supervisor that is killed leaves no process, port or lock behind, and keys survive", async () => {
    const before = await statusOf(data);

    process.kill(supervisorPid(data), "SIGKILL");
    await assertAllGone(before);
    const status = await statusOf(data);
    const again = await runCommand("up", "--detach", "--json", "--port", "0", "--data", data);
    summary = JSON.parse(again.out);
    const signature = await clientOf(summary).sign(keyId, { kind: "Message", message: "0x00" });

    assert.equal(status.running, false);
    assert.equal(again.code, 0, again.notes);
    assert.equal(signature.status, "Signed");
  });

  test("down stops everything, says what, and is harmless twice", async () => {
    const before = await statusOf(data);

    const first = await runCommand("down", "--data", data);
    const second = await runCommand("down", "--data", data);

    assert.equal(first.code, 0);
    assert.match(first.out, /^Stopped api, orchestrator, node-1, node-2, node-3, nats, redis\.$/m);
    await assertAllGone(before);
    assert.equal(second.code, 0);
    assert.match(second.out, /^No network runs with/);
  });

  test("down --wipe deletes the data folder", async () => {
    const { code, out } = await runCommand("down", "--wipe", "--data", data);

    assert.equal(code, 0);
    assert.match(out, /Deleted/);
    assert.equal(existsSync(data), false);
  });
});
