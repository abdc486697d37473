import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { operatorError } from "../errors.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { askSupervisor, type ControlHandler, controlSocketPath, serveControl } from "./control.ts";

const ASK_MS = 5_000;

async function served(t: TestContext, handler: ControlHandler): Promise<string> {
  const path = await controlSocketPath(temporaryFolder(t));
  const control = await serveControl(path, handler);
  t.after(() => control.close());
  return path;
}

test("an answer arrives after its progress lines", async (t) => {
  const path = await served(t, async (request, progress) => {
    progress("one");
    progress("two");
    return { request };
  });
  const lines: string[] = [];

  const answer = await askSupervisor(path, "start", {
    progress: (line) => lines.push(line),
    signal: AbortSignal.timeout(ASK_MS),
  });

  assert.deepEqual({ ...(answer as object) }, { request: "start" });
  assert.deepEqual(lines, ["one", "two"]);
});

test("an error of the supervisor is raised with its code and sentence", async (t) => {
  const path = await served(t, async () => {
    throw operatorError("port_busy", "Port 1 is in use.");
  });

  const asked = askSupervisor(path, "start", { signal: AbortSignal.timeout(ASK_MS) });

  await assert.rejects(asked, { code: "port_busy", message: "Port 1 is in use." });
});

test("where nobody listens the answer is undefined", async (t) => {
  const folder = temporaryFolder(t);

  assert.equal(
    await askSupervisor(join(folder, "absent.sock"), "status", { signal: AbortSignal.timeout(ASK_MS) }),
    undefined,
  );
});

test("a socket that a killed supervisor left is taken over", async (t) => {
  const path = join(temporaryFolder(t), "control.sock");
  writeFileSync(path, "");

  const control = await serveControl(path, async () => "served");
  t.after(() => control.close());

  assert.equal(await askSupervisor(path, "status", { signal: AbortSignal.timeout(ASK_MS) }), "served");
});

test("a supervisor that does not answer in time is reported as silent", async (t) => {
  const { promise, resolve } = Promise.withResolvers<null>();
  t.after(() => resolve(null));
  const path = await served(t, () => promise);

  await assert.rejects(askSupervisor(path, "status", { signal: AbortSignal.timeout(200) }), {
    code: "supervisor_silent",
  });
});

test("what is no request of ours ends the connection and nothing else", async (t) => {
  let asked = 0;
  const path = await served(t, async () => {
    asked++;
    return null;
  });

  for (const junk of ["reboot\n", "x".repeat(1_000_000)]) {
    const socket = connect(path);
    socket.on("error", () => {});
    socket.write(junk);
    assert.equal(await text(socket).catch(() => ""), "");
  }

  assert.equal(asked, 0);
  assert.equal(await askSupervisor(path, "status", { signal: AbortSignal.timeout(ASK_MS) }), null);
});

test("a path too long for a socket gets a short one of its own, the same each time", async (t) => {
  const folder = temporaryFolder(t);
  const long = join(folder, "a".repeat(100), "run");
  const other = join(folder, "b".repeat(100), "run");
  mkdirSync(long, { recursive: true });

  const path = await controlSocketPath(long);

  assert.ok(Buffer.byteLength(path) <= 103);
  assert.equal(await controlSocketPath(long), path);
  assert.notEqual(await controlSocketPath(other), path);
});
