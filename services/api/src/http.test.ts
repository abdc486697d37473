import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { after, afterEach, before, test } from "node:test";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { BODY_BYTES_MAX } from "./json-body.ts";
import { ErrorAnswerSchema } from "./openapi.ts";
import { type Answer, TestApi } from "./testing/test-api.ts";

const errorForm = Compile(ErrorAnswerSchema);
const INIT = "/auth/action/init";
const GOOD = {
  userActionPayload: '{"scheme":"EdDSA","curve":"ed25519"}',
  userActionHttpMethod: "POST",
  userActionHttpPath: "/keys",
};
/** On every answer, whatever it is. */
const HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

let api: TestApi;
let port: number;
before(async () => {
  api = await TestApi.start();
  await api.server.listen({ host: "127.0.0.1", port: 0 });
  const address = api.server.server.address();
  assert.ok(address !== null && typeof address === "object");
  port = address.port;
});
after(() => api.close());
afterEach(() => {
  api.orchestrator.before = async () => {};
  api.isStopping = false;
});

function code(answer: Answer): [number, string] {
  return [answer.status, answer.json.error?.code];
}

/** Checks what is the same for every error. */
function assertError(answer: Answer, status: number, expected: string): void {
  assert.deepEqual(code(answer), [status, expected]);
  assert.deepEqual([...errorForm.Errors(answer.json)], []);
  assert.equal(answer.json.error.status, status);
  assert.match(answer.json.error.id, /^\d{1,20}$/);
  assert.equal(answer.headers["x-request-id"], answer.json.error.id);
  assert.equal(answer.headers["content-type"], "application/json; charset=utf-8");
  for (const [name, value] of Object.entries(HEADERS)) assert.equal(answer.headers[name], value, name);
}

/** Sends bytes as they are and reads what comes back until the server closes. */
async function raw(bytes: string | Buffer): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  const parts: Buffer[] = [];
  socket.on("data", (part) => parts.push(part));
  await once(socket, "connect");
  socket.write(bytes);
  await once(socket, "close");
  return Buffer.concat(parts).toString();
}

test("an answer carries its request's id and the headers that keep browsers and caches out", async () => {
  const answers = [
    await api.call("GET", "/health"),
    await api.call("GET", "/keys"),
    await api.init("POST", "/keys", GOOD.userActionPayload),
  ];

  for (const { status, headers } of answers) {
    assert.equal(status, 200);
    assert.match(String(headers["x-request-id"]), /^\d{1,20}$/);
    assert.equal(headers["content-type"], "application/json; charset=utf-8");
    for (const [name, value] of Object.entries(HEADERS)) assert.equal(headers[name], value, name);
    assert.equal("x-powered-by" in headers || "server" in headers, false);
  }
  assert.equal(new Set(answers.map(({ headers }) => headers["x-request-id"])).size, 3);
});

test("errors of every status have the reference's shape, our code, and the id under which the log has the rest", async () => {
  const unauthorized = await api.call("GET", "/keys", { token: undefined });
  assertError(unauthorized, 401, "token_invalid");
  assert.equal(unauthorized.json.error.message, "Not Authorized.");
  assert.equal(unauthorized.headers["www-authenticate"], "Bearer");

  assertError(await api.call("POST", INIT, { body: {} }), 400, "request_invalid");
  assertError(await api.call("POST", "/keys", { body: GOOD.userActionPayload }), 403, "user_action_missing");
  const missing = await api.call("GET", "/keys/key-aaaaa-aaaaa-aaaaaaaaaaaaaaaa");
  assertError(missing, 404, "key_unknown");
  assert.equal(missing.json.error.message, "key not found");
  assert.deepEqual(missing.json.error.details, { keyId: "key-aaaaa-aaaaa-aaaaaaaaaaaaaaaa", orgId: api.alice.orgId });

  const path = `/keys/${(await api.createKey()).json.id}/signatures`;
  const first = await api.post(path, { kind: "Message", message: "0x00", externalId: "same" });
  const conflict = await api.post(path, { kind: "Message", message: "0x01", externalId: "same" });
  assertError(conflict, 409, "external_id_conflict");
  assert.deepEqual(conflict.json.error.details, { duplicate: { id: first.json.id, externalId: "same" } });
});

