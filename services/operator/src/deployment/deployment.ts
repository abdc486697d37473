import { access, readFile } from "node:fs/promises";
import { basename } from "node:path";
import { type Descriptor, genesisIds, parseDescriptor } from "@countersign/authority";
import { JsonMembers } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import { operatorError } from "../errors.ts";
import type { DataFolder } from "./data-folder.ts";
import { folderState } from "./folder-state.ts";

/** A finished deployment on this machine: what its descriptor says and where its files are. */
export interface Deployment {
  readonly folder: DataFolder;
  readonly descriptor: Descriptor;
  readonly orgId: string;
  /** Service account that administers the organisation. */
  readonly principalId: string;
  readonly appId: string;
  /** Credential id of the service account's key. */
  readonly credId: string;
  /** Public nkey of the orchestrator's bus user; nodes' are in the descriptor. */
  readonly orchestratorNatsKey: string;
}

/**
 * Opens the deployment in a data folder; undefined when there is none and one may be made. Raises `data_folder_incomplete`
 * for a half-written one and `data_folder_foreign` for a folder that holds something else; both leave everything as it is.
 */
export async function openDeployment(folder: DataFolder): Promise<Deployment | undefined> {
  const state = await folderState(folder);
  if (state === "empty") return undefined;
  if (state === "half-written")
    throw incomplete(folder, `${basename(folder.marker)} is missing: an interrupted first start left it half-written`);
  const descriptor = await readDescriptor(folder);
  for (const file of requiredFiles(folder, descriptor)) {
    if (!(await exists(file))) throw incomplete(folder, `${file} is missing`);
  }
  const { orgId, principalId, appId, credId } = genesisIds(descriptor);
  const { orchestratorNatsKey } = await readMarker(folder);
  return { folder, descriptor, orgId, principalId, appId, credId, orchestratorNatsKey };
}

async function readMarker(folder: DataFolder): Promise<{ orchestratorNatsKey: string }> {
  const refuse = (sentence: string) => incomplete(folder, sentence.replace(/\.$/, ""));
  const text = await readFile(folder.marker, "utf8");
  try {
    const members = JsonMembers.parse(text, basename(folder.marker), refuse);
    members.integer("version", 1, 1);
    members.text("deploymentId", { lengthMax: 64 });
    const orchestratorNatsKey = members.text("orchestratorNatsKey", { lengthMax: 64 });
    members.finish();
    return { orchestratorNatsKey };
  } catch (error) {
    if (error instanceof CountersignError && error.code === "encoding_invalid") throw refuse(error.message);
    throw error;
  }
}

async function readDescriptor(folder: DataFolder): Promise<Descriptor> {
  try {
    return parseDescriptor(await readFile(folder.descriptor));
  } catch (error) {
    if (error instanceof CountersignError)
      throw incomplete(folder, `${folder.descriptor} is not valid (${error.message})`);
    throw incomplete(folder, `${folder.descriptor} cannot be read`);
  }
}

function requiredFiles(folder: DataFolder, descriptor: Descriptor): string[] {
  return [
    ...descriptor.nodes.flatMap(({ id }) => {
      const node = folder.node(id);
      return [node.identitySeed, node.natsSeed, node.kek, folder.operatorKey(id)];
    }),
    folder.authority.certificate,
    folder.authority.key,
    folder.orchestrator.natsSeed,
    folder.api.tokenKey,
    folder.admin.privateKey,
  ];
}

function incomplete(folder: DataFolder, why: string) {
  return operatorError(
    "data_folder_incomplete",
    `The data folder ${folder.root} is not complete: ${why}. If it holds no keys you need, remove it (countersign down --wipe --data ${folder.root}) or choose another with --data; otherwise restore it from a backup.`,
  );
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    // Any reason that a file cannot be reached makes the deployment incomplete.
    return false;
  }
}
