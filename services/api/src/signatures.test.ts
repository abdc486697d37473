import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { CountersignError } from "@countersign/errors";
import { sweep } from "./housekeeping.ts";
import { type Answer, TestApi } from "./testing/test-api.ts";

const MESSAGE = { kind: "Message", message: "0x00" };

let api: TestApi;
let path: string;
before(async () => {
  api = await TestApi.start();
  path = `/keys/${(await api.createKey()).json.id}/signatures`;
});
after(() => api.close());
afterEach(() => {
  api.orchestrator.before = async () => {};
  api.orchestrator.mangle = (answer) => answer;
  api.clockAheadMs = 0;
});

function code(answer: Answer): [number, string] {
  return [answer.status, answer.json.error?.code];
}

/** Makes the next calls to the network end as an orchestrator's error would. */
function networkFails(error: string, { kind = "outage", http = 503, grpc = "UNAVAILABLE" } = {}): void {
  api.orchestrator.before = async () => {
    const entry = { kind, http, grpc, meaning: "" } as ConstructorParameters<typeof CountersignError>[1];
    throw new CountersignError(error, entry, "as the test wants it", { details: { regions: ["region-3"] } });
  };
}

/** Holds calls at the network until released. */
function networkHolds(): { arrived: Promise<void>; release: () => void } {
  const arrived = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  api.orchestrator.before = (_method, signal) => {
    arrived.resolve();
    signal.addEventListener("abort", () => released.reject(signal.reason));
    return released.promise;
  };
  return { arrived: arrived.promise, release: () => released.resolve() };
}

async function newest(): Promise<Answer["json"]> {
  return (await api.call("GET", `${path}?limit=1`)).json.items[0];
}

test("the same externalId, key and body answer the same signature without signing again", async () => {
  const first = await api.post(path, { ...MESSAGE, externalId: "twice" });
  const before = api.orchestrator.calls.sign;

  const second = await api.post(path, { externalId: "twice", ...MESSAGE });

  assert.equal(second.status, 200);
  assert.deepEqual(second.json, first.json);
  assert.equal(api.orchestrator.calls.sign, before);
});

test("the same externalId with another body or another key is a conflict that names the first", async () => {
  const first = await api.post(path, { ...MESSAGE, externalId: "conflict" });
  const otherKey = `/keys/${(await api.createKey()).json.id}/signatures`;

  const otherBody = await api.post(path, { ...MESSAGE, message: "0x01", externalId: "conflict" });
  const otherPath = await api.post(otherKey, { ...MESSAGE, externalId: "conflict" });

  for (const answer of [otherBody, otherPath]) {
    assert.deepEqual(code(answer), [409, "external_id_conflict"]);
    assert.equal(answer.json.error.message, "Conflicting signature with same externalId");
    assert.deepEqual(answer.json.error.details, { duplicate: { id: first.json.id, externalId: "conflict" } });
  }
});

test("an externalId means nothing to another organisation", async () => {
  const first = await api.post(path, { ...MESSAGE, externalId: "shared" });
  const bobs = `/keys/${(await api.createKey("EdDSA", api.bob)).json.id}/signatures`;

  const second = await api.post(bobs, { ...MESSAGE, message: "0x07", externalId: "shared" }, api.bob);

  assert.equal(second.status, 200);
  assert.notEqual(second.json.id, first.json.id);
});

test("parallel requests with one externalId make one signature, and all get it", async () => {
  const body = JSON.stringify({ ...MESSAGE, externalId: "parallel" });
  const before = api.orchestrator.calls.sign;
  const userActions = await Promise.all(Array.from({ length: 8 }, () => api.approve("POST", path, body)));

  const answers = await Promise.all(userActions.map((userAction) => api.call("POST", path, { body, userAction })));

  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  assert.equal(new Set(answers.map(({ json }) => json.id)).size, 1);
  assert.ok(answers.every(({ json }) => json.status === "Signed"));
  assert.equal(api.orchestrator.calls.sign, before + 1);
});

test("a signature that runs elsewhere is answered as in progress", async () => {
  const { orgId, principalId } = api.alice;
  const now = new Date();
  const body = JSON.stringify({ ...MESSAGE, externalId: "elsewhere" });
  await api.api.database.inOrganisation(orgId, (transaction) =>
    transaction
      .insertInto("signatures")
      .values({
        org_id: orgId,
        id: "sig-elsewhere",
        key_id: path.split("/")[2] ?? "",
        principal_id: principalId,
        token_id: "to-1",
        payload: body,
        external_id: "elsewhere",
        status: "Executing",
        requested_at: now,
        deadline_at: new Date(now.getTime() + 10_000),
      })
      .execute(),
  );

  const answer = await api.post(path, JSON.parse(body));

  assert.deepEqual(code(answer), [409, "signature_in_progress"]);
  assert.equal(answer.headers["retry-after"], "1");
  api.clockAheadMs = 15_001;
  await sweep(api.swept);
  const ended = await api.call("GET", `${path}/sig-elsewhere`);
  assert.equal(ended.json.status, "Failed");
});

