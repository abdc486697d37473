import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { CountersignError } from "@countersign/errors";
import { sweep } from "./housekeeping.ts";
import { type Answer, TestApi } from "./testing/test-api.ts";

const BODY = { scheme: "EdDSA", curve: "ed25519" };

let api: TestApi;
before(async () => {
  api = await TestApi.start();
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

/** Makes calls to the network end as an orchestrator's error would, counting them. */
function networkFails(
  error: string,
  { kind = "outage", http = 503, grpc = "UNAVAILABLE", details = {}, times = Number.POSITIVE_INFINITY } = {},
): { calls: number } {
  const seen = { calls: 0 };
  api.orchestrator.before = async () => {
    if (++seen.calls > times) return;
    const entry = { kind, http, grpc, meaning: "" } as ConstructorParameters<typeof CountersignError>[1];
    throw new CountersignError(error, entry, "as the test wants it", { details });
  };
  return seen;
}

/** Makes each call to the network end with the next of these codes; later calls go through. */
function networkFailsAsTold(codes: readonly string[]): { calls: number } {
  const seen = { calls: 0 };
  api.orchestrator.before = async () => {
    const told = codes[seen.calls++];
    // The API takes kind and status from its own table of the network's codes.
    const entry = { kind: "outage", http: 503, grpc: "UNAVAILABLE", meaning: "" } as const;
    if (told !== undefined) throw new CountersignError(told, entry, "as the test wants it");
  };
  return seen;
}

/** Ids of creations that wait to be continued. */
async function waiting(): Promise<string[]> {
  const rows = await api.api.database.inOrganisation(api.alice.orgId, (transaction) =>
    transaction.selectFrom("key_creations").select("key_id").execute(),
  );
  return rows.map(({ key_id }) => key_id);
}

test("an EdDSA key has exactly the members of the reference, and its proof", async () => {
  const { status, json } = await api.post("/keys", BODY);

  assert.equal(status, 200);
  assert.deepEqual(
    Object.keys(json).toSorted(),
    ["countersign", "curve", "custodial", "dateCreated", "id", "publicKey", "scheme", "status"].toSorted(),
  );
  assert.deepEqual([json.scheme, json.curve, json.status, json.custodial], ["EdDSA", "ed25519", "Active", true]);
  assert.match(json.publicKey, /^[0-9a-f]{64}$/);
  assert.match(json.dateCreated, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const { certificate, ...more } = json.countersign;
  assert.deepEqual(more, {});
  assert.deepEqual(
    Object.keys(certificate).toSorted(),
    [
      "acknowledgements",
      "chainCodeHash",
      "epoch",
      "publicKey",
      "suite",
      "tau",
      "threshold",
      "verificationShares",
    ].toSorted(),
  );
  assert.deepEqual([certificate.suite, certificate.epoch, certificate.threshold], ["FROST-ED25519-SHA512-v1", 0, 2]);
  assert.equal(certificate.publicKey, json.publicKey);
  assert.equal(certificate.verificationShares.length, 3);
  assert.deepEqual(certificate.acknowledgements[1], { nodeId: "node-2", index: 2, signature: "02".repeat(64) });
});

test("a Schnorr key shows its output key and, beside it, the internal key that was certified", async () => {
  const { json } = await api.createKey("Schnorr");

  assert.match(json.publicKey, /^0[23][0-9a-f]{64}$/);
  assert.equal(json.countersign.internalPublicKey, json.countersign.certificate.publicKey);
  assert.notEqual(json.publicKey, json.countersign.internalPublicKey);
});

test("a name is kept as it was approved, up to 100 characters, and is nobody else's", async () => {
  const name = `Ünïcode ✓ ${"n".repeat(90)}`;
  assert.equal(name.length, 100);

  const named = await api.post("/keys", { ...BODY, name });
  const long = await api.init("POST", "/keys", JSON.stringify({ ...BODY, name: `${name}x` }));

  assert.equal(named.json.name, name);
  assert.equal((await api.call("GET", `/keys/${named.json.id}`)).json.name, name);
  assert.deepEqual(code(long), [400, "payload_invalid"]);
});

test("a key is shown to its organisation with its store, and to no other", async () => {
  const { json: created } = await api.post("/keys", BODY);

  const shown = await api.call("GET", `/keys/${created.id}`);
  const foreign = await api.call("GET", `/keys/${created.id}`, { token: api.bob.token });

  assert.deepEqual(shown.json, {
    ...created,
    wallets: [],
    store: { id: "countersign", kind: "Mpc", keyId: created.id },
  });
  assert.deepEqual(code(foreign), [404, "key_unknown"]);
  assert.equal(foreign.json.error.message, "key not found");
  assert.deepEqual(foreign.json.error.details, { keyId: created.id, orgId: api.bob.orgId });
});

test("an approval that is used again, in parallel or later, makes no second key", async () => {
  const before = api.orchestrator.calls.createKey;
  const payload = JSON.stringify(BODY);
  const userAction = await api.approve("POST", "/keys", payload);

  const both = await Promise.all([0, 1].map(() => api.call("POST", "/keys", { body: payload, userAction })));
  const later = await api.call("POST", "/keys", { body: payload, userAction });

  assert.deepEqual(both.map(({ status }) => status).toSorted(), [200, 400]);
  assert.deepEqual(code(later), [400, "user_action_used"]);
  assert.equal(api.orchestrator.calls.createKey, before + 1);
});

test("a key has no externalId: who asks for one is told before approving", async () => {
  const answer = await api.init("POST", "/keys", JSON.stringify({ ...BODY, externalId: "mine" }));

  assert.deepEqual(code(answer), [400, "payload_invalid"]);
});

test("lists come newest first, in pages without gaps or repeats, and end without a token", async () => {
  const made: string[] = [];
  for (let count = 0; count < 4; count++) made.unshift((await api.createKey("EdDSA", api.bob)).json.id);
  const { token } = api.bob;

  const seen: string[] = [];
  let next: string | undefined;
  let pages = 0;
  do {
    const query = next === undefined ? "" : `&paginationToken=${encodeURIComponent(next)}`;
    const page = await api.call("GET", `/keys?limit=3${query}`, { token });
    assert.deepEqual(Object.keys(page.json).toSorted(), pages === 0 ? ["items", "nextPageToken"] : ["items"]);
    seen.push(...page.json.items.map(({ id }: { id: string }) => id));
    next = page.json.nextPageToken;
    pages++;
  } while (next !== undefined && pages < 10);

  assert.equal(pages, 2);
  assert.deepEqual(seen.toSorted(), made.toSorted());
  const dates = await api.call("GET", "/keys", { token });
  const times = dates.json.items.map(({ dateCreated }: { dateCreated: string }) => dateCreated);
  assert.deepEqual(times, times.toSorted().toReversed());
  const exact = await api.call("GET", "/keys?limit=4", { token });
  assert.equal("nextPageToken" in exact.json, false, "a full last page is the last");
});

test("a page token of junk, of another organisation or of another time's form is no page", async () => {
  for (let count = 0; count < 2; count++) await api.createKey();
  const { nextPageToken } = (await api.call("GET", "/keys?limit=1")).json;
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const [name, orgId, timeMs, id] = JSON.parse(Buffer.from(nextPageToken, "base64url").toString());
  const bad = [
    "AAAA",
    `${nextPageToken}=`,
    encode([name, orgId, timeMs]),
    encode([name, orgId, String(timeMs), id]),
    encode([name, orgId, 8.64e15 + 1, id]),
    encode([name, orgId, timeMs, `${id}\0`]),
    encode(["signatures", orgId, timeMs, id]),
    encode([name, api.bob.orgId, timeMs, id]),
  ];

  for (const token of bad)
    assert.deepEqual(code(await api.call("GET", `/keys?paginationToken=${token}`)), [404, "page_unknown"], token);
  const asBob = await api.call("GET", `/keys?paginationToken=${nextPageToken}`, { token: api.bob.token });
  assert.deepEqual(code(asBob), [404, "page_unknown"]);
});

test("limits are whole numbers from 1 to 100", async () => {
  for (const query of ["limit=0", "limit=101", "limit=01", "limit=1e1", "limit=", "limit=1&limit=1", "size=1"])
    assert.deepEqual(code(await api.call("GET", `/keys?${query}`)), [400, "request_invalid"], query);
  assert.equal((await api.call("GET", "/keys?limit=100")).status, 200);
});

test("nodes that are away are answered at once, with their regions, and nothing is begun", async () => {
  const seen = networkFails("nodes_missing", { details: { regions: ["region-3"] } });

  const answer = await api.createKey();

  assert.deepEqual(code(answer), [503, "nodes_missing"]);
  assert.deepEqual(answer.json.error.details, { regions: ["region-3"] });
  assert.equal(answer.headers["retry-after"], "1");
  assert.equal(seen.calls, 1, "asking again within the request would only keep its caller waiting");
  assert.deepEqual(await waiting(), []);
});

test("a short outage is waited out within the request", async () => {
  const seen = networkFails("session_deadline", { times: 2 });

  const answer = await api.createKey();

  assert.equal(answer.status, 200);
  assert.equal(seen.calls, 3);
});

test("a key that the network left half-made is named, continued without its caller, and then shown", async () => {
  networkFails("session_deadline");
  const failed = await api.createKey();
  const { keyId } = failed.json.error.details;
  const during = await api.call("GET", `/keys/${keyId}`);
  const kept = await waiting();
  api.orchestrator.before = async () => {};

  await sweep(api.swept);
  const after = await api.call("GET", `/keys/${keyId}`);

  assert.deepEqual(code(failed), [504, "session_deadline"]);
  assert.match(keyId, /^key-/);
  assert.deepEqual(code(during), [404, "key_unknown"]);
  assert.deepEqual(kept, [keyId]);
  assert.equal(after.json.id, keyId);
  assert.deepEqual(await waiting(), []);
});

test("a half-made key is continued after a restart, and once", async () => {
  networkFails("session_deadline");
  const { keyId } = (await api.createKey()).json.error.details;
  api.orchestrator.before = async () => {};
  await api.shut();
  await api.open();
  const before = api.orchestrator.calls.createKey;

  await Promise.all([sweep(api.swept), sweep(api.swept)]);
  await sweep(api.swept);

  assert.equal((await api.call("GET", `/keys/${keyId}`)).json.id, keyId);
  assert.ok(api.orchestrator.calls.createKey - before <= 2);
  const { items } = (await api.call("GET", "/keys?limit=100")).json;
  assert.equal(items.filter(({ id }: { id: string }) => id === keyId).length, 1);
});

test("a half-made key whose approval has ended is given up", async () => {
  networkFails("session_deadline");
  const { keyId } = (await api.createKey()).json.error.details;
  api.orchestrator.before = async () => {};
  api.clockAheadMs = 300_000;

  await sweep(api.swept);

  assert.deepEqual(await waiting(), []);
  assert.deepEqual(code(await api.call("GET", `/keys/${keyId}`)), [404, "key_unknown"]);
});

test("a refusal or an abort of the network is final: its caller hears it and nothing is kept", async () => {
  const refused = networkFails("generation_limit", { kind: "refusal", http: 429, grpc: "RESOURCE_EXHAUSTED" });
  assert.deepEqual(code(await api.createKey()), [429, "generation_limit"]);
  const aborted = networkFails("keygen_views_differ", { kind: "abort", http: 502, grpc: "ABORTED" });
  assert.deepEqual(code(await api.createKey()), [502, "keygen_views_differ"]);

  assert.deepEqual([refused.calls, aborted.calls], [1, 1]);
  assert.deepEqual(await waiting(), []);
});

test("a node that dies while a key is made leaves the creation waiting, whatever the calls after it are told", async () => {
  const codes = ["session_deadline", "nodes_missing", "nodes_missing", "nodes_missing"];
  const seen = networkFailsAsTold(codes);

  const failed = await api.createKey();
  const { keyId } = failed.json.error.details;
  const kept = await waiting();
  networkFails("nodes_missing", { details: { regions: ["region-3"] } });
  await sweep(api.swept);
  const keptBySweep = await waiting();
  api.orchestrator.before = async () => {};
  await sweep(api.swept);
  const after = await api.call("GET", `/keys/${keyId}`);

  assert.deepEqual(code(failed), [504, "session_deadline"], "not that nothing was started");
  assert.equal(seen.calls, codes.length, "the node may be back within the request");
  assert.match(keyId, /^key-/);
  assert.deepEqual([kept, keptBySweep], [[keyId], [keyId]]);
  assert.deepEqual([after.json.id, after.json.status], [keyId, "Active"]);
  assert.deepEqual(await waiting(), []);
});

test("a node that refuses because it makes the key or has its share is asked again, also after the request", async () => {
  for (const told of ["generation_running", "share_exists", "share_active", "share_session_differs"]) {
    const seen = networkFails(told, { kind: "refusal", http: 409, grpc: "FAILED_PRECONDITION" });

    const failed = await api.createKey();
    const { keyId } = failed.json.error.details;
    const kept = await waiting();
    api.orchestrator.before = async () => {};
    await sweep(api.swept);

    assert.deepEqual(code(failed), [409, told]);
    assert.ok(seen.calls > 1, told);
    assert.deepEqual(kept, [keyId], told);
    assert.equal((await api.call("GET", `/keys/${keyId}`)).json.status, "Active");
  }
});

test("a refusal or an abort that follows an outage is final all the same", async () => {
  for (const told of ["key_half_made", "approval_expired", "keygen_views_differ"]) {
    const seen = networkFailsAsTold(["session_deadline", told]);

    const answer = await api.createKey();

    assert.equal(answer.json.error.code, told);
    assert.equal(seen.calls, 2);
    assert.deepEqual(await waiting(), [], told);
  }
});

test("an answer that is no key of this approval is never shown as one", async () => {
  type Mangle = typeof api.orchestrator.mangle;
  const changed =
    (change: object): Mangle =>
    ({ key, ...answer }) => ({ ...answer, key: key && { ...key, ...change } });
  const swapped: Mangle = ({ key, ...answer }) => ({
    ...answer,
    key: key && { ...key, certificate: key.certificate.toReversed() },
  });
  const bad: Record<string, Mangle> = {
    "no key": (answer) => ({ ...answer, key: undefined }) as ReturnType<Mangle>,
    "another key id": changed({ keyId: "key-aaaaa-aaaaa-aaaaaaaaaaaaaaaa" }),
    "another suite": changed({ suite: "FROST-secp256k1-SHA256-TR-v1" }),
    "no commitments": changed({ commitments: [] }),
    "another threshold": changed({ threshold: 3 }),
    "one commitment": changed({ commitments: [new Uint8Array(32)] }),
    "a point of another size": changed({ commitments: [new Uint8Array(32), new Uint8Array(33)] }),
    "a public key of another size": (answer) => ({ ...answer, publicKey: new Uint8Array(31) }),
    "too few shares": (answer) => ({ ...answer, verificationShares: answer.verificationShares.slice(1) }),
    "too few acknowledgements": changed({ certificate: [] }),
    "acknowledgements in another order": swapped,
    "a short digest": changed({ tau: new Uint8Array(31) }),
    "a short chain code": changed({ chainCodeHash: new Uint8Array(31) }),
  };
  const before = (await api.call("GET", "/keys?limit=100")).json.items.length;

  for (const [what, mangle] of Object.entries(bad)) {
    api.orchestrator.mangle = mangle;
    const answer = await api.createKey();
    assert.deepEqual(code(answer), [502, "network_failed"], what);
  }

  api.orchestrator.mangle = (answer) => answer;
  assert.equal((await api.call("GET", "/keys?limit=100")).json.items.length, before);
});

test("16 keys are created at once, the next is told to come again and keeps its approval", async () => {
  const released = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  let count = 0;
  api.orchestrator.before = async () => {
    if (++count === 16) arrived.resolve();
    await released.promise;
  };
  const payload = JSON.stringify(BODY);
  const userAction = await api.approve("POST", "/keys", payload);
  const running = Array.from({ length: 16 }, () => api.post("/keys", BODY));
  // Whatever ends before the network is reached ends the wait; the assertions below say what it was.
  await Promise.race([arrived.promise, ...running]);

  const refused = await api.call("POST", "/keys", { body: payload, userAction });
  released.resolve();
  const made = await Promise.all(running);
  const retried = await api.call("POST", "/keys", { body: payload, userAction });

  assert.deepEqual(code(refused), [429, "requests_too_many"]);
  assert.equal(refused.headers["retry-after"], "1");
  for (const { status } of made) assert.equal(status, 200);
  assert.equal(retried.status, 200);
});
