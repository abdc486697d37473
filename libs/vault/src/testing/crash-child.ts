import { randomBytes } from "node:crypto";
import { writeSync } from "node:fs";
import { fileKek } from "../kek/file-kek.ts";
import { openSqliteStore } from "../store/sqlite-store.ts";
import { Vault } from "../vault.ts";
import { STEPS } from "./crash-scenario.ts";
import { steppedStore } from "./stepped-store.ts";

// Runs the crash scenario and kills itself at one moment of one commit: argv is folder, commit, moment, delay in microseconds.
// Writes a byte to stdout for everything that was answered as durable.
const [folder = "", commit = "", moment = "", delay = "0"] = process.argv.slice(2);

const store = steppedStore(await openSqliteStore({ path: `${folder}/store.sqlite` }), (reached, at) => {
  if (reached !== Number(commit) || at !== moment) return;
  // The worker goes on while this thread spins: the kill meets it anywhere between its first write and its sync.
  const until = performance.now() + Number(delay) / 1000;
  while (performance.now() < until);
  process.kill(process.pid, "SIGKILL");
});
const kek = await fileKek({ path: `${folder}/kek` });
const vault = await Vault.open({
  store,
  kek,
  deploymentId: "dep-1",
  nodeId: "node-1",
  now: Date.now,
  rng: randomBytes,
});
writeSync(1, ".");
for (const step of STEPS) {
  await step.run(vault);
  writeSync(1, ".");
}
await vault.close();
