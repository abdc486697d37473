import { existsSync } from "node:fs";
import { CountersignError } from "@countersign/errors";
import type { DataFolder } from "../deployment/data-folder.ts";
import { type Deployment, openDeployment } from "../deployment/deployment.ts";
import { takeLock } from "./lock.ts";

/** As `openDeployment`, and undefined too while another process is still making the deployment: that is not half-written. */
export async function openSettledDeployment(folder: DataFolder): Promise<Deployment | undefined> {
  try {
    return await openDeployment(folder);
  } catch (error) {
    const unfinished = error instanceof CountersignError && error.code === "data_folder_incomplete";
    if (unfinished && isHeld(folder)) return undefined;
    throw error;
  }
}

function isHeld(folder: DataFolder): boolean {
  if (!existsSync(folder.lock)) return false;
  const lock = takeLock(folder.lock);
  lock?.release();
  return lock === undefined;
}
