// Bad input at the doors that a running network opens to others: gRPC, HTTP and the bus. One network, told in order.
import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { constants } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { base64url } from "@countersign/bytes";
import { SignerService } from "@countersign/proto/signer";
import { rpcClient, type TlsMaterial } from "@countersign/rpc";
import { createAuthority } from "@countersign/rpc/testing";
import { issueCertificate } from "../../services/operator/src/deployment/certificates.ts";
import { BusIntruder } from "./bus-intruder.ts";
import { codeOf } from "./codes.ts";
import { ask, codeIn, type HttpRequest, say } from "./http.ts";
import { Insider, SILENCE_MS } from "./insider.ts";
import { framed, post, rawConnection, sendBytes } from "./raw-grpc.ts";
import { RealNetwork } from "./real-network.ts";
import { until } from "./until.ts";

const SERVICE = "/countersign.signer.v1.SignerService";
const METHODS = ["Generate", "Sign", "KeyState", "Settle", "Renounce", "Status"] as const;
/** Beyond what any service takes in one message. */
const OVERSIZED_BYTES = 5 * 1_048_576;
const MESSAGE = { kind: "Message", message: "0x00" };
const NEW_KEY = '{"scheme":"EdDSA","curve":"ed25519"}';

describe("hostile callers", { timeout: 300_000 }, () => {
  let network: RealNetwork;
  let keyId: string;
  let insider: Insider;
  let pids: readonly number[];

  before(async () => {
    network = await RealNetwork.start();
    insider = await Insider.of(network);
    keyId = (await network.client.createKey({ scheme: "EdDSA", curve: "ed25519" })).id;
    pids = await pidsNow();
  });
  after(() => network?.close());

  async function pidsNow(): Promise<number[]> {
    return (await network.status()).services.map(({ pid = 0 }) => pid);
  }

  /** The same processes serve, none of them saw a bug of its own, and what is in order is signed. */
  async function assertUnmoved(): Promise<void> {
    assert.equal((await network.client.sign(keyId, MESSAGE)).status, "Signed");
    assert.deepEqual(await pidsNow(), pids);
    for (const service of ["node-1", "node-2", "node-3", "orchestrator", "api"])
      assert.doesNotMatch(network.log(service), /"code":"(?:api_)?internal"|crashed/, service);
  }

  describe("at a signer's gRPC port", () => {
    /** The code of every call of node 1, made with this certificate. */
    function callsAs(tls: TlsMaterial): Promise<string[]> {
      const { deploymentId } = network.descriptor;
      const server = { deploymentId, role: "signer", name: "node-1" } as const;
      const client = rpcClient(SignerService, { address: network.addressOf("node-1"), tls, server });
      const { generate, keyState, renounce, settle, sign, status } = client;
      const calls = [generate({}), sign({}), keyState({ keyId }), settle({ keyId }), renounce({ keyId }), status({})];
      return Promise.all(calls.map(codeOf)).finally(() => client.close());
    }

    test("without a certificate, or with one of another authority, there is no answer at all", async () => {
      const { deploymentId } = network.descriptor;
      const { ca } = network.tls("orchestrator");
      const forger = await createAuthority(`Countersign ${deploymentId}`);
      const forged = await forger.issue({ deploymentId, role: "orchestrator", name: "orchestrator-1" });

      for (const service of ["node-1", "orchestrator"]) {
        const connection = rawConnection(network.addressOf(service), { ca });
        const answer = await post(connection, `${SERVICE}/Status`, framed(new Uint8Array(0)));
        connection.destroy();
        assert.deepEqual(answer, { status: undefined, code: undefined }, service);
      }
      assert.deepEqual(new Set(await callsAs({ ...forged, ca })), new Set(["rpc_unavailable"]));
    });

    test("certificates of other roles and other deployments are refused in every call", async (t) => {
      const scratch = mkdtempSync(join(tmpdir(), "countersign-hostile-"));
      t.after(() => rmSync(scratch, { recursive: true, force: true }));
      const authority = {
        certificate: join(network.data, "tls", "authority.pem"),
        key: join(network.data, "tls", "authority-key.pem"),
      };
      const files = { certificate: join(scratch, "foreign.pem"), key: join(scratch, "foreign-key.pem") };
      const subject = { deploymentId: "dep-other", role: "orchestrator", name: "orchestrator-1" } as const;
      await issueCertificate(authority, subject, files, Date.now());
      const { ca } = network.tls("orchestrator");
      const foreign = { ca, certificate: readFileSync(files.certificate), key: readFileSync(files.key) };

      for (const holder of ["api", "nodes/node-1", "nodes/node-2"] as const)
        assert.deepEqual(new Set(await callsAs(network.tls(holder))), new Set(["rpc_role_refused"]), holder);
      assert.deepEqual(new Set(await callsAs(foreign)), new Set(["rpc_unauthenticated"]));
      for (const holder of ["orchestrator", "nodes/node-1"] as const) {
        const { createKey, sign, status } = network.orchestratorClient(holder);
        const codes = await Promise.all([createKey({}), sign({}), status({})].map(codeOf));
        assert.deepEqual(new Set(codes), new Set(["rpc_role_refused"]), holder);
      }
    });

    test("bytes that are no request are refused or dropped, and nothing moves", async () => {
      const address = network.addressOf("node-1");
      const tls = network.tls("orchestrator");
      const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
      const connection = rawConnection(address, tls);
      const body = (method: string, bytes: Uint8Array, headers = {}) =>
        post(connection, `${SERVICE}/${method}`, bytes, headers);
      const truncated = Uint8Array.of(0x0a, 0x7f, 0x01);

      for (const bytes of [Buffer.from("GET / HTTP/1.1\r\n\r\n"), preface, randomBytes(70_000)])
        await sendBytes(address, bytes);
      for (const bytes of [Buffer.from("GET / HTTP/1.1\r\n\r\n"), Buffer.concat([preface, randomBytes(3_000)])])
        await sendBytes(address, bytes, tls);
      for (const method of METHODS) assert.equal((await body(method, framed(truncated))).code, "rpc_malformed", method);
      assert.equal((await body("Sign", framed(randomBytes(OVERSIZED_BYTES)))).status, "8");
      assert.equal((await body("Sign", Buffer.concat([Uint8Array.of(0, 0xff, 0xff, 0xff, 0xff)]))).status, "8");
      assert.equal((await body("Steal", framed(new Uint8Array(0)))).status, "12");
      assert.notEqual((await body("Sign", framed(new Uint8Array(0)), { "content-type": "text/html" })).status, "0");
      connection.destroy();
      await assertUnmoved();
    });

    test("a flood of streams costs its own caller, not others", async () => {
      const connection = rawConnection(network.addressOf("node-1"), network.tls("orchestrator"));
      const headers = { ":method": "POST", ":path": `${SERVICE}/Status`, "content-type": "application/grpc" };
      for (let k = 0; k < 3_000 && !connection.destroyed; k++)
        connection
          .request(headers)
          .on("error", () => {})
          .close(constants.NGHTTP2_CANCEL);
      // Opened and never filled: they hold what one caller may hold.
      const idle = rawConnection(network.addressOf("node-1"), network.tls("orchestrator"));
      for (let k = 0; k < 400; k++) idle.request({ ...headers, "grpc-timeout": "20S" }).on("error", () => {});

      assert.equal((await network.signerClient(1, "operators").status({})).nodeId, "node-1");
      await until("the flood reached its bound", async () => {
        return (await codeOf(network.signerClient(1).status({}))) === "rpc_overloaded";
      });
      connection.destroy();
      idle.destroy();
      await until("the flood is over", async () => (await codeOf(network.signerClient(1).status({}))) === "accepted");
      await assertUnmoved();
    });
  });

  describe("at the API", () => {
    const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

    /** A token as the API would make it, with other claims or another key. */
    function tokenLike(changes: object, key?: KeyObject, header: object = {}): string {
      const [head = "", claims = ""] = network.summary.admin.token.split(".");
      const bent = (part: string, by: object) =>
        base64url(Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(part, "base64url").toString()), ...by })));
      const signed = `${bent(head, header)}.${bent(claims, changes)}`;
      const own = createPrivateKey(Buffer.from(network.read("api", "token-key.pem")));
      return `${signed}.${base64url(sign(null, Buffer.from(signed), key ?? own))}`;
    }

    function asAdmin(request: HttpRequest & { userAction?: string }): HttpRequest {
      const { userAction, headers = {}, ...rest } = request;
      const own = { ...bearer(network.summary.admin.token), "content-type": "application/json" };
      return { ...rest, headers: { ...own, ...(userAction ? { "x-dfns-useraction": userAction } : {}), ...headers } };
    }

    async function approved(method: string, path: string, payload: string): Promise<string> {
      const { apiUrl } = network.summary;
      const init = { userActionPayload: payload, userActionHttpMethod: method, userActionHttpPath: path };
      const asked = await ask(
        apiUrl,
        asAdmin({ method: "POST", path: "/auth/action/init", body: JSON.stringify(init) }),
      );
      const { challenge, challengeIdentifier } = JSON.parse(asked.text);
      const { clientData, signature } = await network.signer.sign(challenge);
      const { credId } = network.ids;
      const credentialAssertion = { credId, clientData: base64url(clientData), signature: base64url(signature) };
      const body = JSON.stringify({ challengeIdentifier, firstFactor: { kind: "Key", credentialAssertion } });
      const { userAction } = JSON.parse(
        (await ask(apiUrl, asAdmin({ method: "POST", path: "/auth/action", body }))).text,
      );
      return userAction;
    }

    async function assertAnswers(cases: readonly (readonly [string, number, string, HttpRequest])[]): Promise<void> {
      const found: (readonly [string, number, string | undefined])[] = [];
      for (const [what, , , request] of cases) {
        const { status, code } = await ask(network.summary.apiUrl, request);
        found.push([what, status, code]);
      }
      assert.deepEqual(
        found,
        cases.map(([what, status, code]) => [what, status, code]),
      );
    }

    test("tokens that are expired, forged or of another kind open nothing", async () => {
      const stranger = generateKeyPairSync("ed25519").privateKey;
      const seconds = Math.floor(Date.now() / 1_000);
      const userAction = await approved("POST", "/keys", NEW_KEY);
      const tokens: Record<string, string> = {
        expired: tokenLike({ iat: seconds - 7_200, exp: seconds - 3_600 }),
        "signed by a stranger": tokenLike({}, stranger),
        "without an algorithm": tokenLike({}, undefined, { alg: "none" }),
        "of another key": tokenLike({}, undefined, { kid: "other" }),
        "of another audience": tokenLike({ aud: "countersign/challenge" }),
        "of another deployment": tokenLike({ iss: "countersign/dep-other" }),
        "of nobody": tokenLike({ sub: "us-aaaaa-aaaaa-aaaaaaaaaaaaaaaa" }),
        "a user action": userAction,
        garbage: "a.b.c",
      };
      const good = tokenLike({});

      await assertAnswers([
        ["none", 401, "token_invalid", { path: "/keys" }],
        ...Object.entries(tokens).map(
          ([what, token]) => [what, 401, "token_invalid", { path: "/keys", headers: bearer(token) }] as const,
        ),
      ]);
      // What makes the others refused is what was bent, not how they were made.
      assert.equal((await ask(network.summary.apiUrl, { path: "/keys", headers: bearer(good) })).status, 200);
    });

    test("an approval opens one request, once, and no other", async () => {
      const signatures = `/keys/${keyId}/signatures`;
      const other = (await network.client.createKey({ scheme: "EdDSA", curve: "ed25519" })).id;
      const body = JSON.stringify(MESSAGE);
      const userAction = await approved("POST", signatures, body);
      const again = await approved("POST", signatures, body);
      const third = await approved("POST", signatures, body);
      const fourth = await approved("POST", signatures, body);
      const forged = `${fourth.slice(0, -4)}AAAA`;
      const request = (path: string, sent: string, action?: string) =>
        asAdmin({ method: "POST", path, body: sent, ...(action === undefined ? {} : { userAction: action }) });
      const before = (await network.client.signatures(keyId)).items.length;

      await assertAnswers([
        ["no approval", 403, "user_action_missing", request(signatures, body)],
        ["a forged approval", 401, "user_action_invalid", request(signatures, body, forged)],
        ["a bearer token", 401, "user_action_invalid", request(signatures, body, network.summary.admin.token)],
        ["another body", 401, "user_action_mismatch", request(signatures, body.replace("00", "01"), again)],
        ["another key", 401, "user_action_mismatch", request(`/keys/${other}/signatures`, body, third)],
        ["another operation", 401, "user_action_mismatch", request("/keys", NEW_KEY, fourth)],
      ]);
      assert.equal((await network.client.signatures(keyId)).items.length, before, "none of them signed");
      assert.equal((await ask(network.summary.apiUrl, request(signatures, body, userAction))).status, 200);
      await assertAnswers([["used", 400, "user_action_used", request(signatures, body, userAction)]]);
    });

    test("what is no request of the API is refused with a code, and nothing moves", async () => {
      const init = (body: string | Uint8Array, headers = {}) =>
        asAdmin({ method: "POST", path: "/auth/action/init", body, headers });
      const good = { userActionPayload: NEW_KEY, userActionHttpMethod: "POST", userActionHttpPath: "/keys" };
      const text = JSON.stringify(good);
      const type = (value: string) => ({ "content-type": value });
      const headers = bearer(network.summary.admin.token);
      const nothing = (method: string, path: string) =>
        [`${method} ${path}`, 404, "route_unknown", { method, path, headers }] as const;

      await assertAnswers([
        ["no JSON", 400, "encoding_invalid", init("{")],
        ["a duplicate key", 400, "encoding_invalid", init(text.replace("{", '{"userActionHttpPath":"/x",'))],
        ["bytes after the body", 400, "encoding_invalid", init(`${text}x`)],
        ["no UTF-8", 400, "encoding_invalid", init(Uint8Array.of(0x22, 0xff, 0x22))],
        ["a byte order mark", 400, "encoding_invalid", init(`\ufeff${text}`)],
        ["an unknown member", 400, "request_invalid", init(JSON.stringify({ ...good, x: 1 }))],
        ["a list", 400, "request_invalid", init("[]")],
        ["a body beyond all bounds", 413, "body_too_large", init("x".repeat(300_000))],
        ["a form", 415, "content_type_unsupported", init(text, type("application/x-www-form-urlencoded"))],
        ["text", 415, "content_type_unsupported", init(text, type("text/plain"))],
        ["another charset", 415, "content_type_unsupported", init(text, type("application/json; charset=utf-16"))],
        nothing("GET", "/"),
        nothing("GET", "/keys/"),
        nothing("GET", "//keys"),
        nothing("GET", "/%6beys"),
        nothing("GET", "/keys/../keys"),
        nothing("GET", "/admin"),
        nothing("PUT", "/keys"),
        nothing("DELETE", `/keys/${keyId}`),
        ["an unknown key", 404, "key_unknown", asAdmin({ path: "/keys/key-aaaaa-aaaaa-aaaaaaaaaaaaaaaa" })],
      ]);
      const { host } = new URL(network.summary.apiUrl);
      const twice = `POST /keys HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`;
      for (const bytes of [
        randomBytes(5_000),
        "nonsense\r\n\r\n",
        twice,
        `GET /keys HTTP/1.1\r\n${"x: y\r\n".repeat(9_000)}\r\n`,
      ]) {
        const answer = await say(network.summary.apiUrl, bytes);
        assert.match(answer, /^HTTP\/1.1 4\d\d /);
        assert.equal(codeIn(answer), "request_invalid");
      }
      await assertUnmoved();
    });
  });

  describe("on the bus, with node 1's own credentials", () => {
    let intruder: BusIntruder;

    before(async () => {
      intruder = await BusIntruder.as(network, "node-1");
    });
    after(() => intruder?.close());

    test("it neither speaks as another node nor hears what is meant for one", async () => {
      const { deploymentId } = network.descriptor;
      const prefix = `cs.${deploymentId}`;

      for (const subject of [`${prefix}.*.node-2.>`, `${prefix}.>`, ">", `${prefix}.*.orchestrator-1.presence`])
        assert.equal(await codeOf(intruder.wire.subscribe(subject, () => {})), "wire_permission_denied", subject);
      for (const subject of [
        `${prefix}.node-2.node-3.channel`,
        `${prefix}.orchestrator-1.node-2.presence`,
        "elsewhere",
      ]) {
        const refused = intruder.problems.length;
        intruder.wire.publish(subject, Uint8Array.of(1));
        await until(`${subject} was refused`, () => intruder.problems.length > refused);
        assert.equal(intruder.problems.at(-1)?.code, "wire_permission_denied", subject);
      }
      const orchestrator = await BusIntruder.as(network, "orchestrator-1");
      const subject = `${prefix}.*.orchestrator-1.>`;
      assert.equal(await codeOf(orchestrator.wire.subscribe(subject, () => {})), "wire_permission_denied");
      await orchestrator.close();
      assert.equal(await codeOf(BusIntruder.as(network, "a stranger")), "wire_unauthorized");
      const nobody = await say(`http://${network.addressOf("nats")}`, "CONNECT {}\r\nSUB > 1\r\nPING\r\n");
      assert.match(nobody, /-ERR 'Authorization Violation'/);
    });

    test("noise, huge, altered and replayed envelopes in node 2's inbox change nothing", async () => {
      const heard = await intruder.listen();
      const { key } = await insider.createKey("EdDSA");
      await insider.signsWith(key, [1, 2]);
      await until("node 2's envelopes to node 1 were heard", () => heard.length > 0);

      intruder.flood("node-2", heard);
      // What comes as node 1 may cost node 1 a session: it fills the room kept for node 1's early envelopes. Others notice nothing.
      await insider.signsWith(key, [2, 3]);
      await insider.signsWith(key, [1, 3]);
      intruder.largest("node-2");
      await insider.signsWith(key, [2, 3]);

      await until("nodes 1 and 2 sign together again", async () => {
        await insider.signsWith(key, [1, 2], SILENCE_MS);
        return true;
      });
      await assertUnmoved();
    });
  });
});