test("outages are answered with their own status and retry-after, and the signature ends Failed with the reason", async () => {
  const outages: [string, { kind?: string; http?: number; grpc?: string }, [number, string]][] = [
    ["quorum_unavailable", {}, [503, "quorum_unavailable"]],
    ["attempts_failed", {}, [503, "attempts_failed"]],
    ["orchestrator_busy", { http: 429, grpc: "RESOURCE_EXHAUSTED" }, [429, "orchestrator_busy"]],
    ["request_busy", { http: 409, grpc: "ABORTED" }, [409, "request_busy"]],
    ["rpc_deadline", { http: 504, grpc: "DEADLINE_EXCEEDED" }, [504, "network_deadline"]],
    ["rpc_overloaded", { grpc: "RESOURCE_EXHAUSTED" }, [503, "network_unavailable"]],
    ["rpc_unauthenticated", { kind: "refusal", http: 401, grpc: "UNAUTHENTICATED" }, [502, "network_failed"]],
    ["internal", { kind: "bug", http: 500, grpc: "INTERNAL" }, [502, "network_failed"]],
  ];

  for (const [error, shape, expected] of outages) {
    networkFails(error, shape);
    const answer = await api.post(path, MESSAGE);
    assert.deepEqual(code(answer), expected, error);
    assert.equal(answer.headers["retry-after"], "1", error);
    const row = await newest();
    assert.equal(row.status, "Failed");
    assert.match(row.reason, new RegExp(`^${expected[1]}: `));
    assert.equal("signature" in row, false);
  }
});

test("a refusal by the network keeps its status and ends the signature", async () => {
  networkFails("key_not_active", { kind: "refusal", http: 404, grpc: "NOT_FOUND" });

  const answer = await api.post(path, MESSAGE);

  assert.deepEqual(code(answer), [404, "key_not_active"]);
  assert.equal(answer.headers["retry-after"], undefined);
  assert.equal((await newest()).status, "Failed");
});

test("what a hostile network says reaches no caller: a code of the API's own, a status of its choice, escapes in a text", async () => {
  networkFails("token_invalid", { kind: "refusal", http: 401, grpc: "UNAUTHENTICATED" });
  assert.deepEqual(code(await api.post(path, MESSAGE)), [502, "network_failed"]);
  networkFails("key_not_active", { kind: "outage", http: 599, grpc: "NOT_FOUND" });
  assert.deepEqual(code(await api.post(path, MESSAGE)), [404, "key_not_active"]);
});

test("a failed signature is answered again to its externalId, in its terminal state", async () => {
  networkFails("quorum_unavailable");
  const failed = await api.post(path, { ...MESSAGE, externalId: "failed" });
  api.orchestrator.before = async () => {};

  const again = await api.post(path, { ...MESSAGE, externalId: "failed" });

  assert.equal(failed.status, 503);
  assert.deepEqual([again.status, again.json.status], [200, "Failed"]);
});

test("without an orchestrator the API answers 503 and says so in readiness, and recovers by itself", async () => {
  await api.stopOrchestrator();
  const down = await api.post(path, MESSAGE);
  const ready = await eventually(
    () => api.call("GET", "/health/ready"),
    ({ status }) => status === 503,
  );
  await api.startOrchestrator();
  const recovered = await eventually(
    () => api.post(path, MESSAGE),
    ({ status }) => status === 200,
  );

  assert.deepEqual(code(down), [503, "network_unavailable"]);
  assert.deepEqual(code(ready), [503, "not_ready"]);
  assert.deepEqual(ready.json.error.details, { database: "up", orchestrator: "down" });
  assert.equal(recovered.status, 200);
});

test("a shutdown cuts off what runs: its caller hears it and the signature is not left running", async () => {
  const network = networkHolds();
  const answer = api.post(path, MESSAGE);
  await Promise.race([network.arrived, answer]);

  api.cutOff();

  assert.deepEqual(code(await answer), [503, "network_unavailable"]);
  assert.equal((await newest()).status, "Failed");
  await api.shut();
  await api.open();
});

test("a signature that a crash left running is Failed after the restart", async () => {
  const { orgId, principalId } = api.alice;
  const now = new Date();
  await api.api.database.inOrganisation(orgId, (transaction) =>
    transaction
      .insertInto("signatures")
      .values({
        org_id: orgId,
        id: "sig-crashed",
        key_id: path.split("/")[2] ?? "",
        principal_id: principalId,
        token_id: "to-1",
        payload: JSON.stringify(MESSAGE),
        external_id: null,
        status: "Executing",
        requested_at: now,
        deadline_at: new Date(now.getTime() + 10_000),
      })
      .execute(),
  );
  await api.shut();
  await api.open();

  const { json } = await api.call("GET", `${path}/sig-crashed`);

  assert.equal(json.status, "Failed");
  assert.match(json.reason, /cut off/);
});

