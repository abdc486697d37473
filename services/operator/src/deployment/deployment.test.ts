import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { hex, Secret } from "@countersign/bytes";
import { NodeIdentity } from "@countersign/mesh";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { adminToken } from "./admin-token.ts";
import { issueCertificate, needsRenewal } from "./certificates.ts";
import { createDeployment } from "./create-deployment.ts";
import { type DataFolder, dataFolder } from "./data-folder.ts";
import { type Deployment, openDeployment } from "./deployment.ts";
import { folderState } from "./folder-state.ts";
import { renewCertificates } from "./renew-certificates.ts";

const NOW = Date.UTC(2026, 5, 1);
const DAY_MS = 86_400_000;

describe("a deployment", () => {
  let made: DataFolder;

  before(async () => {
    made = dataFolder(join(mkdtempSync(join(tmpdir(), "countersign-test-")), "data"));
    await createDeployment(made, { nodes: 3, threshold: 2, now: NOW });
    await renewCertificates(await opened(made), NOW);
  });
  after(() => rmSync(dirname(made.root), { recursive: true, force: true }));

  /** A copy that a test may damage. */
  function copy(t: Parameters<typeof temporaryFolder>[0]): DataFolder {
    const root = join(temporaryFolder(t), "data");
    cpSync(made.root, root, { recursive: true });
    return dataFolder(root);
  }

  test("has a descriptor whose keys are those in the nodes' and operators' files", async () => {
    const { descriptor } = await opened(made);

    assert.deepEqual(
      descriptor.nodes.map(({ index, id, region }) => [index, id, region]),
      [
        [1, "node-1", "eu-west"],
        [2, "node-2", "us-east"],
        [3, "node-3", "ap-south"],
      ],
    );
    for (const [place, { id, identityKey }] of descriptor.nodes.entries()) {
      const seed = Buffer.from(readFileSync(made.node(id).identitySeed, "utf8"), "hex");
      assert.equal(hex(new NodeIdentity(new Secret(new Uint8Array(seed))).publicKey), hex(identityKey));
      const operator = createPublicKey(createPrivateKey(readFileSync(made.operatorKey(id))));
      const raw = operator.export({ format: "der", type: "spki" }).subarray(-32);
      assert.equal(raw.toString("hex"), hex(descriptor.operators[place]?.publicKey ?? new Uint8Array()));
    }
  });

  test("shows nothing of itself to other users", () => {
    const paths = readdirSync(made.root, { recursive: true, encoding: "utf8" }).map((name) => join(made.root, name));

    for (const path of [made.root, ...paths]) assert.equal(statSync(path).mode & 0o077, 0, path);
  });

  test("is never the same twice", async (t) => {
    const other = dataFolder(join(temporaryFolder(t), "data"));

    await createDeployment(other, { nodes: 2, threshold: 2, now: NOW });

    const ids = [await opened(made), await opened(other)].map(({ descriptor }) => descriptor.deploymentId);
    assert.notEqual(ids[0], ids[1]);
  });

  test("without its marker is half-written, and nothing of it is touched", async (t) => {
    const folder = copy(t);
    rmSync(folder.marker);
    const names = readdirSync(folder.root, { recursive: true });

    await assert.rejects(openDeployment(folder), {
      code: "data_folder_incomplete",
      message: /deployment\.json is missing.*countersign down --wipe --data/,
    });
    assert.deepEqual(readdirSync(folder.root, { recursive: true }), names);
  });

  for (const [what, pick] of [
    ["a node's identity", (folder: DataFolder) => folder.node("node-2").identitySeed],
    ["a node's bus seed", (folder: DataFolder) => folder.node("node-2").natsSeed],
    ["a key-encryption key", (folder: DataFolder) => folder.node("node-3").kek],
    ["an operator's key", (folder: DataFolder) => folder.operatorKey("node-1")],
    ["the administrator's key", (folder: DataFolder) => folder.admin.privateKey],
    ["the token key", (folder: DataFolder) => folder.api.tokenKey],
    ["the certificate authority", (folder: DataFolder) => folder.authority.key],
    ["the orchestrator's bus seed", (folder: DataFolder) => folder.orchestrator.natsSeed],
    ["the descriptor", (folder: DataFolder) => folder.descriptor],
  ] as const) {
    test(`without ${what} is refused by the missing file's name`, async (t) => {
      const folder = copy(t);
      rmSync(pick(folder));

      await assert.rejects(openDeployment(folder), (error: Error) => {
        assert.ok(error.message.includes(pick(folder)), error.message);
        return true;
      });
    });
  }

  test("with a damaged descriptor or marker is refused", async (t) => {
    const folder = copy(t);
    const descriptor = readFileSync(folder.descriptor, "utf8");
    writeFileSync(folder.descriptor, descriptor.replace('"threshold": 2', '"threshold": 9'));
    await assert.rejects(openDeployment(folder), {
      code: "data_folder_incomplete",
      message: /descriptor\.json is not valid/,
    });
    writeFileSync(folder.descriptor, descriptor);

    for (const marker of ["", "{", '{"version":1}', '{"version":2,"deploymentId":"a","orchestratorNatsKey":"b"}']) {
      writeFileSync(folder.marker, marker);
      await assert.rejects(openDeployment(folder), { code: "data_folder_incomplete" }, marker);
    }
  });

  test("has certificates that are renewed a month before they end, and when their key is lost", async (t) => {
    const folder = copy(t);
    const { tls } = folder.node("node-1");
    const first = readFileSync(tls.certificate, "utf8");

    await renewCertificates(await opened(folder), NOW + 59 * DAY_MS);
    const early = readFileSync(tls.certificate, "utf8");
    await renewCertificates(await opened(folder), NOW + 61 * DAY_MS);
    const late = readFileSync(tls.certificate, "utf8");
    const foreign = { role: "operator", name: "other", deploymentId: "dep-x" } as const;
    const other = { certificate: join(folder.root, "run", "c.pem"), key: tls.key };
    await issueCertificate(folder.authority, foreign, other, NOW + 61 * DAY_MS);
    const mismatched = await needsRenewal(tls, NOW + 61 * DAY_MS);

    assert.equal(early, first);
    assert.notEqual(late, first);
    assert.equal(mismatched, true);
  });

  test("has certificates of its authority that carry identity, both uses and 90 days", async () => {
    const { descriptor } = await opened(made);
    const authority = new X509Certificate(readFileSync(made.authority.certificate));
    const certificate = new X509Certificate(readFileSync(made.node("node-2").tls.certificate));

    assert.equal(certificate.checkIssued(authority) && certificate.verify(authority.publicKey), true);
    assert.equal(
      certificate.subjectAltName,
      `URI:countersign://${descriptor.deploymentId}/signer/node-2, DNS:localhost, IP Address:127.0.0.1`,
    );
    assert.deepEqual(certificate.keyUsage, ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
    assert.equal(certificate.validToDate.getTime(), NOW + 90 * DAY_MS);
    assert.equal(certificate.ca, false);
    assert.equal(authority.ca, true);
  });

  test("keeps its token for half its life and then has a new one", async () => {
    const deployment = await opened(made);

    const first = await adminToken(deployment, NOW);
    const soon = await adminToken(deployment, NOW + 14 * DAY_MS);
    const later = await adminToken(deployment, NOW + 16 * DAY_MS);

    assert.equal(soon, first);
    assert.notEqual(later, first);
  });
});

test("a folder that does not exist, or holds a lock and logs alone, is empty", async (t) => {
  const folder = dataFolder(join(temporaryFolder(t), "data"));

  const absent = await folderState(folder);
  mkdirSync(folder.run, { recursive: true });
  mkdirSync(folder.logs);

  assert.deepEqual([absent, await folderState(folder)], ["empty", "empty"]);
});

test("somebody else's folder is refused", async (t) => {
  const root = temporaryFolder(t);
  writeFileSync(join(root, "thesis.tex"), "");

  await assert.rejects(folderState(dataFolder(root)), { code: "data_folder_foreign", message: /thesis\.tex/ });
  await assert.rejects(folderState(dataFolder(join(root, "thesis.tex"))), { code: "data_folder_foreign" });
});

async function opened(folder: DataFolder): Promise<Deployment> {
  const deployment = await openDeployment(folder);
  assert.ok(deployment !== undefined);
  return deployment;
}
