import { rm, rmdir } from "node:fs/promises";
import { defineVerb } from "../command-line.ts";
import type { DataFolder } from "../deployment/data-folder.ts";
import { folderState } from "../deployment/folder-state.ts";
import { operatorError } from "../errors.ts";
import { controlSocketPath } from "../network/control.ts";
import { takeLock } from "../network/lock.ts";
import { stopNetwork } from "../network/supervisor-client.ts";
import { waitUntil } from "../wait-until.ts";
import { makeFolder } from "../write-file.ts";
import { dataFlag, dataFolderOf } from "./network-flags.ts";

/** The supervisor lets go of the folder right after its answer. */
const RELEASE_TIMEOUT_MS = 5_000;

/** Stops the local network. */
export const down = defineVerb({
  name: "down",
  options: {
    ...dataFlag,
    wipe: { kind: "flag", help: "delete the data folder afterwards: every key share in it is lost" },
  },
  notes: "Each service gets 16 s to finish what it does and is killed after that. Exit code 0 also when nothing ran.",
  async run({ data, wipe }, terminal) {
    const folder = dataFolderOf(data, terminal);
    const state = await folderState(folder);
    const stopped = await stopNetwork(folder, terminal.interrupted);
    if (stopped !== undefined) terminal.out(`Stopped ${stopped.join(", ") || "the network"}.`);
    else terminal.out(`No network runs with ${folder.root}.`);
    if (!wipe || (state === "empty" && stopped === undefined)) return 0;
    await wipeFolder(folder);
    terminal.out(`Deleted ${folder.root}.`);
    return 0;
  },
});

/** Deletes what Countersign wrote, the marker first; the caller checked that nothing else is there. */
async function wipeFolder(folder: DataFolder): Promise<void> {
  await makeFolder(folder.run);
  const lock = await waitUntil(() => takeLock(folder.lock), RELEASE_TIMEOUT_MS);
  if (lock === undefined)
    throw operatorError("supervisor_silent", `Another process uses ${folder.root}; nothing was deleted.`);
  try {
    await rm(await controlSocketPath(folder.run), { force: true });
    for (const entry of folder.entries) await rm(entry, { recursive: true, force: true });
    await rmdir(folder.root);
  } finally {
    lock.release();
  }
}
