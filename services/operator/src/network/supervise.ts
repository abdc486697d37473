import { once } from "node:events";
import { existsSync } from "node:fs";
import type { DataFolder } from "../deployment/data-folder.ts";
import { folderState } from "../deployment/folder-state.ts";
import { operatorError } from "../errors.ts";
import { makeFolder, writeFileAtomic } from "../write-file.ts";
import { controlSocketPath, serveControl } from "./control.ts";
import { type LocalNetwork, type NetworkSurroundings, prepareNetwork } from "./local-network.ts";
import { takeLock } from "./lock.ts";
import type { NetworkPlan } from "./network-plan.ts";

/** Deleting the data folder is a clean start; a network that still runs on the deleted one is noticed this soon. */
const FOLDER_INTERVAL_MS = 2_000;

/** What the process that supervises a network is told and tells. */
export interface SuperviseOptions {
  readonly plan: NetworkPlan;
  readonly surroundings: Omit<NetworkSurroundings, "programs">;
  /** Finds the programs; called once the folder is ours. Gives up when `signal` aborts. */
  readonly requirePrograms: (signal: AbortSignal) => Promise<NetworkSurroundings["programs"]>;
  /** Called once every service is ready. When the network is told to stop meanwhile, nobody waits for it. */
  readonly onReady: () => Promise<void>;
  /** Id of this process. */
  readonly pid: number;
  /** Ends the network: Ctrl-C or a signal. */
  readonly signal: AbortSignal;
}

/**
 * Runs a local network until it is told to stop: by `signal` or over the control socket. Answers `taken` at once when another
 * process supervises this data folder. However this process ends, its services end with it and the lock is free.
 */
export async function supervise(options: SuperviseOptions): Promise<"taken" | "stopped"> {
  const { folder } = options.surroundings;
  // A folder of somebody else's must not even get our lock file.
  await folderState(folder);
  await makeFolder(folder.run);
  const lock = takeLock(folder.lock);
  if (lock === undefined) return "taken";
  try {
    // For `doctor`: whom to look at when the control socket does not answer. Nothing trusts it.
    await writeFileAtomic(folder.supervisorPid, `${options.pid}\n`);
    await runNetwork(options, folder);
    return "stopped";
  } finally {
    lock.release();
  }
}

async function runNetwork(options: SuperviseOptions, folder: DataFolder): Promise<void> {
  const { signal, onReady } = options;
  const asked = new AbortController();
  const ended = AbortSignal.any([signal, asked.signal]);
  const stopped = Promise.withResolvers<string[]>();
  const prepared = prepare(options, ended);
  // Whoever asks meanwhile gets the error too; it is raised below in any case.
  prepared.catch(() => {});

  // Before the preparation ends: installing programs may take minutes, and a second `up` should wait and not give up.
  const control = await serveControl(await controlSocketPath(folder.run), async (request, progress) => {
    switch (request) {
      case "status":
        return statusOf(await Promise.race([prepared, undefined]));
      case "start": {
        const network = await prepared;
        for (const name of await network.start(ended)) progress(`started ${name}`);
        return statusOf(network);
      }
      case "stop":
        asked.abort();
        return { stopped: await stopped.promise };
    }
  });
  let network: LocalNetwork | undefined;
  let watch: NodeJS.Timeout | undefined;
  try {
    network = await prepared;
    watch = setInterval(() => {
      if (!existsSync(folder.marker)) asked.abort();
    }, FOLDER_INTERVAL_MS);
    await network.start(ended);
    if (!ended.aborted) await Promise.race([onReady(), once(ended, "abort")]);
    if (!ended.aborted) await once(ended, "abort");
  } catch (error) {
    // Being told to stop while starting is no failure of the service that was being started.
    if (!ended.aborted) throw error;
    if (signal.aborted) throw operatorError("interrupted", "Stopped while starting; nothing is left running.");
  } finally {
    clearInterval(watch);
    stopped.resolve((await network?.supervisor.stop()) ?? []);
    await control.close();
  }
}

async function prepare({ plan, surroundings, requirePrograms }: SuperviseOptions, signal: AbortSignal) {
  const programs = await requirePrograms(signal);
  return prepareNetwork(plan, { ...surroundings, programs });
}

/** No services yet while the network is being prepared. */
function statusOf(network: LocalNetwork | undefined) {
  return { services: (network?.supervisor.status() ?? []).map((service) => ({ ...service })) };
}
