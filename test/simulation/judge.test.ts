import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { before, describe, test } from "node:test";
import type { Evidence } from "@countersign/authority";
import { prepareCurves } from "@countersign/threshold";
import type { CertifiedKey } from "@countersign/wire";
import { askToSign, sessionOf } from "./direct-session.ts";
import { type Flaw, flawedSigner } from "./flawed-signer.ts";
import { Judge, type NodeRecords } from "./judge.ts";
import { readNodes } from "./node-records.ts";
import { SimulatedDeployment } from "./simulated-deployment.ts";

before(() => prepareCurves((size) => new Uint8Array(randomBytes(size))));

/** One history under a judge: a key, and what the test makes of it. */
interface Court {
  readonly judge: Judge;
  readonly deployment: SimulatedDeployment;
  readonly creation: Evidence;
  readonly key: CertifiedKey;
  /** Approves a signature on a message of this byte. */
  approve(byte: number): Promise<Evidence>;
  /** One session of parties 1 and 2, in which the signers are called directly; `name` is its id's byte. */
  session(evidence: Evidence, name: number): Promise<void>;
  nodes(): Promise<readonly NodeRecords[]>;
}

async function inCourt(flaw: Flaw | undefined, body: (court: Court) => Promise<void>): Promise<void> {
  const judge = new Judge({ deploymentId: "dep-simulation", threshold: 2, attemptsMax: 3 });
  const deployment = await SimulatedDeployment.start({
    seed: 1,
    nodes: 3,
    threshold: 2,
    witness: (party) => judge.witness(party),
    approved: (evidence) => judge.approved(evidence),
    corrupt: (party) =>
      flaw !== undefined && (party === 1 || flaw === "judges no evidence") ? flawedSigner(flaw) : undefined,
  });
  const { clock } = deployment.network;
  try {
    const creation = await deployment.approve("POST", "/keys", { scheme: "EdDSA", curve: "ed25519" });
    const key = await clock.settle(deployment.createKey(creation), 10_000);
    judge.created(creation, key);
    const path = `/keys/${key.package.keyId}/signatures`;
    const approve = (byte: number) =>
      deployment.approve("POST", path, { kind: "Hash", hash: `0x${Buffer.alloc(32, byte).toString("hex")}` });
    const session = async (evidence: Evidence, name: number) => {
      const described = sessionOf(deployment, evidence, { sessionId: new Uint8Array(32).fill(name), parties: [1, 2] });
      const asked = deployment.signers
        .slice(0, 2)
        .map((signer) => askToSign(signer.client(), { evidence, session: described }, { deadlineMs: 1_000 }));
      await clock.settle(Promise.allSettled(asked), 5_000);
    };
    const nodes = () => readNodes(deployment);
    await body({ judge, deployment, creation, key, approve, session, nodes });
  } finally {
    deployment.stop();
  }
}

const verdictOf = async ({ judge, nodes }: Court) => judge.conclude(await nodes());

test("honest signers pass", () =>
  inCourt(undefined, async (court) => {
    const evidence = await court.approve(1);
    await court.session(evidence, 1);
    await court.session(evidence, 2);
    const signed = court.deployment.sign(await court.approve(2));
    await court.deployment.network.clock.settle(signed, 10_000);

    await verdictOf(court);

    assert.equal(court.judge.releases, 6);
  }));

describe("the judge sees a signer that", () => {
  const convicts = (flaw: Flaw, expected: RegExp, script: (court: Court) => Promise<void>) =>
    test(flaw, () =>
      inCourt(flaw, async (court) => {
        await script(court);

        await assert.rejects(verdictOf(court), expected);
      }),
    );

  convicts("draws the same nonces again", /Party 1 used a nonce in sessions/, async ({ approve, session }) => {
    await session(await approve(1), 1);
    await session(await approve(2), 2);
  });

  convicts("signs another message", /not on the approved message \(I3\)/, async ({ approve, session }) => {
    await session(await approve(1), 1);
  });

  convicts("records nothing", /without one durable entry before it \(I7\)/, async ({ approve, session }) => {
    await session(await approve(1), 1);
  });

  convicts("records after it began", /without one durable entry before it \(I7\)/, async ({ approve, session }) => {
    await session(await approve(1), 1);
  });

  convicts("has no cap", /had 4 attempts/, async ({ approve, session }) => {
    const evidence = await approve(1);
    for (let name = 1; name <= 4; name++) await session(evidence, name);
  });

  convicts("answers a session again", /answered session \w+ twice \(I2\)/, async ({ approve, session }) => {
    const evidence = await approve(1);
    await session(evidence, 1);
    await session(evidence, 1);
  });

  test("judges no evidence: something that nobody approved", () =>
    inAnarchy(async (court) => {
      const evidence = await court.approve(1);
      const payload = JSON.stringify({ kind: "Hash", hash: `0x${"66".repeat(32)}` });
      await court.session({ ...evidence, payload }, 1);

      await assert.rejects(verdictOf(court), /that nobody approved \(I3\)/);
    }));

  test("judges no evidence: an approval that has expired", () =>
    inAnarchy(async (court) => {
      const evidence = await court.approve(1);
      for (const signer of court.deployment.signers) signer.skewMs = 300_000;
      await court.session(evidence, 1);

      await assert.rejects(verdictOf(court), /had expired on its clock \(I3\)/);
    }));

  test("takes part in a session again after a restart", () =>
    inCourt(undefined, async (court) => {
      const evidence = await court.approve(1);
      const [one, two] = court.deployment.signers;
      assert(one && two);
      const disks = [one.snapshot(), two.snapshot()] as const;
      await court.session(evidence, 1);
      // The only way to make the real signer forget: an older disk.
      for (const [place, signer] of [one, two].entries()) {
        signer.crash();
        signer.restore(disks[place] ?? new Map());
      }
      await court.deployment.heal();
      await court.session(evidence, 1);

      await assert.rejects(verdictOf(court), /took part in session \w+ twice \(I2\)/);
    }));
});