test("as many signatures run at once as may, the next is told to come again and keeps its approval", async () => {
  const payload = JSON.stringify(MESSAGE);
  const userActions: string[] = [];
  for (let count = 0; count < 97; count++) userActions.push(await api.approve("POST", path, payload));
  const network = networkHolds();
  const [last = "", ...rest] = userActions;
  const running = rest.map((userAction) => api.call("POST", path, { body: payload, userAction }));
  // Whatever is answered before the network is reached ends the wait, and the assertions below say what it was.
  await Promise.race([network.arrived, ...running]);

  const refused = await api.call("POST", path, { body: payload, userAction: last });
  network.release();
  const answers = await Promise.all(running);
  const retried = await api.call("POST", path, { body: payload, userAction: last });

  assert.deepEqual(code(refused), [429, "requests_too_many"]);
  assert.equal(refused.headers["retry-after"], "1");
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  assert.equal(retried.status, 200);
});

test("lists come in pages, newest first, without gaps or repeats, and tokens are good for their own list only", async () => {
  const key = (await api.createKey()).json.id;
  const list = `/keys/${key}/signatures`;
  const made: string[] = [];
  for (let count = 0; count < 5; count++) made.unshift((await api.post(list, MESSAGE)).json.id);

  const seen: string[] = [];
  let token: string | undefined;
  do {
    const query = token === undefined ? "" : `&paginationToken=${encodeURIComponent(token)}`;
    const page = await api.call("GET", `${list}?limit=2${query}`);
    assert.equal(page.json.keyId, key);
    assert.ok(page.json.items.length <= 2);
    seen.push(...page.json.items.map(({ id }: { id: string }) => id));
    token = page.json.nextPageToken;
  } while (token !== undefined && seen.length < 20);

  assert.deepEqual(seen.toSorted(), made.toSorted());
  const keys = await api.call("GET", "/keys?limit=1");
  const foreign = keys.json.nextPageToken;
  const bobs = (await api.createKey("EdDSA", api.bob)).json.id;
  assert.equal((await api.call("GET", `/keys?limit=100&paginationToken=${foreign}`)).status, 200);
  assert.ok(bobs);
  for (const bad of [foreign, "AAAA", "%00", "W10", Buffer.from('["keys","x",1,"y"]').toString("base64url")])
    assert.deepEqual(code(await api.call("GET", `${list}?paginationToken=${bad}`)), [404, "page_unknown"], bad);
  const asBob = await api.call("GET", `/keys?paginationToken=${foreign}`, { token: api.bob.token });
  assert.deepEqual(code(asBob), [404, "page_unknown"]);
  for (const query of ["limit=0", "limit=101", "limit=x", "limit=1.5", "limit=1&limit=2", "owner=us-1", "limit=-1"])
    assert.deepEqual(code(await api.call("GET", `${list}?${query}`)), [400, "request_invalid"], query);
});

test("another organisation's keys and signatures are as unknown as those that never were", async () => {
  const signature = (await api.post(path, MESSAGE)).json.id;
  const keyId = path.split("/")[2] ?? "";
  const unknown = "key-aaaaa-aaaaa-aaaaaaaaaaaaaaaa";
  const { token } = api.bob;

  const pairs: [string, string][] = [
    [`/keys/${keyId}`, `/keys/${unknown}`],
    [`/keys/${keyId}/signatures`, `/keys/${unknown}/signatures`],
    [`/keys/${keyId}/signatures/${signature}`, `/keys/${unknown}/signatures/${signature}`],
  ];
  for (const [foreign, missing] of pairs) {
    const [a, b] = [await api.call("GET", foreign, { token }), await api.call("GET", missing, { token })];
    assert.deepEqual(code(a), code(b));
    assert.equal(a.status, 404);
    assert.deepEqual(Object.keys(a.json.error.details), Object.keys(b.json.error.details));
  }
  assert.deepEqual(code(await api.init("POST", path, JSON.stringify(MESSAGE), api.bob)), [404, "key_unknown"]);
  const listed = await api.call("GET", "/keys?limit=100", { token });
  assert.ok(!JSON.stringify(listed.json).includes(keyId));
});

test("a signature is found under its own key only", async () => {
  const signature = (await api.post(path, MESSAGE)).json.id;
  const other = (await api.createKey()).json.id;

  assert.deepEqual(code(await api.call("GET", `/keys/${other}/signatures/${signature}`)), [404, "signature_unknown"]);
});

async function eventually<T>(attempt: () => Promise<T>, good: (value: T) => boolean): Promise<T> {
  const endsAt = Date.now() + 10_000;
  for (;;) {
    const value = await attempt();
    if (good(value) || Date.now() > endsAt) return value;
  }
}
