// A signer whose folder is damaged does not start: it says why, ends with a code, and leaves everything as it is.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { damages, startDamaged } from "./damaged-node.ts";
import { RealNetwork } from "./real-network.ts";

describe("a signer with a damaged folder", { timeout: 300_000 }, () => {
  let network: RealNetwork;

  before(async () => {
    network = await RealNetwork.start();
    await network.client.createKey({ scheme: "EdDSA", curve: "ed25519" });
    // Stopped in order, so that the store is one file and nobody else has it open.
    await network.down();
  });
  after(() => network?.close());

  test("does not start, says why, and changes nothing", async () => {
    const cases = damages(join(network.data, "nodes", "node-2"));
    const found: { what: string; said: string; exit: number | null; changed: readonly string[] }[] = [];

    for (let from = 0; from < cases.length; from += 3)
      found.push(
        ...(await Promise.all(
          cases.slice(from, from + 3).map(async (damage) => {
            const { exit, said, changed } = await startDamaged(network, "node-1", damage);
            return { what: damage.what, said, exit, changed };
          }),
        )),
      );

    for (const [place, { what, code, exit }] of cases.entries()) {
      const { said = "", ...rest } = found[place] ?? {};
      assert.deepEqual(rest, { what, exit, changed: [] }, said);
      assert.ok(said.includes(code), `${what}: ${said}`);
      // A sentence for people, not a stack alone.
      assert.match(said, /[A-Za-z/][^"]{20,}\./, what);
    }
  });
});
