import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { findProgram, missingSentence, PROGRAMS } from "../network/programs.ts";
import type { Terminal } from "../terminal.ts";
import type { Finding } from "./finding.ts";

const NODE_MAJOR_MIN = 24;
/** A program that does not tell its version in this time is broken. */
const VERSION_TIMEOUT_MS = 5_000;
/** Older servers have ways around authentication; on a loopback address of one's own machine they may do. */
const NATS_PRODUCTION = [
  [2, 14, 0],
  [2, 12, 7],
  [2, 11, 16],
] as const;

/** Checks the runtime, the programs and the curves on this machine. */
export async function checkMachine(terminal: Terminal): Promise<Finding[]> {
  return [
    await checkNode(terminal),
    await checkNpm(terminal),
    ...(await Promise.all(PROGRAMS.map((name) => checkProgram(name, terminal)))),
    await checkCurves(),
    checkClock(Date.now()),
  ];
}

async function checkNode({ node }: Terminal): Promise<Finding> {
  const version = (await firstLine(node)) ?? "unknown";
  const major = Number(/^v(\d+)\./.exec(version)?.[1] ?? 0);
  if (major >= NODE_MAJOR_MIN) return { about: "node", verdict: "fine", found: `${version} (${node})` };
  return {
    about: "node",
    verdict: "wrong",
    found: `${version} (${node})`,
    fix: `Run the countersign script, which brings Node ${NODE_MAJOR_MIN} with it, or install Node ${NODE_MAJOR_MIN} or newer.`,
  };
}

async function checkNpm({ environment }: Terminal): Promise<Finding> {
  const npm = await findProgram("npm", { environment });
  if (npm !== undefined) return { about: "npm", verdict: "fine", found: npm };
  const fix = "Only needed to install packages after an update. Debian: apt-get install npm";
  return { about: "npm", verdict: "warning", found: "not found", fix };
}

async function checkProgram(name: (typeof PROGRAMS)[number], { environment, isRoot }: Terminal): Promise<Finding> {
  const path = await findProgram(name, { environment });
  if (path === undefined) {
    const apt = isRoot ? await findProgram("apt-get", { environment }) : undefined;
    if (apt !== undefined)
      return { about: name, verdict: "warning", found: "not found", fix: "`countersign up` installs it with apt-get." };
    return { about: name, verdict: "wrong", found: "not found", fix: missingSentence([name]) };
  }
  const line = (await firstLine(path)) ?? "";
  const version = /\d+\.\d+\.\d+/.exec(line)?.[0];
  if (version === undefined)
    return { about: name, verdict: "wrong", found: `${path} does not tell its version`, fix: "Install it again." };
  const found = `${version} (${path})`;
  if (name !== "nats-server" || isForProduction(version)) return { about: name, verdict: "fine", found };
  const fix = "Fine for a local network; production needs 2.14.0, 2.12.7 or 2.11.16 or newer of their lines.";
  return { about: name, verdict: "warning", found, fix };
}

function isForProduction(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  const [newest] = NATS_PRODUCTION;
  if (major > newest[0] || (major === newest[0] && minor > newest[1])) return true;
  return NATS_PRODUCTION.some((line) => line[0] === major && line[1] === minor && patch >= line[2]);
}

/** The native and WebAssembly curves with their known answers, as a signer checks them before it serves. */
async function checkCurves(): Promise<Finding> {
  try {
    const { prepareCurves } = await import("@countersign/threshold");
    await prepareCurves((size) => new Uint8Array(randomBytes(size)));
    return { about: "curves", verdict: "fine", found: "ed25519 and secp256k1 give their known answers" };
  } catch (error) {
    return {
      about: "curves",
      verdict: "wrong",
      found: error instanceof Error ? error.message : String(error),
      fix: "Signers do not start without constant-time curves. libsecp256k1 has no prebuilt binary for this system; use Linux on x64 or arm64.",
    };
  }
}

/** The year this was written: a clock before it has lost its battery. */
const YEAR_MIN = 2026;

function checkClock(now: number): Finding {
  const found = new Date(now).toISOString();
  if (new Date(now).getUTCFullYear() >= YEAR_MIN) return { about: "clock", verdict: "fine", found };
  const fix = "Set the clock (NTP): approvals and certificates are judged by it.";
  return { about: "clock", verdict: "wrong", found, fix };
}

async function firstLine(program: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(program, ["--version"], { timeout: VERSION_TIMEOUT_MS });
    return stdout.split("\n")[0]?.trim();
  } catch {
    // The caller says that the version is not known.
    return undefined;
  }
}
