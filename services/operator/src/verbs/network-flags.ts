import { join, resolve } from "node:path";
import { dataFolder } from "../deployment/data-folder.ts";
import type { Terminal } from "../terminal.ts";

/** `--data`, as every verb that touches a network has it. */
export const dataFlag = {
  data: { kind: "text", placeholder: "DIR", help: "data folder (default: .countersign/data in the repository)" },
} as const;

/** `--json`, for verbs that answer one JSON object. */
export const jsonFlag = { json: { kind: "flag", help: "print one JSON object instead of text" } } as const;

/** The data folder that `--data` names; without it the repository's own, whatever folder the command is called from. */
export function dataFolderOf(data: string | undefined, terminal: Terminal) {
  const root =
    data === undefined ? join(terminal.repository, ".countersign", "data") : resolve(terminal.workingFolder, data);
  return dataFolder(root);
}

/** `--data DIR` as it must be repeated in a hint; nothing for the default. */
export function dataHint(data: string | undefined): string {
  return data === undefined ? "" : ` --data ${data}`;
}
