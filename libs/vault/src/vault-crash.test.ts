import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { utf8 } from "@countersign/bytes";
import { openSqliteStore } from "./store/sqlite-store.ts";
import { APPROVAL, STEPS } from "./testing/crash-scenario.ts";
import type { CommitMoment } from "./testing/stepped-store.ts";
import { bytes32, codeOf, keyRecord, signing, type VaultFixture, withVaults } from "./testing/vault-fixture.ts";
import type { Vault } from "./vault.ts";

const CHILD = fileURLToPath(new URL("./testing/crash-child.ts", import.meta.url));
/** Far above what the scenario takes on a busy machine. */
const CHILD_MS_MAX = 60_000;
/** Commit 0 makes the vault, then one per step. */
const COMMITS = STEPS.length + 1;

/** Runs the scenario in a process that kills itself there; returns how much it had answered as durable. */
async function runAndKill(
  fixture: VaultFixture,
  commit: number,
  moment: CommitMoment,
  delayUs: number,
): Promise<number> {
  const child = spawn(process.execPath, [CHILD, fixture.folder, String(commit), moment, String(delayUs)], {
    stdio: ["ignore", "pipe", "inherit"],
    timeout: CHILD_MS_MAX,
    killSignal: "SIGTERM",
  });
  let answered = 0;
  child.stdout.on("data", (data: Buffer) => {
    answered += data.length;
  });
  const [code, signal] = await once(child, "close");
  assert.deepEqual({ code, signal }, { code: null, signal: "SIGKILL" });
  return answered;
}

/** How many commits of the scenario the audit log shows; asserts that it shows whole ones. */
async function commitsIn(vault: Vault): Promise<number> {
  assert.equal((await vault.verifyAudit()).kind, "intact");
  const kinds = (await vault.auditEntries({ from: 0, limit: 100 })).map(({ kind }) => kind);
  let expected = ["vault-created"];
  let commits = 1;
  for (const { entries } of STEPS) {
    if (expected.length >= kinds.length) break;
    expected = [...expected, ...entries];
    commits++;
  }
  assert.deepEqual(kinds, expected);
  return commits;
}

/** Everything else in the vault is what the audit log says, no more and no less. */
async function assertStateAfter(fixture: VaultFixture, vault: Vault, commits: number): Promise<void> {
  const done = (step: number) => commits > step + 1;
  const [generation, staged, active, signature, renounced, stagedOther, droppedOther] = STEPS.map((_, step) =>
    done(step),
  );
  const facts = await vault.keyFacts("key-1");
  assert.equal(facts?.state.kind, active ? "active" : staged ? "staged" : undefined);
  assert.equal((await vault.keyFacts("key-3"))?.state.kind, stagedOther && !droppedOther ? "staged" : undefined);
  assert.equal(await vault.countKeys(), Number(staged ?? false) + Number((stagedOther && !droppedOther) ?? false));

  const replay = (name: string) => codeOf(vault.beginSession(signing(name, fixture)));
  assert.equal(await replay("session of key-1"), generation ? "session_replayed" : undefined);
  assert.equal(await replay("signature"), signature ? "session_replayed" : undefined);
  const attempt = await vault.beginSession(signing("another", fixture, { c: APPROVAL }));
  assert.deepEqual(attempt, { attempt: signature ? 2 : 1 });

  // A staged share is whole: whoever brings the certificate makes it the key. A missing one can be staged by a new session.
  if (!staged) await vault.stageKey(keyRecord("key-1"), utf8("acknowledgement"));
  await vault.activateKey("key-1", bytes32("session of key-1"), utf8("certificate"));
  assert.deepEqual((await vault.openKey("key-1")).secret.expose(), bytes32("share of key-1"));
  const stageRenounced = await codeOf(vault.stageKey(keyRecord("key-2"), utf8("acknowledgement")));
  assert.equal(stageRenounced, renounced ? "session_renounced" : undefined);
  assert.equal((await vault.verifyAudit()).kind, "intact");
}

async function crash(commit: number, moment: CommitMoment, delayUs: number): Promise<void> {
  await withVaults(async (fixture) => {
    const answered = await runAndKill(fixture, commit, moment, delayUs);

    const vault = await fixture.open(await openSqliteStore({ path: `${fixture.folder}/store.sqlite` }));
    const found = await commitsIn(vault);

    // Opening makes the vault anew when its creation was lost, so that one commit is always found.
    const [least, most] =
      moment === "before" ? [commit, commit] : moment === "after" ? [commit + 1, commit + 1] : [commit, commit + 1];
    // The blow that falls during a commit may be late: then the commit was answered, and must be there.
    assert.ok(answered >= commit && answered <= (moment === "during" ? commit + 1 : commit), `answered ${answered}`);
    assert.ok(found >= answered, `${answered} commits were answered as durable, ${found} are there`);
    assert.ok(found >= Math.max(least, 1) && found <= Math.max(most, 1), `${found} commits, of ${least}..${most}`);
    await assertStateAfter(fixture, vault, found);
  });
}

for (let commit = 0; commit < COMMITS; commit++) {
  const step = commit === 0 ? "create the vault" : STEPS[commit - 1]?.name;
  const moments = { before: [0], during: [0, 100 + 50 * commit], after: [0] } as const;
  test(`killed anywhere in "${step}", a node finds the state before or after it, whole, with its audit log`, async () => {
    for (const moment of ["before", "during", "after"] as const)
      for (const delayUs of moments[moment]) await crash(commit, moment, delayUs);
  });
}
