import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { before, test } from "node:test";
import { authorize, type Evidence } from "@countersign/authority";
import { CountersignError } from "@countersign/errors";
import { type Renunciation, KeyStateResponse_State as State } from "@countersign/proto/signer";
import type { SignerClient } from "@countersign/service-orchestrator";
import { prepareCurves, renunciationStatement } from "@countersign/threshold";
import { evidenceToWire } from "@countersign/wire";
import { Judge } from "./judge.ts";
import { readNodes } from "./node-records.ts";
import { type DeploymentOptions, SimulatedDeployment } from "./simulated-deployment.ts";
import { CALM_DISK } from "./simulated-disk.ts";
import type { Departure } from "./witness.ts";

before(() => prepareCurves((size) => new Uint8Array(randomBytes(size))));

const EDDSA = { scheme: "EdDSA", curve: "ed25519" };
const CREATE_MS = 10_000;

interface Scene {
  readonly deployment: SimulatedDeployment;
  readonly creation: Evidence;
  readonly keyId: string;
  readonly settle: <T>(call: Promise<T>) => Promise<T>;
  /** One signer as a hostile orchestrator would call it. */
  client(party: number): SignerClient;
  /** What each node holds. */
  states(): Promise<readonly State[]>;
  /** Creates the key; gives the code of the failure, if it fails. */
  create(creation?: Evidence): Promise<string | undefined>;
  /** Every key that was given out is whole, and no approval made two. */
  conclude(): Promise<void>;
}

const call = { signal: new AbortController().signal, deadlineMs: 2_000 };

/** A 2-of-3 network in which `cut` decides what is lost when a party sends a message. */
async function onScene(
  cut: (party: number, departure: Departure, deployment: SimulatedDeployment) => void,
  options: Partial<DeploymentOptions>,
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  const judge = new Judge({ deploymentId: "dep-simulation", threshold: 2, attemptsMax: 3 });
  const approved = (evidence: Evidence) => judge.approved(evidence);
  const witness = (party: number) => ({
    sent: (departure: Departure) => cut(party, departure, deployment),
    released: () => undefined,
  });
  const deployment: SimulatedDeployment = await SimulatedDeployment.start({
    seed: 3,
    nodes: 3,
    threshold: 2,
    approved,
    witness,
    ...options,
  });
  const settle: Scene["settle"] = (running) => deployment.network.clock.settle(running, 30_000);
  const client = (party: number) => {
    const signer = deployment.signers[party - 1];
    assert(signer);
    return signer.client();
  };
  try {
    const creation = await deployment.approve("POST", "/keys", EDDSA);
    const { authority } = deployment.orchestrator.network;
    const { intent } = authorize(creation, authority, { now: deployment.now() });
    assert(intent.kind === "create-key");
    const { keyId } = intent;
    const create = async (evidence = creation) => {
      try {
        judge.created(evidence, await settle(deployment.createKey(evidence, CREATE_MS)));
        return undefined;
      } catch (error) {
        assert(error instanceof CountersignError, String(error));
        return error.code;
      }
    };
    const states = () =>
      settle(Promise.all([1, 2, 3].map(async (party) => (await client(party).keyState({ keyId }, call)).state)));
    const conclude = async () => judge.conclude(await readNodes(deployment));
    await body({ deployment, creation, keyId, settle, client, states, create, conclude });
  } finally {
    deployment.stop();
  }
}

/** Loses what a party sends in a round, to these parties, until the network is healed; once. */
function loses(from: number, lost: string, to: readonly number[]): Parameters<typeof onScene>[0] {
  let isDone = false;
  return (party, { round }, { network }) => {
    if (party !== from || round !== lost || isDone) return;
    isDone = true;
    for (const other of to) network.cut(`node-${from}`, `node-${other}`);
  };
}

test("a key that two nodes never staged is given up by both and made anew under the same approval", () =>
  onScene(loses(1, "share", [2, 3]), {}, async ({ deployment, creation, settle, create, states, conclude }) => {
    const first = deployment.createKey(creation, 1_000);
    await assert.rejects(settle(first));
    assert.deepEqual(await states(), [State.STAGED, State.ABSENT, State.ABSENT]);

    await deployment.heal();
    const second = await create();

    assert.equal(second, undefined);
    assert.deepEqual(await states(), [State.ACTIVE, State.ACTIVE, State.ACTIVE]);
    await conclude();
  }));

test("a key that only one node never staged stays half-made for good, and a fresh approval makes another", () =>
  onScene(loses(1, "share", [3]), {}, async ({ deployment, creation, settle, create, states, conclude }) => {
    await assert.rejects(settle(deployment.createKey(creation, 1_000)));

    await deployment.heal();
    const again = [await create(), await create()];
    const fresh = await create(await deployment.approve("POST", "/keys", EDDSA));

    assert.deepEqual(again, ["key_half_made", "key_half_made"]);
    assert.deepEqual(await states(), [State.STAGED, State.STAGED, State.ABSENT]);
    assert.equal(fresh, undefined);
    await conclude();
  }));

