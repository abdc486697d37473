import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import { connect as tlsConnect } from "node:tls";
import type { Identity } from "./identity.ts";
import { serveRpc } from "./server.ts";
import { createAuthority } from "./testing/certificates.ts";
import { ORCHESTRATOR, type ProbeHandlers, probeNetwork, SIGNER } from "./testing/network.ts";
import { refused } from "./testing/refused.ts";

test("a handler learns the caller's identity from its certificate", async (t) => {
  let caller: Identity | undefined;
  const { client } = await probeNetwork(t, {
    echo: async (request, context) => {
      caller = context.caller;
      return request;
    },
  });

  await client.echo({});

  assert.deepEqual(caller, ORCHESTRATOR);
});

test("callers of several connections at once are told apart at every call", async (t) => {
  const names: string[] = [];
  const handlers: Partial<ProbeHandlers> = {
    echo: async (request, { caller }) => {
      names.push(caller.name);
      return request;
    },
  };
  const { client: first, connect, authority } = await probeNetwork(t, handlers);
  const second = connect({ tls: await authority.issue({ ...ORCHESTRATOR, name: "second" }) });
  const foreign = connect({ tls: await authority.issue({ ...ORCHESTRATOR, deploymentId: "other" }) });

  for (const client of [first, second, first, second]) await client.echo({});
  for (let call = 0; call < 2; call++) await refused(foreign.echo({}), "rpc_unauthenticated");

  assert.deepEqual(names, ["first", "second", "first", "second"]);
});

test("a caller of another authority gets no connection", async (t) => {
  const { authority, connect } = await probeNetwork(t);
  const other = await (await createAuthority()).issue(ORCHESTRATOR);
  const client = connect({ tls: { ...other, ca: authority.certificate } });

  await refused(client.echo({}), "rpc_unavailable");
});

test("a caller without a certificate gets no byte", async (t) => {
  const { server, authority } = await probeNetwork(t);
  const socket = tlsConnect({
    host: "127.0.0.1",
    port: server.port,
    ca: Buffer.from(authority.certificate),
    ALPNProtocols: ["h2"],
  });
  t.after(() => socket.destroy());
  let received = 0;
  socket.on("data", (bytes) => {
    received += bytes.length;
  });

  const [error] = await once(socket, "error");

  assert.match(String(error), /certificate required/);
  assert.equal(received, 0);
});

test("a caller that speaks only TLS 1.2 gets no connection", async (t) => {
  const { server, orchestratorTls } = await probeNetwork(t);
  const socket = tlsConnect({
    host: "127.0.0.1",
    port: server.port,
    ca: Buffer.from(orchestratorTls.ca),
    cert: Buffer.from(orchestratorTls.certificate),
    key: Buffer.from(orchestratorTls.key),
    ALPNProtocols: ["h2"],
    maxVersion: "TLSv1.2",
  });
  t.after(() => socket.destroy());

  const [error] = await once(socket, "error");

  assert.match(String(error), /protocol version/);
});

test("an expired certificate gets no connection", async (t) => {
  const { authority, connect } = await probeNetwork(t);
  const tls = await authority.issue(ORCHESTRATOR, { notAfter: new Date(Date.now() - 1_000) });

  await refused(connect({ tls }).echo({}), "rpc_unavailable");
});

test("a role that the service does not allow is refused before its handler runs", async (t) => {
  let ran = false;
  const { authority, connect } = await probeNetwork(t, {
    echo: async (request) => {
      ran = true;
      return request;
    },
  });
  const client = connect({ tls: await authority.issue({ ...ORCHESTRATOR, role: "api" }) });

  await refused(client.echo({}), "rpc_role_refused");

  assert.equal(ran, false);
});

test("a caller of another deployment is refused although the authority signed it", async (t) => {
  const { authority, connect } = await probeNetwork(t);
  const client = connect({ tls: await authority.issue({ ...ORCHESTRATOR, deploymentId: "other" }) });

  await refused(client.echo({}), "rpc_unauthenticated");
});

test("a caller whose certificate names two identities, or none, is refused", async (t) => {
  const { authority, connect } = await probeNetwork(t);
  const two = ["countersign://test/orchestrator/first", "countersign://test/orchestrator/second"];

  await refused(connect({ tls: await authority.issue(ORCHESTRATOR, { uris: two }) }).echo({}), "rpc_unauthenticated");
  await refused(connect({ tls: await authority.issue(ORCHESTRATOR, { uris: [] }) }).echo({}), "rpc_unauthenticated");
});

for (const [what, server] of [
  ["name", { ...SIGNER, name: "node-2" }],
  ["role", { ...SIGNER, role: "orchestrator" }],
  ["deployment", { ...SIGNER, deploymentId: "other" }],
] as const)
  test(`a server of another ${what} than expected is not spoken to`, async (t) => {
    let ran = false;
    const { connect } = await probeNetwork(t, {
      echo: async (request) => {
        ran = true;
        return request;
      },
    });

    const error = await refused(connect({ server }).echo({}), "rpc_unavailable");

    assert.match(error.message, /expected countersign:.*found countersign:\/\/test\/signer\/node-1/);
    assert.equal(ran, false);
  });

test("a client that expects no name accepts any replica of the role, and no other role", async (t) => {
  const { connect } = await probeNetwork(t);

  await connect({ server: { deploymentId: "test", role: "signer" } }).echo({});
  await refused(connect({ server: { deploymentId: "test", role: "api" } }).echo({}), "rpc_unavailable");
});

test("a server of another authority is not spoken to", async (t) => {
  const { connect, orchestratorTls } = await probeNetwork(t);
  const other = await createAuthority();

  await refused(connect({ tls: { ...orchestratorTls, ca: other.certificate } }).echo({}), "rpc_unavailable");
});

test("a server does not start with TLS files that do not fit", async (t) => {
  const { authority, signerTls } = await probeNetwork(t);
  const otherKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({
    type: "pkcs8",
    format: "pem",
  });
  const serve = (tls: typeof signerTls, identity = SIGNER) =>
    serveRpc({ listen: { host: "127.0.0.1", port: 0 }, tls, identity, services: [] });

  await refused(serve(signerTls, { ...SIGNER, name: "node-2" }), "rpc_certificate_invalid");
  await refused(serve({ ...signerTls, certificate: Buffer.from("nothing") }), "rpc_certificate_invalid");
  await refused(serve({ ...signerTls, key: Buffer.from(otherKey) }), "rpc_certificate_invalid");
  await refused(serve(await authority.issue(SIGNER, { uris: [] })), "rpc_certificate_invalid");
});