test("what a schema complains about names place and rule, never the value", async () => {
  const answer = await api.call("POST", INIT, { body: { ...GOOD, userActionHttpMethod: "s3cret-value" } });

  assertError(answer, 400, "request_invalid");
  assert.match(answer.json.error.message, /userActionHttpMethod/);
  assert.ok(!JSON.stringify(answer.json).includes("s3cret-value"));
});

test("a failure of ours says nothing but that, and the log has its cause under the id", async () => {
  const { id } = (await api.createKey()).json;
  await api.api.database.inOrganisation(api.alice.orgId, (transaction) =>
    transaction.updateTable("keys").set({ certificate: '{"canary":1}' }).where("id", "=", id).execute(),
  );

  const answer = await api.call("GET", `/keys/${id}`);

  assertError(answer, 500, "api_internal");
  assert.equal(answer.json.error.message, "Internal Server Error");
  assert.deepEqual(answer.json.error.details, {});
  const lines = api.logged.filter((line) => line.includes(answer.json.error.id));
  assert.ok(lines.some((line) => line.includes(`Key ${id} has no readable certificate`)));
  await api.api.database.inOrganisation(api.alice.orgId, (transaction) =>
    transaction.deleteFrom("keys").where("id", "=", id).execute(),
  );
});

test("bodies are strict JSON of one document in UTF-8", async () => {
  const good = JSON.stringify(GOOD);
  const bad: Record<string, string> = {
    nothing: "",
    blank: "  ",
    "a duplicate key": `{"userActionHttpPath":"/keys",${good.slice(1)}`,
    "a duplicate key by an escape": `{"userActionHttp\\u0050ath":"/keys",${good.slice(1)}`,
    "bytes after the end": `${good}x`,
    "a second document": `${good}{}`,
    "a byte order mark": `\uFEFF${good}`,
    "a comment": `/* */${good}`,
    "a trailing comma": `${good.slice(0, -1)},}`,
    "single quotes": good.replaceAll('"', "'"),
    "a number that is none": '{"n":NaN}',
    "a number in another spelling": '{"n":1.0}',
    "a number too large": '{"n":9007199254740993}',
    "half a surrogate pair": '{"n":"\\ud800"}',
    "a control character": '{"n":"\n"}',
    "a deep one": `${"[".repeat(100)}${"]".repeat(100)}`,
  };

  for (const [what, body] of Object.entries(bad)) {
    const answer = await api.call("POST", INIT, { body });
    assert.equal(answer.status, 400, what);
    assert.match(answer.json.error.code, /^(encoding_invalid|request_invalid)$/, what);
    assert.equal(answer.json.error.code, "encoding_invalid", what);
  }
  assert.equal((await api.call("POST", INIT, { body: ` ${good}\n` })).status, 200);
});