/** Like `inCourt` with signers 1 and 2 that judge nothing. */
function inAnarchy(body: (court: Court) => Promise<void>): Promise<void> {
  return inCourt("judges no evidence", body);
}

describe("the judge sees in what callers and nodes hold", () => {
  test("a signature that is not on the approved message, and one too many", () =>
    inCourt(undefined, async (court) => {
      const evidence = await court.approve(1);
      const other = await court.approve(2);
      const { clock } = court.deployment.network;
      const { signatures } = await clock.settle(court.deployment.sign(evidence), 10_000);

      const verdict = async (asked: Evidence, given: typeof signatures) => {
        const judge = new Judge({ deploymentId: "dep-simulation", threshold: 2, attemptsMax: 3 });
        for (const approved of [court.creation, evidence]) judge.approved(approved);
        judge.created(court.creation, court.key);
        judge.returned(asked, { signatures: given });
        judge.conclude(await court.nodes());
      };
      await verdict(evidence, signatures);
      const [{ r, s } = { r: new Uint8Array(32), s: new Uint8Array(32) }] = signatures;
      await assert.rejects(
        verdict(evidence, [{ r, s: s.with(0, (s[0] ?? 0) ^ 1) }]),
        /not on the approved message \(I1\)/,
      );
      await assert.rejects(verdict(evidence, [...signatures, ...signatures]), /2 signatures returned \(I1\)/);
      await assert.rejects(verdict(other, signatures), /without an approval \(I3\)/);
    }));

  test("two keys of one approval, a key that a node lacks, a share of another key, and a key of nobody's approval", () =>
    inCourt(undefined, async (court) => {
      const nodes = await court.nodes();
      const changed = (change: (node: NodeRecords) => NodeRecords["keys"]) =>
        nodes.map((node) => (node.party === 2 ? { ...node, keys: change(node) } : node));
      const each = (change: (key: { c: Uint8Array; publicPart: Uint8Array; share: Uint8Array }) => object) =>
        changed(({ keys }) => new Map([...keys].map(([id, key]) => [id, { ...key, ...change(key) }])));
      const flip = (bytes: Uint8Array) => bytes.with(0, (bytes[0] ?? 0) ^ 1);

      const verdict = (records: readonly NodeRecords[]) => {
        const judge = new Judge({ deploymentId: "dep-simulation", threshold: 2, attemptsMax: 3 });
        judge.approved(court.creation);
        judge.created(court.creation, court.key);
        return () => judge.conclude(records);
      };
      assert.doesNotThrow(verdict(nodes));
      assert.throws(verdict(changed(() => new Map())), /2 nodes hold key/);
      assert.throws(verdict(each(({ share }) => ({ share: flip(share) }))), /do not hold key .* \(I5\)/);
      assert.throws(verdict(each(({ publicPart }) => ({ publicPart: flip(publicPart) }))), /made two keys .* \(I4\)/);
      assert.throws(verdict(each(({ c }) => ({ c: flip(c) }))), /which nobody approved \(I3\)/);
    }));

  test("a caller that was given two keys for one approval", () =>
    inCourt(undefined, async (court) => {
      const { clock } = court.deployment.network;
      const creation = await court.deployment.approve("POST", "/keys", { scheme: "EdDSA", curve: "ed25519" });
      const other = await clock.settle(court.deployment.createKey(creation), 10_000);

      const { keyId } = court.key.package;
      court.judge.created(court.creation, { ...other, package: { ...other.package, keyId } });

      await assert.rejects(verdictOf(court), /made two keys .* \(I4\)/);
    }));
});
