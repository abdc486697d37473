// Everything that is not a signer dies while requests are under way, and comes back. The tests share one network of 2-of-3, and
// each leaves it whole.
import assert from "node:assert/strict";
import { renameSync } from "node:fs";
import { after, afterEach, before, describe, test } from "node:test";
import type { Key } from "@countersign/sdk";
import { RealNetwork } from "./real-network.ts";
import { codesOf, freshBody, holdRequests, newKey, type Outcome, SteadyRequests, sign } from "./signing-requests.ts";
import { until } from "./until.ts";

/** Clients that sign all the time while a service is away and comes back. */
const LANES = 3;
/** Requests that must be signed to say that signing works: more than one per lane. */
const ENOUGH = 2 * LANES;

describe("restarts", { timeout: 240_000 }, () => {
  let network: RealNetwork;
  let key: Key;

  before(async () => {
    network = await RealNetwork.start();
    key = await newKey(network);
  });
  afterEach(() => network.mend());
  after(() => network.close());

  test("without Redis requests go on", async () => {
    const { outcomes } = await killWithRequests(network, key, "redis");
    await using requests = new SteadyRequests(network, key, { lanes: LANES });
    await until("requests are signed without Redis", () => requests.signed >= ENOUGH);
    await network.up();

    assert.deepEqual(codesOf([...outcomes, ...(await requests.end())]), []);
    await sign(network, key);
  });

  test("without NATS requests end in typed errors, and after up signing and creating keys work", async () => {
    const { outcomes } = await killWithRequests(network, key, "nats");
    const during = await bringBack(network, key);

    assertOnly(["attempts_failed", "quorum_unavailable"], outcomes);
    assertOnly(["attempts_failed", "quorum_unavailable"], during);
    await sign(network, await newKey(network));
  });

  test("a dying orchestrator cuts requests off with typed errors, and after up each stands as it ended", async () => {
    const done = freshBody("signed before the orchestrator died");
    const signature = await sign(network, key, done);

    const { bodies, outcomes } = await killWithRequests(network, key, "orchestrator");
    const during = await bringBack(network, key);

    assertOnly(["network_unavailable"], outcomes);
    assertOnly(["network_unavailable"], during);
    await assertFailed(network, key, bodies);
    assert.deepEqual((await sign(network, key, done)).answer, signature.answer);
  });

  test("a dying API cuts its callers off, and after up each request that it had begun has ended", async () => {
    const done = freshBody("signed before the API died");
    const signature = await sign(network, key, done);
    const { items: keysBefore } = await network.client.keys();

    const { bodies, outcomes } = await killWithRequests(network, key, "api");
    const during = await bringBack(network, key);

    assertOnly(["api_unavailable"], outcomes);
    assertOnly(["api_unavailable"], during);
    await assertFailed(network, key, bodies);
    assert.deepEqual((await sign(network, key, done)).answer, signature.answer);
    assert.deepEqual((await network.client.keys()).items, keysBefore);
  });

  test("after down and up the same network signs with the same keys and knows its requests", async () => {
    const done = freshBody("signed before all of it stopped");
    const signature = await sign(network, key, done);
    const { items: keysBefore } = await network.client.keys();

    await network.down();
    await network.up();

    assert.deepEqual((await network.client.keys()).items, keysBefore);
    assert.deepEqual((await sign(network, key, done)).answer, signature.answer);
    await sign(network, key);
    await sign(network, await newKey(network));
  });

  test("a network whose data folder is deleted ends by itself", async () => {
    const { services } = await network.status();

    // In one step: services still write, and what deletes file by file may stop in the middle of that without a word.
    renameSync(network.data, `${network.data}.deleted`);

    for (const { name } of services) await network.untilGone(name);
  });
});

/** Kills a service while requests wait in the middle of being signed; resolves with what they were and how they ended. */
async function killWithRequests(network: RealNetwork, key: Key, service: string) {
  const { bodies, outcomes } = await holdRequests(network, key, service);
  await network.kill(service);
  resumeSigners(network);
  return { bodies, outcomes: await outcomes };
}

/** Runs `up` under requests that fail meanwhile; resolves with how they ended once they are signed again. */
async function bringBack(network: RealNetwork, key: Key): Promise<readonly Outcome[]> {
  await using requests = new SteadyRequests(network, key, { lanes: LANES });
  await until("requests are refused", () => requests.failed >= LANES);
  await network.up();
  const signedAtUp = requests.signed;
  await until("requests are signed again", () => requests.signed >= signedAtUp + ENOUGH);
  return requests.end();
}

/** Asserts that requests failed, each with one of these codes. */
function assertOnly(codes: readonly string[], outcomes: readonly Outcome[]): void {
  const found = codesOf(outcomes);
  assert.notDeepEqual(found, [], "some requests failed");
  const others = found.filter((code) => !codes.includes(code));
  assert.deepEqual(others, []);
}

/** Asserts that requests are known by their externalIds, as failed: one that never ended would block its externalId. */
async function assertFailed({ client }: RealNetwork, { id }: Key, bodies: readonly object[]): Promise<void> {
  for (const body of bodies) assert.equal((await client.sign(id, { ...body })).status, "Failed");
}

function resumeSigners(network: RealNetwork): void {
  for (const { id } of network.descriptor.nodes) network.resume(id);
}