test("a key is given out only when every node holds it: a lost last message is made up for", () =>
  onScene(loses(3, "finish", [2]), {}, async ({ deployment, create, states, conclude }) => {
    const creating = create();
    // The last message is lost for as long as its session lasts, then the bus is well again.
    deployment.network.clock.setTimer(6_000, () => deployment.network.heal());

    assert.equal(await creating, undefined);
    assert.deepEqual(await states(), [State.ACTIVE, State.ACTIVE, State.ACTIVE]);
    await conclude();
  }));

test("a member that acknowledges to one node and renounces to another takes the key from nobody", () =>
  onScene(loses(3, "finish", [2]), { corrupt: liarAt(3) }, async (scene) => {
    const { deployment, creation, keyId, settle, client, states, create, conclude } = scene;
    await assert.rejects(settle(deployment.createKey(creation, 1_000)));
    assert.deepEqual(await states(), [State.ACTIVE, State.STAGED, State.ACTIVE]);
    const { sessionId } = await settle(client(2).keyState({ keyId }, call));

    const { renunciation: lie } = await settle(
      client(3).renounce({ keyId, sessionId, evidence: evidenceToWire(creation) }, call),
    );
    assert(lie);
    const offers: readonly (readonly Renunciation[])[] = [
      [],
      [lie],
      [lie, lie],
      [{ ...lie, party: 1 }, lie],
      [{ ...lie, party: 2 }, lie],
      [lie, { ...lie, party: 4 }],
    ];
    for (const renunciations of offers) {
      await assert.rejects(settle(client(2).settle({ keyId, proof: promises(renunciations) }, call)), {
        code: "key_settled",
      });
    }

    assert.deepEqual(await states(), [State.ACTIVE, State.STAGED, State.ACTIVE]);
    await deployment.heal();
    assert.equal(await create(), undefined);
    assert.deepEqual(await states(), [State.ACTIVE, State.ACTIVE, State.ACTIVE]);
    await conclude();
  }));

test("promises of another session or key give nothing up", () =>
  onScene(loses(1, "share", [2, 3]), { corrupt: liarAt(3) }, async (scene) => {
    const { deployment, creation, keyId, settle, client, states } = scene;
    await assert.rejects(settle(deployment.createKey(creation, 1_000)));
    const { sessionId } = await settle(client(1).keyState({ keyId }, call));
    const other = new Uint8Array(32).fill(1);
    const promise = async (party: number, of: { keyId: string; sessionId: Uint8Array }) => {
      const { renunciation } = await settle(
        client(party).renounce({ ...of, evidence: evidenceToWire(creation) }, call),
      );
      assert(renunciation);
      return renunciation;
    };
    const good = await promise(2, { keyId, sessionId });

    for (const bad of [
      await promise(3, { keyId, sessionId: other }),
      { ...(await promise(3, { keyId, sessionId: other })), sessionId },
      { ...(await promise(3, { keyId: "key-other", sessionId })), sessionId },
    ]) {
      await assert.rejects(settle(client(1).settle({ keyId, proof: promises([good, bad]) }, call)), {
        code: "key_settled",
      });
    }
    assert.deepEqual(await states(), [State.STAGED, State.ABSENT, State.ABSENT]);
    const proof = promises([good, await promise(3, { keyId, sessionId })]);
    await settle(client(1).settle({ keyId, proof }, call));
    assert.deepEqual(await states(), [State.ABSENT, State.ABSENT, State.ABSENT]);
  }));

test("a disk that took a session but said it failed does not block the key until that session's deadline", () =>
  onScene(
    () => undefined,
    {},
    async ({ deployment, create, conclude }) => {
      const { clock } = deployment.network;
      deployment.disk = { ...CALM_DISK, syncLies: 1 };
      clock.setTimer(50, () => {
        deployment.disk = CALM_DISK;
      });
      const before = clock.now();

      assert.equal(await create(), undefined);

      // The session would count as running for six seconds; its outcome is on the disk within one.
      assert.ok(clock.now() - before < 3_000, `${clock.now() - before} ms`);
      await conclude();
    },
  ));

function promises(renunciations: readonly Renunciation[]) {
  return { case: "renunciations" as const, value: { renunciations: [...renunciations] } };
}

/** A member that promises whatever it is asked to, without a look at what it acknowledged. */
function liarAt(place: number): NonNullable<DeploymentOptions["corrupt"]> {
  return (party) => (node) => {
    if (party !== place) return {};
    return {
      renounce: async ({ keyId, sessionId }) => {
        const statement = renunciationStatement(node.descriptor.deploymentId, keyId, sessionId);
        return { renunciation: { party, sessionId, signature: node.identity.sign(statement) } };
      },
    };
  };
}
