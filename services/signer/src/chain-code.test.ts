import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { hex, sha256 } from "@countersign/bytes";
import { evidenceToWire, sessionToWire } from "@countersign/wire";
import { signerCalls } from "./server.ts";
import { Sessions } from "./sessions.ts";
import { TestNetwork } from "./testing/test-network.ts";

let network: TestNetwork;
before(async () => {
  network = await TestNetwork.start();
});
after(() => network.stop());

test("a key's chain code is in no answer of a signer, and its hash is in every answer that shows the key", async () => {
  const evidence = evidenceToWire(network.approveKey("Schnorr"));
  const session = sessionToWire(network.session([1, 2, 3]));
  const caller = { deploymentId: "dep-test", role: "orchestrator", name: "orchestrator-1" } as const;
  const context = { ...network.limits(), caller, method: "", traceId: "" };
  const nodes = [...network.nodes.values()].map(({ node }) => ({ node, calls: signerCalls(node, new Sessions()) }));

  const generated = await network.settle(
    Promise.all(
      nodes.map(({ calls }) =>
        calls.generate({ $typeName: "countersign.signer.v1.GenerateRequest", evidence, session }, context),
      ),
    ),
  );
  const keyId = generated[0]?.key?.keyId ?? "";
  const states = await Promise.all(
    nodes.map(({ calls }) => calls.keyState({ $typeName: "countersign.signer.v1.KeyStateRequest", keyId }, context)),
  );

  const [chainCode = new Uint8Array(0), ...others] = await Promise.all(
    nodes.map(async ({ node }) => (await node.vault.keyFacts(keyId))?.publicPart.slice(0, 32)),
  );
  for (const other of others) assert.deepEqual(other, chainCode, "every node keeps the chain code");
  for (const answer of [...generated, ...states]) {
    assert.deepEqual(answer.key?.chainCodeHash, sha256(chainCode));
    assert.equal(JSON.stringify(answer, inHex).includes(hex(chainCode)), false);
  }
});

function inHex(_: string, value: unknown): unknown {
  return value instanceof Uint8Array ? hex(value) : value;
}
