import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore } from "../store/memory-store.ts";
import { type AuditHead, auditGenesis, auditHash, encodeAuditEntry } from "./audit-entry.ts";
import { auditRow, verifyAuditChain } from "./verify-audit.ts";

const ids = { deploymentId: "dep-1", nodeId: "node-1" };

/** A consistent chain; `indexOf` says which index each entry claims. */
function chain(length: number, indexOf = (index: number) => index): { rows: Map<string, Uint8Array>; head: AuditHead } {
  const rows = new Map<string, Uint8Array>();
  let hash = auditGenesis(ids.deploymentId, ids.nodeId);
  for (let index = 0; index < length; index++) {
    const entry = encodeAuditEntry({
      index: indexOf(index),
      time: index,
      kind: "accepted",
      fields: {},
      prevHash: hash,
    });
    rows.set(auditRow(index), entry);
    hash = auditHash(entry);
  }
  return { rows, head: { index: length - 1, hash } };
}

async function brokenAt(rows: ReadonlyMap<string, Uint8Array>, head: AuditHead): Promise<number | undefined> {
  const verdict = await verifyAuditChain(memoryStore({ rows }), { ...ids, head });
  return verdict.kind === "broken" ? verdict.index : undefined;
}

test("a chain of any length up to its head is intact, and what is newer than the head is not judged", async () => {
  for (const length of [1, 2, 127, 128, 129, 300]) {
    const { rows, head } = chain(length);

    assert.equal(await brokenAt(rows, head), undefined);
  }
  const { rows } = chain(10);
  assert.equal(await brokenAt(rows, chain(7).head), undefined);
});

test("a missing entry is found at every place, at the edges of pages, too", async () => {
  for (const index of [0, 1, 127, 128, 255, 298, 299]) {
    const { rows, head } = chain(300);
    rows.delete(auditRow(index));

    assert.equal(await brokenAt(rows, head), index);
  }
});

test("another head than the chain's own is broken at the head", async () => {
  const { rows, head } = chain(5);

  assert.equal(await brokenAt(rows, { ...head, hash: new Uint8Array(32) }), 4);
});

test("an entry in a row that is not its own is broken, though the order is right", async () => {
  const { rows, head } = chain(5);
  const moved = rows.get(auditRow(3)) ?? assert.fail("An entry.");
  rows.delete(auditRow(3));
  rows.set(`${auditRow(3)}x`, moved);

  assert.equal(await brokenAt(rows, head), 3);
});

test("an entry that claims another index is broken, though its hashes fit", async () => {
  const { rows, head } = chain(5, (index) => (index === 3 ? 7 : index));

  assert.equal(await brokenAt(rows, head), 3);
});

test("a walk ends when its caller no longer waits", async () => {
  const { rows, head } = chain(5);

  await assert.rejects(verifyAuditChain(memoryStore({ rows }), { ...ids, head, signal: AbortSignal.abort() }), {
    name: "AbortError",
  });
});
