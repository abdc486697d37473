import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { runCommand, startCommand } from "../testing/run-command.ts";

/** Temporary folder of the demos alone: another demo on this machine must not look like something left behind. */
const folder = mkdtempSync(join(tmpdir(), "countersign-test-"));
process.env["TMPDIR"] = folder;
after(() => rmSync(folder, { recursive: true, force: true }));

test("the demo keeps every promise, tells each step and leaves nothing behind", async () => {
  const { code, out, notes } = await runCommand("demo", "--json");

  assert.equal(code, 0, notes);
  const { verdict, steps }: { verdict: string; steps: { step: string; refusal?: string }[] } = JSON.parse(out);
  assert.equal(verdict, "passed");
  assert.deepEqual(
    steps.map(({ step }) => step),
    ["up", "key", "key", "sign", "sign", "sign", "sign", "stolen-store", "forgery", "down"],
  );
  assert.deepEqual(
    steps.flatMap(({ refusal }) => refusal ?? []),
    ["kek_rejected", "challenge_mismatch"],
  );
  assert.deepEqual(readdirSync(folder), []);
});

test("Ctrl-C ends the demo with a sentence and leaves nothing behind", async (t) => {
  const { child, ended } = startCommand("demo");
  t.after(() => child.kill("SIGKILL"));
  if (child.stdout !== null) await once(child.stdout, "readable");

  child.kill("SIGINT");
  const { code, notes } = await ended;

  assert.equal(code, 1);
  assert.match(notes, /^countersign: Stopped/m);
  assert.deepEqual(readdirSync(folder), []);
});
