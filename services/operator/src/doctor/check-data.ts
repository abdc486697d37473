import { X509Certificate } from "node:crypto";
import { lstat, readdir, readFile, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CountersignError } from "@countersign/errors";
import type { DataFolder } from "../deployment/data-folder.ts";
import { type Deployment, openDeployment } from "../deployment/deployment.ts";
import { takeLock } from "../network/lock.ts";
import { isFree } from "../network/ports.ts";
import type { ServiceStatus } from "../network/supervisor.ts";
import { runningServices } from "../network/supervisor-client.ts";
import type { Finding } from "./finding.ts";

const MEBIBYTE = 1_048_576;
/** A network's stores, database and logs grow slowly; with less than this a day of use may fill the disk. */
const FREE_BYTES_LOW = 1_024 * MEBIBYTE;
/** Signers stop when an audit entry cannot be written; the first start alone writes some 60 MB. */
const FREE_BYTES_MIN = 128 * MEBIBYTE;
/** Files looked at for their permissions. */
const FILES_MAX = 10_000;
const DAY_MS = 86_400_000;

/** Checks the data folder, the disk under it, the network that runs with it and the API's port. */
export async function checkData(folder: DataFolder, port: number, now: number): Promise<Finding[]> {
  const findings = [await checkDisk(folder.root)];
  let deployment: Deployment | undefined;
  try {
    deployment = await openDeployment(folder);
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error;
    return [...findings, { about: "data folder", verdict: "wrong", found: folder.root, fix: error.message }];
  }
  if (deployment === undefined) {
    findings.push({
      about: "data folder",
      verdict: "fine",
      found: `${folder.root} (made by the first \`countersign up\`)`,
    });
    return [...findings, await checkPort(port, [])];
  }
  const { nodes, threshold } = deployment.descriptor;
  findings.push({
    about: "data folder",
    verdict: "fine",
    found: `${folder.root} (${nodes.length} nodes, threshold ${threshold})`,
  });
  findings.push(await checkPermissions(folder.root), await checkCertificates(deployment, now));
  const services = await runningServices(folder).catch(() => undefined);
  findings.push(await checkNetwork(folder, services));
  findings.push(await checkPort(port, services ?? []));
  return findings;
}

async function checkDisk(root: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(await nearestFolder(root));
  const free = bavail * bsize;
  const found = `${Math.floor(free / MEBIBYTE)} MiB free`;
  if (free >= FREE_BYTES_LOW) return { about: "disk", verdict: "fine", found };
  const fix = "Make room, or choose another disk with --data: a signer that cannot write its audit log stops signing.";
  return { about: "disk", verdict: free < FREE_BYTES_MIN ? "wrong" : "warning", found, fix };
}

async function nearestFolder(path: string): Promise<string> {
  const found = await lstat(path).catch(() => undefined);
  return found !== undefined || dirname(path) === path ? path : nearestFolder(dirname(path));
}

async function checkPermissions(root: string): Promise<Finding> {
  const exposed: string[] = [];
  const waiting = [root];
  for (let looked = 0; waiting.length > 0 && looked < FILES_MAX; looked++) {
    const path = waiting.pop() ?? root;
    const entry = await lstat(path).catch(() => undefined);
    // Gone meanwhile, or a socket or link, whose own mode says nothing.
    if (entry === undefined || !(entry.isFile() || entry.isDirectory())) continue;
    if (entry.isDirectory()) waiting.push(...(await readdir(path)).map((name) => join(path, name)));
    // Below a folder that only its owner enters, modes of files do not matter to others.
    if (entry.isDirectory() && path === root && (entry.mode & 0o077) === 0)
      return { about: "permissions", verdict: "fine", found: "only its owner can enter" };
    if ((entry.mode & 0o077) !== 0) exposed.push(path);
  }
  if (exposed.length === 0) return { about: "permissions", verdict: "fine", found: "only its owner can read it" };
  const found = `${exposed.length} entries are open to other users, for example ${exposed[0]}`;
  return { about: "permissions", verdict: "wrong", found, fix: `chmod -R go-rwx ${root}` };
}

async function checkCertificates({ folder, descriptor }: Deployment, now: number): Promise<Finding> {
  const files = [
    folder.authority.certificate,
    ...descriptor.nodes.map(({ id }) => folder.node(id).tls.certificate),
    folder.orchestrator.tls.certificate,
    folder.api.tls.certificate,
  ];
  const ends = await Promise.all(
    files.map(async (file) => {
      const pem = await readFile(file).catch(() => undefined);
      return pem === undefined ? Number.POSITIVE_INFINITY : new X509Certificate(pem).validToDate.getTime();
    }),
  );
  const days = Math.floor((Math.min(...ends) - now) / DAY_MS);
  if (!Number.isFinite(days))
    return { about: "certificates", verdict: "fine", found: "issued by the next `countersign up`" };
  const found = `the first ends in ${days} days`;
  if (days >= 7) return { about: "certificates", verdict: "fine", found };
  const fix = "Restart the network (countersign down, countersign up): a start renews them.";
  return { about: "certificates", verdict: days < 0 ? "wrong" : "warning", found, fix };
}

async function checkNetwork(folder: DataFolder, services: readonly ServiceStatus[] | undefined): Promise<Finding> {
  if (services !== undefined) {
    const away = services.filter(({ up }) => !up).map(({ name }) => name);
    if (away.length === 0) return { about: "network", verdict: "fine", found: `${services.length} services run` };
    const fix = "`countersign logs` tells why; `countersign up` starts them again.";
    return { about: "network", verdict: "warning", found: `down: ${away.join(", ")}`, fix };
  }
  const lock = (await lstat(folder.lock).catch(() => undefined)) === undefined ? "free" : takeLock(folder.lock);
  if (lock === "free") return { about: "network", verdict: "fine", found: "not running" };
  if (lock !== undefined) {
    lock.release();
    return { about: "network", verdict: "fine", found: "not running" };
  }
  const pid = (await readFile(folder.supervisorPid, "utf8").catch(() => "?")).trim();
  return {
    about: "network",
    verdict: "wrong",
    found: `process ${pid} holds the data folder and does not answer`,
    fix: `If it stays so, end it: kill -9 ${pid}. Its services leave with it.`,
  };
}

async function checkPort(port: number, services: readonly ServiceStatus[]): Promise<Finding> {
  const own = services.find(({ name, up }) => name === "api" && up)?.address;
  if (own?.endsWith(`:${port}`)) return { about: "API port", verdict: "fine", found: `${port} (this network's)` };
  if (port === 0 || own !== undefined || (await isFree(port)))
    return { about: "API port", verdict: "fine", found: own ?? `${port} is free` };
  const fix = "Choose another with --port, or any free one with --port 0.";
  return { about: "API port", verdict: "warning", found: `${port} is in use by another program`, fix };
}
