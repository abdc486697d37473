import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { before, test } from "node:test";
import type { Evidence } from "@countersign/authority";
import { hex } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import { prepareCurves } from "@countersign/threshold";
import type { CertifiedKey } from "@countersign/wire";
import { askToSign, sessionOf } from "./direct-session.ts";
import { Judge } from "./judge.ts";
import { readNodes } from "./node-records.ts";
import { SimulatedDeployment } from "./simulated-deployment.ts";
import type { Departure } from "./witness.ts";

before(() => prepareCurves((size) => new Uint8Array(randomBytes(size))));

interface Scene {
  readonly deployment: SimulatedDeployment;
  readonly key: CertifiedKey;
  readonly evidence: Evidence;
  /** Every commitment that node 1 sent, in hex. */
  readonly nonces: readonly string[];
  /** One session, signers called directly; what each party came to: "released" or a code. */
  session(parties: readonly [number, number], name: number): Promise<readonly string[]>;
  /** Puts the disk of this moment, or of before the key, under node 1. */
  rollBack(to: "empty" | ReadonlyMap<string, Uint8Array>): Promise<void>;
}

/** A 2-of-3 network with a key; nodes 2 and 3 are judged as always, node 1 gets an older disk. */
async function onScene(body: (scene: Scene) => Promise<void>): Promise<void> {
  const judge = new Judge({ deploymentId: "dep-simulation", threshold: 2, attemptsMax: 3 });
  const nonces: string[] = [];
  const sent = ({ body: commitments, round, session }: Departure) => {
    if (round === "commit" && !("reveal" in session.rounds)) nonces.push(hex(commitments));
  };
  const deployment = await SimulatedDeployment.start({
    seed: 5,
    nodes: 3,
    threshold: 2,
    witness: (party) => (party === 1 ? { sent, released: () => undefined } : judge.witness(party)),
    approved: (evidence) => judge.approved(evidence),
  });
  const [rolledBack] = deployment.signers;
  assert(rolledBack);
  const empty = rolledBack.snapshot();
  const settle = <T>(call: Promise<T>) => deployment.network.clock.settle(call, 20_000);
  try {
    const creation = await deployment.approve("POST", "/keys", { scheme: "EdDSA", curve: "ed25519" });
    const key = await settle(deployment.createKey(creation));
    judge.created(creation, key);
    const path = `/keys/${key.package.keyId}/signatures`;
    const evidence = await deployment.approve("POST", path, { kind: "Hash", hash: `0x${"01".repeat(32)}` });
    const session: Scene["session"] = (parties, name) => {
      const described = sessionOf(deployment, evidence, { sessionId: new Uint8Array(32).fill(name), parties });
      const asked = parties.map(async (party) => {
        const signer = deployment.signers[party - 1];
        assert(signer);
        try {
          await askToSign(signer.client(), { evidence, session: described }, { deadlineMs: 500 });
          return "released";
        } catch (error) {
          assert(error instanceof CountersignError, String(error));
          return error.code;
        }
      });
      return settle(Promise.all(asked));
    };
    const rollBack: Scene["rollBack"] = async (to) => {
      rolledBack.crash();
      rolledBack.restore(to === "empty" ? empty : to);
      await deployment.heal();
    };
    await body({ deployment, key, evidence, nonces, session, rollBack });
    const records = await readNodes(deployment);
    if (records.every(({ keys }) => keys.size > 0)) judge.conclude(records);
  } finally {
    deployment.stop();
  }
}

const BOTH = ["released", "released"];

test("a node on an older disk counts again from there, and the nodes beside it do not", () =>
  onScene(async ({ deployment, nonces, session, rollBack }) => {
    const disk = deployment.signers[0]?.snapshot() ?? new Map();
    for (const name of [1, 2, 3]) assert.deepEqual(await session([1, 2], name), BOTH);

    await rollBack(disk);

    assert.deepEqual((await session([1, 2], 4))[1], "attempts_exhausted");
    for (const name of [5, 6]) assert.deepEqual(await session([1, 3], name), BOTH);
    // What the disk forgot, nonces do not repeat: they were never on it.
    assert.equal(new Set(nonces).size, nonces.length);
    assert.equal(nonces.length, 6);
  }));

test("a node on an older disk takes up an old session again, and gets nowhere with it", () =>
  onScene(async ({ deployment, nonces, session, rollBack }) => {
    const disk = deployment.signers[0]?.snapshot() ?? new Map();
    assert.deepEqual(await session([1, 2], 1), BOTH);

    await rollBack(disk);
    const again = await session([1, 2], 1);

    assert.deepEqual(again, ["session_deadline", "session_replayed"]);
    assert.equal(new Set(nonces).size, 2);
  }));

test("a node on a disk from before a key refuses to sign with it, and the others sign without that node", () =>
  onScene(async ({ deployment, evidence, session, rollBack }) => {
    await rollBack("empty");

    assert.equal((await session([1, 2], 1))[0], "share_not_here");
    const signed = await deployment.network.clock.settle(deployment.sign(evidence), 20_000);

    assert.deepEqual(signed.parties, [2, 3]);
  }));
