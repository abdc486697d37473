import assert from "node:assert/strict";
import { test } from "node:test";
import { Health, HealthCheckResponse_ServingStatus as ServingStatus } from "@countersign/proto/health";
import { rpcClient } from "./client.ts";
import { OVERALL } from "./health.ts";
import { type ProbeNetwork, probeNetwork, SIGNER } from "./testing/network.ts";
import { eventually, refused } from "./testing/refused.ts";

const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = ServingStatus;
const PROBE = "countersign.probe.v1.ProbeService";

test("any role of the deployment may check a service and the server", async (t) => {
  const network = await probeNetwork(t);
  const tls = await network.authority.issue({ ...SIGNER, role: "operator", name: "alice" });
  const health = healthOf(t, network, tls);

  assert.equal((await health.check({})).status, SERVING);
  network.server.setServing(PROBE, false);
  assert.equal((await health.check({ service: PROBE })).status, NOT_SERVING);
  assert.equal((await health.check({ service: OVERALL })).status, SERVING);
  await refused(health.check({ service: "unknown" }), "rpc_service_unknown");
});

test("a watch tells the status at once and every change until the server drains", async (t) => {
  const network = await probeNetwork(t);
  const health = healthOf(t, network);
  const seen: ServingStatus[] = [];
  const reading = (async () => {
    for await (const { status } of health.watch({ service: PROBE })) seen.push(status);
  })();

  await eventually(() => seen.length === 1, "the first status");
  network.server.setServing(PROBE, false);
  await eventually(() => seen.length === 2, "the second status");
  network.server.setServing(PROBE, false);
  network.server.setServing(PROBE, true);
  await eventually(() => seen.length === 3, "the third status");
  const drained = await network.server.close({ graceMs: 5_000 });
  await reading;

  assert.deepEqual(seen, [SERVING, NOT_SERVING, SERVING, NOT_SERVING]);
  assert.equal(drained, true);
});

test("a watch of an unknown service says so and stays open", async (t) => {
  const health = healthOf(t, await probeNetwork(t));
  const watch = health.watch({ service: "unknown" });

  const first = await watch.next();
  await watch.return();

  assert.equal(first.value?.status, SERVICE_UNKNOWN);
});

test("setting a service that the server does not have is a bug", async (t) => {
  const { server } = await probeNetwork(t);

  assert.throws(() => server.setServing("unknown", true), /no service/);
});

function healthOf(t: { after(clean: () => void): void }, network: ProbeNetwork, tls = network.orchestratorTls) {
  const client = rpcClient(Health, { address: network.server.address, tls, server: SIGNER });
  t.after(() => client.close());
  return client;
}
