// No secret shows anywhere but where it is kept: real shares, keys and seeds, searched for in everything a network leaves behind.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { after, before, describe, test } from "node:test";
import { inspect } from "node:util";
import { evidenceToWire, sessionToWire } from "@countersign/wire";
import { canariesOf } from "./canaries.ts";
import { runCommand } from "./command.ts";
import { forgeries } from "./forged-evidence.ts";
import { ask } from "./http.ts";
import { Insider, QUORUMS } from "./insider.ts";
import { RealNetwork } from "./real-network.ts";
import { type Canary, formsOf, SecretSearch } from "./secret-search.ts";
import { WireTap } from "./wire-tap.ts";

describe("secrets", { timeout: 300_000 }, () => {
  let network: RealNetwork;
  let bus: WireTap;
  let redis: WireTap;
  let canaries: readonly Canary[];
  let search: SecretSearch;
  /** Wherever a secret could have gone. */
  let places: readonly Place[];
  const keyIds: string[] = [];
  /** What was printed, answered and raised, by where. */
  const said: Record<string, string> = {};
  /** What nodes said to each other under the seal and showed later: nonce commitments, polynomials of new keys. */
  const spoken: Uint8Array[] = [];

  before(async () => {
    network = await RealNetwork.start();
    bus = await WireTap.before(network.addressOf("nats"));
    redis = await WireTap.before(network.addressOf("redis"));
    await restartTapped();
    await liveADay();
    await network.down();
    canaries = await canariesOf(network);
    search = new SecretSearch(canaries);
    places = readPlaces();
  });
  after(async () => {
    bus?.close();
    redis?.close();
    await network?.close();
  });

  /** Every service of ours starts again with the most talkative log, and speaks to the bus and to Redis through the taps. */
  async function restartTapped(): Promise<void> {
    const services = {
      "node-1": "nodes/node-1/signer",
      "node-2": "nodes/node-2/signer",
      "node-3": "nodes/node-3/signer",
    };
    const settings = { ...services, orchestrator: "orchestrator/orchestrator", api: "api/api" };
    for (const file of Object.values(settings)) {
      const path = join(network.data, `${file}.json`);
      const { logLevel: _, ...kept } = JSON.parse(readFileSync(path, "utf8"));
      const text = JSON.stringify({ ...kept, logLevel: "trace" });
      const tapped = text
        .replace(network.addressOf("nats"), bus.address)
        .replace(network.addressOf("redis"), redis.address);
      writeFileSync(path, tapped);
    }
    await Promise.all(Object.keys(settings).map((service) => network.kill(service)));
    await network.up();
  }

  /** Creates, signs, fails and is refused in every way there is, and writes down what comes back. */
  async function liveADay(): Promise<void> {
    const insider = await Insider.of(network);
    const answers: unknown[] = [];
    const noting = (call: Promise<unknown>) =>
      call.then(
        (answer) => answers.push(answer),
        (error) => answers.push(error),
      );
    const { key, evidence: creation } = await insider.createKey("EdDSA");
    const { key: other } = await insider.createKey("Schnorr");
    for (const [scheme, curve] of [
      ["EdDSA", "ed25519"],
      ["Schnorr", "secp256k1"],
    ] as const) {
      const { id } = await network.client.createKey({ scheme, curve });
      keyIds.push(id);
      await noting(network.client.sign(id, { kind: "Hash", hash: `0x${"ab".repeat(32)}` }));
      await noting(network.client.sign(id, { kind: "Message", message: "0x00" }));
    }
    for (const quorum of QUORUMS) for (const one of [key, other]) await insider.signsWith(one, quorum);
    for (const { partial } of insider.releases) spoken.push(...partial.commitments.map(({ body }) => body));
    for (const { package: shown } of [key, other]) spoken.push(...shown.commitments, shown.tau);
    for (const { evidence } of await forgeries(insider, { key, other, creation })) {
      const session = sessionToWire(insider.session([1, 2]));
      await noting(network.signerClient(1).sign({ evidence: evidenceToWire(evidence), session }));
    }
    await noting(network.signerClient(2, "api").status({}));
    await noting(network.signerClient(2).sign({}));
    await noting(network.signerClient(3).settle({ keyId: key.package.keyId }));
    await noting(network.signerClient(3).renounce({ keyId: key.package.keyId, sessionId: randomBytes(32) }));
    await noting(insider.sign(1, await insider.approveHash(key, 1), insider.session([1, 2])));
    const { apiUrl, admin } = network.summary;
    const headers = { authorization: `Bearer ${admin.token}`, "content-type": "application/json" };
    for (const path of ["/keys", "/keys?limit=x", "/nowhere", `/keys/${keyIds[0]}`, "/openapi.json", "/health/ready"])
      await noting(ask(apiUrl, { path, headers }));
    for (const body of ["{", '{"userActionPayload":1}', "[]"])
      await noting(ask(apiUrl, { method: "POST", path: "/auth/action/init", headers, body }));
    await noting(ask(apiUrl, { path: "/keys", headers: { authorization: `Bearer ${admin.token.slice(0, -3)}AAA` } }));
    said["answers and errors"] = answers.map((answer) => inspect(answer, { depth: 12, showHidden: true })).join("\n");

    await network.kill("node-3");
    await network.client.sign(keyIds[0] ?? "", { kind: "Message", message: "0x01" });
    await network.up();
    const words = {
      status: ["status"],
      "status --json": ["status", "--json"],
      logs: ["logs"],
      doctor: ["doctor"],
      up: ["up"],
    };
    for (const [name, [verb = "", ...flags]] of Object.entries(words)) {
      const { out, notes } = await runCommand(verb, ...flags, "--data", network.data);
      said[`countersign ${name}`] = out + notes;
    }
    const { services } = await network.status();
    for (const { name, pid } of services)
      said[`environment and arguments of ${name}`] = ["environ", "cmdline"]
        .map((file) => readFileSync(`/proc/${pid}/${file}`, "utf8"))
        .join("\n");
  }

  function readPlaces(): Place[] {
    const files = readdirSync(network.data, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    return [
      ...files.map((path) => ({ where: relative(network.data, path), bytes: readFileSync(path) })),
      ...Object.entries(said).map(([where, text]) => ({ where, bytes: Buffer.from(text) })),
      { where: "the bus", bytes: bus.captured() },
      { where: "Redis", bytes: redis.captured() },
    ];
  }

  test("no secret is anywhere but in the file that keeps it", () => {
    const found = places.flatMap(({ where, bytes }) =>
      search
        .find(bytes)
        .filter(({ canary }) => !canary.homes.includes(where))
        .map(({ canary, form }) => `${canary.name} (${form}) is in ${where}`),
    );

    assert.deepEqual(found, []);
  });

  test("the search looked where things happen", () => {
    const bytesOf = (where: string) => places.find((place) => place.where === where)?.bytes ?? assert.fail(where);
    const holds = (where: string, text: string) => assert.ok(bytesOf(where).includes(text), `${text} in ${where}`);
    const { deploymentId } = network.descriptor;

    for (const round of ["commit", "reveal", "echo", "share", "finish"]) holds("the bus", round);
    for (const { id } of network.descriptor.nodes) holds("the bus", `PUB cs.${deploymentId}.${id}.`);
    holds("Redis", `countersign:${deploymentId}:lease:sign:`);
    for (const service of ["node-1", "node-2", "node-3", "orchestrator", "api"])
      holds(`logs/${service}.log`, '"ready"');
    const database = places.filter(({ where }) => where.startsWith("api/database/"));
    for (const keyId of keyIds) assert.ok(database.some(({ bytes }) => bytes.includes(keyId)));
    for (const code of [
      "challenge_mismatch",
      "rpc_role_refused",
      "message_malformed",
      "token_invalid",
      "request_invalid",
    ])
      holds("answers and errors", code);
    const kept = canaries.filter(({ homes }) => homes.length > 0);
    assert.ok(kept.length >= 20);
    for (const { name, homes } of kept) {
      // A value that its file tears apart over two lines is found by its lines.
      const inFile = homes.flatMap((home) => search.find(bytesOf(home))).map(({ canary }) => canary.name);
      assert.ok(
        inFile.some((found) => found.startsWith(name)),
        name,
      );
    }
  });

  test("on the bus nothing that nodes say to each other can be read, not even what is public afterwards", () => {
    const sealed = spoken.map((bytes, place) => ({ name: `statement ${place}`, bytes, homes: [] }));

    assert.ok(sealed.length >= 20);
    assert.deepEqual(new SecretSearch(sealed).find(bus.captured()), []);
  });

  test("the search finds every secret in every form, wherever it is planted", () => {
    const log = readFileSync(join(network.data, "logs", "node-1.log"));
    for (const canary of canaries) {
      for (const [form, bytes] of formsOf(canary.bytes)) {
        const planted = Buffer.concat([log.subarray(0, 5_000), Buffer.from("x"), bytes, Buffer.from("x")]);
        assert.ok(
          search.find(planted).some((hit) => hit.canary === canary && hit.form === form),
          `${canary.name} ${form}`,
        );
      }
      const record = JSON.stringify({
        record: Buffer.concat([randomBytes(7), canary.bytes, randomBytes(5)]).toString("base64"),
      });
      assert.ok(
        search.find(Buffer.from(record)).some((hit) => hit.canary === canary),
        "inside something larger",
      );
    }
  });
});

/** Something that a network left behind; files of the data folder by their path in it. */
interface Place {
  readonly where: string;
  readonly bytes: Buffer;
}