test("bytes that are not UTF-8 are refused", async () => {
  const body = Buffer.concat([Buffer.from('{"n":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]);
  const response = await api.server.inject({
    method: "POST",
    url: INIT,
    headers: { authorization: `Bearer ${api.alice.token}`, "content-type": "application/json" },
    payload: body,
  });

  assert.equal(response.statusCode, 400);
  assert.equal(response.json().error.code, "encoding_invalid");
});

test("a body may be as large as the largest payload and no larger, whatever length it claims", async () => {
  const padding = BODY_BYTES_MAX - JSON.stringify(GOOD).length;
  const fits = await api.call("POST", INIT, { body: `${JSON.stringify(GOOD)}${" ".repeat(padding)}` });
  const larger = await api.call("POST", INIT, { body: `${JSON.stringify(GOOD)}${" ".repeat(padding + 1)}` });

  assert.equal(fits.status, 200);
  assertError(larger, 413, "body_too_large");
  // Without a length: the bytes are counted as they come.
  const chunked = request({
    port,
    host: "127.0.0.1",
    method: "POST",
    path: INIT,
    headers: { authorization: `Bearer ${api.alice.token}`, "content-type": "application/json" },
  });
  chunked.on("error", () => {}); // The server may close while the rest is still being sent.
  for (let part = 0; part < 5; part++) chunked.write(" ".repeat(65_536));
  chunked.end();
  const [response] = await once(chunked, "response");
  assert.equal(response.statusCode, 413);
  response.resume();
});

test("a body is application/json in UTF-8 and says so", async () => {
  const body = JSON.stringify(GOOD);
  const bad = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/json; charset=latin1",
    "application/json; charset=utf-8; version=1",
    "application/jsonp",
    "application/json, text/plain",
    "",
  ];
  for (const type of bad) {
    const answer = await api.call("POST", INIT, { body, headers: { "content-type": type } });
    assertError(answer, 415, "content_type_unsupported");
  }

  for (const type of ["application/json", "application/json; charset=utf-8", 'application/json;charset="UTF-8"'])
    assert.equal((await api.call("POST", INIT, { body, headers: { "content-type": type } })).status, 200, type);
});

test("method and path are taken literally: everything else is no operation, before anyone is asked who he is", async () => {
  const unknown: [string, string][] = [
    ["GET", "/"],
    ["GET", "/nothing"],
    ["GET", "/keys/"],
    ["GET", "//keys"],
    ["GET", "/KEYS"],
    ["GET", "/keys/%6bey"],
    ["GET", "/%6beys"],
    ["GET", "/keys;x=1"],
    ["GET", "/keys/key-1/"],
    ["GET", "/keys/ü"],
    ["PUT", "/keys"],
    ["DELETE", "/keys/key-aaaaa-aaaaa-aaaaaaaaaaaaaaaa"],
    ["HEAD", "/health"],
    ["OPTIONS", "/keys"],
    ["GET", INIT],
  ];
  for (const [method, url] of unknown) {
    const response = await api.server.inject({ method: method as "GET", url });
    assert.equal(response.statusCode, 404, `${method} ${url}`);
    if (method === "HEAD") continue;
    assert.equal(response.json().error.code, "route_unknown", `${method} ${url}`);
  }
});

test("a path with a detour is not walked", async () => {
  for (const path of ["/keys/../keys", "/./health", "/health/../health"]) {
    const answer = await raw(`GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
    assert.match(answer, /^HTTP\/1\.1 404 [\s\S]*"route_unknown"/, path);
  }
});

test("a method override header changes nothing, and an unknown query parameter is refused", async () => {
  const overridden = await api.call("GET", "/keys", { headers: { "x-http-method-override": "POST" } });

  assert.ok(Array.isArray(overridden.json.items));
  for (const path of ["/keys?x=1", "/keys/key-1?x", "/health?x=1", `/countersign/deployment?orgId=1`])
    assertError(await api.call("GET", path), 400, "request_invalid");
});

test("bytes that are no HTTP, and headers beyond their bound, get an error of the same shape, and others are served", async () => {
  const token = `Bearer ${api.alice.token}`;
  const bad = [
    "this is no HTTP\r\n\r\n",
    "GET /health HTTP/1.1\r\nhost: a\r\nbad header\r\n\r\n",
    "POST /keys HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    `GET /health HTTP/1.1\r\nhost: a\r\nx-filler: ${"x".repeat(17_000)}\r\n\r\n`,
  ];
  for (const bytes of bad) {
    const [head = "", body = ""] = (await raw(bytes)).split("\r\n\r\n");
    assert.match(head, /^HTTP\/1\.1 400 /);
    assert.match(head, /connection: close/i);
    const json = JSON.parse(body);
    assert.deepEqual([...errorForm.Errors(json)], []);
    assert.equal(json.error.code, "request_invalid");
  }
  assert.match(
    await raw(`GET /keys?limit=1 HTTP/1.1\r\nhost: a\r\nauthorization: ${token}\r\nconnection: close\r\n\r\n`),
    /^HTTP\/1\.1 200 /,
  );
});

test("while it is stopping the API takes nothing new and closes connections", async () => {
  api.isStopping = true;

  const answer = await api.call("GET", "/keys");

  assertError(answer, 503, "api_stopping");
  assert.equal(answer.headers["connection"], "close");
  assert.equal(answer.headers["retry-after"], "1");
});

test("512 requests are served at once, the next is told to come again, and health is answered all the same", async () => {
  const released = Promise.withResolvers<void>();
  api.orchestrator.before = () => released.promise;
  const running = Array.from({ length: 512 }, () => api.call("GET", "/health/ready", { token: undefined }));

  const refused = await api.call("GET", "/keys");
  const health = await api.call("GET", "/health", { token: undefined });
  released.resolve();
  const ended = await Promise.all(running);

  assertError(refused, 503, "api_overloaded");
  assert.equal(refused.headers["retry-after"], "1");
  assert.equal(health.status, 200);
  assert.deepEqual([...new Set(ended.map(({ status }) => status))], [200]);
  assert.equal((await api.call("GET", "/keys")).status, 200);
});

interface Operation {
  readonly operationId: string;
  readonly security?: readonly Record<string, unknown>[];
  readonly responses: Readonly<Record<string, { content?: { "application/json": { schema: TSchema } } }>>;
}

async function operations(): Promise<Map<string, Operation>> {
  const { json } = await api.call("GET", "/openapi.json", { token: undefined });
  return new Map(
    Object.entries<Record<string, Operation>>(json.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const),
    ),
  );
}

test("the OpenAPI document names every operation that is served, with what it needs, and no other", async () => {
  const { json, status } = await api.call("GET", "/openapi.json", { token: undefined });
  const documented = await operations();
  const routes = api.server.printRoutes({ commonPrefix: false }).match(/\((?:GET|POST|PUT|PATCH|DELETE)(?:, \w+)*\)/g);

  assert.equal(status, 200);
  assert.equal(json.openapi, "3.1.0");
  assert.equal(documented.size, routes?.flatMap((line) => line.split(",")).length);
  assert.deepEqual(
    [...documented].map(([route, { security = [] }]) => [route, security.flatMap(Object.keys).join("+")]).toSorted(),
    [
      ["GET /countersign/deployment", ""],
      ["GET /health", ""],
      ["GET /health/ready", ""],
      ["GET /keys", "bearer"],
      ["GET /keys/{keyId}", "bearer"],
      ["GET /keys/{keyId}/signatures", "bearer"],
      ["GET /keys/{keyId}/signatures/{signatureId}", "bearer"],
      ["GET /openapi.json", ""],
      ["POST /auth/action", "bearer"],
      ["POST /auth/action/init", "bearer"],
      ["POST /keys", "bearer+userAction"],
      ["POST /keys/{keyId}/signatures", "bearer+userAction"],
    ],
  );
  const ids = [...documented.values()].map(({ operationId }) => operationId);
  assert.equal(new Set(ids).size, ids.length);
  for (const [route, { security = [] }] of documented) {
    const [method = "", path = ""] = route.split(" ");
    const url = path.replaceAll(/\{\w+\}/g, "key-aaaaa-aaaaa-aaaaaaaaaaaaaaaa");
    const anonymous = await api.call(method, url, { token: undefined, ...(method === "POST" ? { body: {} } : {}) });
    assert.equal(anonymous.status === 401, security.length > 0, route);
  }
});

test("answers are what the OpenAPI document says, success and error alike", async () => {
  const documented = await operations();
  const { json: key } = await api.createKey("Schnorr");
  const signatures = `/keys/${key.id}/signatures`;
  const body = { kind: "Hash", hash: `0x${"11".repeat(32)}`, network: "Bitcoin", externalId: "documented" };
  const { json: signature } = await api.post(signatures, body);
  const challenge = await api.init("POST", "/keys", GOOD.userActionPayload);
  const answers: [string, Answer][] = [
    ["POST /keys", await api.createKey()],
    ["GET /keys", await api.call("GET", "/keys?limit=1")],
    ["GET /keys/{keyId}", await api.call("GET", `/keys/${key.id}`)],
    ["POST /keys/{keyId}/signatures", await api.post(signatures, body)],
    ["GET /keys/{keyId}/signatures", await api.call("GET", signatures)],
    ["GET /keys/{keyId}/signatures/{signatureId}", await api.call("GET", `${signatures}/${signature.id}`)],
    ["POST /auth/action/init", challenge],
    ["POST /auth/action", await api.complete(challenge)],
    ["GET /countersign/deployment", await api.call("GET", "/countersign/deployment")],
    ["GET /health", await api.call("GET", "/health")],
    ["GET /health/ready", await api.call("GET", "/health/ready")],
    ["GET /openapi.json", await api.call("GET", "/openapi.json")],
    ["GET /keys", await api.call("GET", "/keys?limit=0")],
    ["POST /auth/action", await api.call("POST", "/auth/action", { body: {} })],
  ];
  assert.deepEqual(new Set(answers.map(([route]) => route)), new Set(documented.keys()));

  for (const [route, { status, json }] of answers) {
    const responses = documented.get(route)?.responses ?? {};
    const found = responses[status] ?? responses[`${String(status)[0]}XX`];
    const schema = found?.content?.["application/json"].schema;
    assert.ok(schema !== undefined, `${route} ${status} is documented`);
    assert.deepEqual([...Compile(schema).Errors(json)], [], `${route} ${status}`);
  }
});
