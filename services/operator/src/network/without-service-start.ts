import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Our policy file; one that a crash left behind is recognised by its text and taken away next time. */
const POLICY = `#!/bin/sh
# Countersign: while it installs packages, none of them starts its system service. Safe to remove.
exit 101
`;

/**
 * Runs an installation of Debian packages during which none of them starts its system service: Debian asks
 * `/usr/sbin/policy-rc.d` (exit code 101: do not start). A policy that is there already stays as it is. Afterwards the new
 * packages' services are disabled, so that they do not start with the machine either.
 */
export async function withoutServiceStart(
  { systemRoot, packages }: { systemRoot: string; packages: readonly string[] },
  install: () => Promise<void>,
): Promise<void> {
  const policy = join(systemRoot, "usr", "sbin", "policy-rc.d");
  const isOurs = !existsSync(policy) || readFileSync(policy, "utf8") === POLICY;
  if (isOurs) writeFileSync(policy, POLICY, { mode: 0o755 });
  try {
    await install();
  } finally {
    if (isOurs) rmSync(policy, { force: true });
    // The services were not there before this installation, so switching them off takes nothing from anybody.
    if (existsSync(join(systemRoot, "run", "systemd", "system")))
      spawnSync("systemctl", ["disable", "--now", ...packages], { stdio: "ignore", timeout: 30_000 });
  }
}
