import { readdir } from "node:fs/promises";
import { basename } from "node:path";
import { operatorError } from "../errors.ts";
import { DRAFT } from "../write-file.ts";
import { type DataFolder, ENTRIES } from "./data-folder.ts";

/** What `up` writes before a deployment is made: its lock and its log. */
const BEFORE_THE_DEPLOYMENT = ["run", "logs"];

/** What is in a data folder. Raises `data_folder_foreign` for a folder that holds files of somebody else. */
export async function folderState(folder: DataFolder): Promise<"empty" | "half-written" | "finished"> {
  const names = await readdir(folder.root).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === "ENOENT") return [];
    throw operatorError(
      "data_folder_foreign",
      `${folder.root} cannot be read as a folder (${error.code}); choose another with --data.`,
    );
  });
  const ours: readonly string[] = ENTRIES;
  const foreign = names.find((name) => !ours.includes(name.replace(DRAFT, "")));
  if (foreign !== undefined)
    throw operatorError(
      "data_folder_foreign",
      `${folder.root} holds files that are not Countersign's (${foreign}); choose an empty or new folder with --data.`,
    );
  if (names.includes(basename(folder.marker))) return "finished";
  return names.every((name) => BEFORE_THE_DEPLOYMENT.includes(name)) ? "empty" : "half-written";
}
