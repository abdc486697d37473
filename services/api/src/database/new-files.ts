import { randomBytes } from "node:crypto";
import { constants, cp, mkdir, readFile, rename, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/**
 * Makes the files of an empty database under a name of their own and moves them to `files` once complete: a crash in between leaves
 * no half-written database under the real name. Making one takes seconds of processor time, copying one a moment: with `templates`,
 * a folder of this user's, the first one made by each release of the embedded Postgres is kept there and copied from then on. A copy
 * counts only once `check` could open it; a template whose copy does not open is thrown away, and everything is as without it.
 */
export async function newFiles(
  files: string,
  { make, check }: { make(folder: string): Promise<void>; check(folder: string): Promise<void> },
  templates: string | undefined,
): Promise<void> {
  const unfinished = `${files}.unfinished`;
  const template = templates === undefined ? undefined : join(templates, `postgres-${await release()}`);
  if (template === undefined || !(await copyOf(template, unfinished, check))) {
    await rm(unfinished, { recursive: true, force: true });
    await make(unfinished);
    // A cache that cannot be written to is no reason not to start.
    if (template !== undefined) await keep(unfinished, template).catch(() => {});
  }
  await rename(unfinished, files);
}

async function copyOf(template: string, copied: string, check: (folder: string) => Promise<void>): Promise<boolean> {
  await rm(copied, { recursive: true, force: true });
  try {
    await copy(template, copied);
    await check(copied);
    return true;
  } catch {
    // Absent, or damaged by a power loss or a cleaner of caches: the caller makes a database, and with it a new template.
    await rm(template, { recursive: true, force: true }).catch(() => {});
    return false;
  }
}

async function keep(made: string, template: string): Promise<void> {
  await mkdir(dirname(template), { recursive: true, mode: 0o700 });
  const unfinished = `${template}.${randomBytes(8).toString("hex")}`;
  try {
    await copy(made, unfinished);
    // Of several that make one at the same time the first wins: a folder does not replace one that has files.
    await rename(unfinished, template);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

function copy(from: string, to: string): Promise<void> {
  return cp(from, to, { recursive: true, errorOnExist: true, force: false, mode: constants.COPYFILE_FICLONE });
}

/** Another release may lay its files out differently. */
async function release(): Promise<string> {
  const entry = createRequire(import.meta.url).resolve("@electric-sql/pglite");
  const description: { version: string } = JSON.parse(await readFile(join(dirname(entry), "../package.json"), "utf8"));
  return description.version;
}
