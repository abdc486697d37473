// The shape of the answer only: what the figures are is the machine's business, and is judged nowhere but in the table.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { processIsGone } from "../testing/process-is-gone.ts";
import { runCommand } from "../testing/run-command.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { waitUntil } from "../wait-until.ts";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
/** A network starts within this, also on a busy machine. */
const START_MS = 60_000;
/** And is gone within this after Ctrl-C. */
const STOP_MS = 30_000;

test("bench --json prints the figures asked for and nothing else, in the order of the table", async () => {
  const names = ["eddsa.sign.2of3.cpu_ms", "authorize.p256.cpu_ms", "store.transactions_per_signature"];

  const { code, out, notes } = await runCommand("bench", "--quick", "--json", "--only", names.toReversed().join(","));

  assert.equal(code, 0, notes);
  const figures: Record<string, unknown>[] = JSON.parse(out);
  assert.deepEqual(
    figures.map(({ name, unit }) => [name, unit]),
    [
      [names[0], "ms"],
      [names[1], "ms"],
      [names[2], "transactions"],
    ],
  );
  for (const figure of figures) {
    assert.deepEqual(Object.keys(figure), ["name", "value", "unit", "runs", "min", "max", "command"]);
    const { value, runs, min, max, command } = figure;
    assert.ok(Number(runs) >= 3 && Number(min) > 0, JSON.stringify(figure));
    assert.ok(Number(min) <= Number(value) && Number(value) <= Number(max), JSON.stringify(figure));
    assert.equal(command, `./countersign bench --only ${figure["name"]}`);
  }
});

test("bench without --json prints a table with the target beside the value", async () => {
  const { code, out, notes } = await runCommand("bench", "--quick", "--only", "store.bytes_per_key");

  assert.equal(code, 0, notes);
  assert.match(out, /^figure +value +unit +target +reached +min–max +runs$/m);
  assert.match(out, /^store\.bytes_per_key +[0-9.]+ +bytes +<= 2048 +(yes|no) +[0-9.]+–[0-9.]+ +3$/m);
});

test("bench refuses flags and figures that do not exist, with code 2 and before anything is measured", async () => {
  const flag = await runCommand("bench", "--fast");
  const figure = await runCommand("bench", "--only", "eddsa.sign.2of3.cpu_ms,ecdsa.magic");

  assert.deepEqual([flag.code, figure.code], [2, 2]);
  assert.match(flag.notes, /There is no flag --fast/);
  assert.match(figure.notes, /There is no figure "ecdsa\.magic"\. Figures: eddsa\.sign/);
  assert.equal(flag.out + figure.out, "");
});

test("Ctrl-C ends the bench with a sentence and leaves no process and no file behind", async (t) => {
  const scratch = temporaryFolder(t);
  const child = spawn(process.execPath, [MAIN, "bench", "--only", "network.eddsa.p50_ms"], {
    env: { ...process.env, TMPDIR: scratch },
    stdio: ["ignore", "pipe", "pipe"],
  });
  t.after(() => child.kill("SIGKILL"));
  const notes = text(child.stderr);
  const pid = await waitUntil(() => supervisorIn(scratch), START_MS);
  assert.ok(pid !== undefined, "the network was started");

  child.kill("SIGINT");
  const [code] = await once(child, "exit");

  assert.equal(code, 1);
  assert.match(await notes, /^countersign: Stopped; nothing is left running\.$/m);
  assert.equal(await processIsGone(pid, STOP_MS), true);
  assert.deepEqual(readdirSync(scratch), []);
});

/** Process that supervises the network whose data folder is somewhere in `scratch`. */
function supervisorIn(scratch: string): number | undefined {
  for (const folder of readdirSync(scratch)) {
    const file = join(scratch, folder, "data", "run", "supervisor.pid");
    const pid = existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
    if (pid > 0) return pid;
  }
  return undefined;
}
