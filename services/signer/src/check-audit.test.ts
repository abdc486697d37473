import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TaskGroup } from "@countersign/runtime";
import { checkAudit } from "./check-audit.ts";
import { TestNetwork } from "./testing/test-network.ts";
import { watched } from "./testing/watched.ts";

let network: TestNetwork;
before(async () => {
  network = await TestNetwork.start();
});
after(() => network.stop());

const signal = new AbortController().signal;

/** The vault of node 1 as an intruder left it. */
function edited() {
  const { vault } = network.at(1).node;
  return watched(vault, {
    verifyAudit: async () => ({ kind: "broken", index: 3, reason: "Audit entry 3 is broken." }),
  });
}

test("a log that is whole is checked before the start goes on, and a broken one ends the start", async () => {
  const tasks = new TaskGroup(() => {});

  await checkAudit(network.at(1).node.vault, { nodeId: "node-1", tasks, signal });
  await assert.rejects(checkAudit(edited(), { nodeId: "node-1", tasks, signal }), {
    code: "audit_chain_broken",
    details: { index: 3 },
  });

  assert.deepEqual(tasks.names, []);
});

test("a long log is checked beside the first work, and takes the service down when it is broken", async () => {
  const failures: unknown[] = [];
  const tasks = new TaskGroup((error) => failures.push(error));

  await checkAudit(network.at(1).node.vault, { nodeId: "node-1", tasks, signal, entriesAtStart: 0 });
  await checkAudit(edited(), { nodeId: "node-1", tasks, signal, entriesAtStart: 0 });
  const names = tasks.names;
  while (tasks.names.length > 0) await new Promise((resolve) => setImmediate(resolve));

  assert.deepEqual(names, ["audit log check", "audit log check"]);
  assert.deepEqual(
    failures.map((error) => error instanceof Error && "code" in error && error.code),
    ["audit_chain_broken"],
  );
});
