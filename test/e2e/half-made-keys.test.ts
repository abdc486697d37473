// Key generation on real processes that are killed in the middle: kill -9, start again, the same approval once more.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { actionDigest, type Evidence } from "@countersign/authority";
import { concatBytes, hex, lengthPrefixed, sha256, u32be } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import type { CreateKeyResponse } from "@countersign/proto/orchestrator";
import { type KeyStateResponse, KeyStateResponse_State as State } from "@countersign/proto/signer";
import type { Key } from "@countersign/sdk";
import { type CertifiedKey, evidenceToWire, keyFromWire, keyToWire } from "@countersign/wire";
import { BusObserver } from "./bus-observer.ts";
import { Insider, QUORUMS } from "./insider.ts";
import { RealNetwork } from "./real-network.ts";
import { until } from "./until.ts";

/** Keys in the making at once, each a little further than the next: one blow hits several moments. */
const KEYS = 6;
/** Longest that one try is given; a blow ends it much sooner. */
const TRY_MS = 20_000;
/** The API looks every 10 s for what was cut off, and each try of its own takes some seconds to fail. */
const CONTINUED_MS = 45_000;

/** One blow in some six hits the moment at which a creation can only end as no key. */
const TRIES_MAX = 10;

/** When and whom: the n-th message of a round on the bus, over all keys in the making; each round has 6 a key. */
interface Blow {
  readonly round: "commit" | "reveal" | "echo" | "share" | "finish";
  readonly message: number;
  readonly victims: readonly string[];
}

const BLOWS: readonly Blow[] = [
  { round: "reveal", message: 9, victims: ["node-2"] },
  { round: "share", message: 20, victims: ["node-1", "node-3"] },
  { round: "finish", message: 1, victims: ["node-3"] },
  { round: "finish", message: 12, victims: ["node-1", "node-2", "node-3"] },
  { round: "finish", message: 16, victims: ["orchestrator", "node-2"] },
  { round: "finish", message: 30, victims: ["orchestrator"] },
];

describe("keys whose making is cut off", { timeout: 300_000 }, () => {
  let network: RealNetwork;
  let insider: Insider;
  let observer: BusObserver;
  /** What nodes held right after a blow. */
  const seen = new Set<string>();

  before(async () => {
    network = await RealNetwork.start();
    insider = await Insider.of(network);
    observer = await BusObserver.on(network);
  });
  after(async () => {
    await observer?.close();
    await network?.close();
  });

  function create(evidence: Evidence, deadlineMs: number): Promise<CreateKeyResponse> {
    return network.orchestratorClient().createKey({ evidence: evidenceToWire(evidence) }, { deadlineMs });
  }

  /** What every node holds for a key, by party. */
  function held(keyId: string): Promise<KeyStateResponse[]> {
    return Promise.all(insider.parties.map((party) => network.signerClient(party).keyState({ keyId })));
  }

  /** Starts calls and kills the victims at the blow's message; resolves with what calls answered all the same. */
  async function strike<T>({ round, message, victims }: Blow, start: () => readonly Promise<T>[]): Promise<T[]> {
    let count = 0;
    const pids = victims.map((victim) => network.pidOf(victim));
    observer.onMessage = (facts) => {
      if (facts.round !== round || ++count !== message) return;
      for (const pid of pids) process.kill(pid, "SIGKILL");
    };
    const answers = await Promise.allSettled(start());
    observer.onMessage = () => {};
    assert.ok(count >= message, "the blow fell");
    return answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  }

  /** Keys that the API gave up because too few nodes could still promise to forget them, by its log. */
  function keysGivenUp(): string[] {
    const lines = network.log("api").split("\n");
    const told = lines.filter((line) => line.includes('"key_half_made"'));
    return told.flatMap((line) => /"keyId":"([^"]+)"/.exec(line)?.[1] ?? []);
  }

  /** The same approval once more, until there is an answer that stays: the key, or that there will be none. */
  function again(evidence: Evidence): Promise<CertifiedKey | "none"> {
    return until("the approval came to an end", async () => {
      try {
        return keyFromWire((await create(evidence, TRY_MS)).key, insider.parties.length);
      } catch (error) {
        if (error instanceof CountersignError && error.code === "key_half_made") return "none";
        throw error;
      }
    });
  }

  for (const blow of BLOWS) {
    const { round, message, victims } = blow;
    test(`kill -9 of ${victims.join(", ")} at message ${message} of "${round}"`, async () => {
      const schemes = Array.from({ length: KEYS }, (_, k) => (k % 2 === 0 ? ED25519 : SCHNORR));
      const approvals = await Promise.all(schemes.map((body) => network.approve("POST", "/keys", body)));
      const keyIds = approvals.map((evidence) => keyIdOf(network, evidence));

      const early = await strike(blow, () => approvals.map((evidence) => create(evidence, TRY_MS)));
      await network.up();
      const left = await Promise.all(keyIds.map(held));
      const keys = await Promise.all(approvals.map(again));

      for (const states of left) seen.add([...new Set(states.map(({ state }) => State[state]))].sort().join());
      const announced = [
        ...early.map(({ key }) => key),
        ...left
          .flat()
          .filter(isActive)
          .map(({ key }) => key),
      ];
      for (const [place, keyId] of keyIds.entries()) {
        const key = keys[place];
        const states = await held(keyId);
        const known = announced.filter((one) => one?.keyId === keyId).map(facts);
        if (key === undefined || key === "none") {
          assert.deepEqual(known, [], "no key was announced");
          assert.ok(!states.some(isActive), "no node uses it");
          continue;
        }
        const own = states.map((state) => (isActive(state) ? facts(state.key) : State[state.state]));
        assert.deepEqual(new Set([...own, ...known]), new Set([facts(keyToWire(key))]), "one key for one approval");
        insider.remember(key);
        for (const quorum of QUORUMS) await insider.signsWith(key, quorum);
      }
    });
  }

  test("a creation that dies with API and orchestrator is taken to its end by the API itself", async () => {
    const blow: Blow = { round: "reveal", message: 1, victims: ["api", "orchestrator"] };
    let created: Key | undefined;
    // The nodes notice one after the other that the orchestrator is gone. What some had staged by then may rightly end as no key.
    for (let tries = 0; created === undefined && tries < TRIES_MAX; tries++) {
      const known = new Set((await network.client.keys()).items.map(({ id }) => id));
      const givenUp = new Set(keysGivenUp());
      await strike(blow, () => [network.client.createKey(ED25519)]);
      await network.up();
      const end = await until(
        "the key is there without anybody asking again, or it was given up",
        async () =>
          (await network.client.keys()).items.find(({ id }) => !known.has(id)) ??
          keysGivenUp().find((keyId) => !givenUp.has(keyId)),
        CONTINUED_MS,
      );
      if (typeof end === "string") assert.ok(!(await held(end)).some(isActive), "no node uses what was given up");
      else created = end;
    }

    assert.ok(created !== undefined, "a creation can be continued");
    assert.equal(created.status, "Active");
    assert.equal((await network.client.sign(created.id, { kind: "Message", message: "0x00" })).status, "Signed");
  });

  test("a creation that loses a node and meets its absence after that is named, and taken to its end by the API", async () => {
    const blow: Blow = { round: "reveal", message: 1, victims: ["node-3"] };

    const [failed] = await strike(blow, () => [network.client.createKey(ED25519).catch((error: unknown) => error)]);
    await network.up();
    assert.ok(failed instanceof CountersignError, "nobody made the key without the node");
    assert.notEqual(failed.code, "nodes_missing", "something was started");
    const { keyId } = failed.details;
    const created = await until(
      "the key is there without anybody asking again",
      async () => (await network.client.keys()).items.find(({ id }) => id === keyId),
      CONTINUED_MS,
    );

    assert.equal(created.status, "Active");
    assert.equal((await network.client.sign(created.id, { kind: "Message", message: "0x00" })).status, "Signed");
  });

  test("nodes that a hostile orchestrator tells different things make no key, and then one", async () => {
    const evidence = await network.approve("POST", "/keys", ED25519);
    const keyId = keyIdOf(network, evidence);
    const [one, two] = [insider.session(insider.parties), insider.session(insider.parties)];

    const split = await Promise.all([
      insider.generate(1, evidence, one),
      insider.generate(2, evidence, one),
      insider.generate(3, evidence, two),
    ]);
    const left = await held(keyId);
    // Two whole sessions at once, for one approval.
    const both = [insider.session(insider.parties), insider.session(insider.parties)];
    const calls = both.flatMap((session) => insider.parties.map((party) => insider.generate(party, evidence, session)));
    const raced = await Promise.all(calls);
    const key = await again(evidence);

    assert.ok(split.every(({ kind }) => kind === "failed"));
    assert.ok(left.every(({ state }) => state === State.ABSENT));
    assert.ok(raced.filter(({ kind }) => kind === "released").length <= insider.parties.length);
    const states = await held(keyId);
    if (key === "none") assert.ok(!states.some(isActive), "no node uses it");
    else assert.deepEqual(new Set(states.map((state) => facts(state.key))), new Set([facts(keyToWire(key))]));
  });

  test("the blows fell where they hurt", () => {
    const mixed = [...seen].filter((states) => states.includes("STAGED"));
    assert.ok(mixed.length > 0, `nodes were left with ${[...seen].join(" / ")}`);
  });
});

const ED25519 = { scheme: "EdDSA", curve: "ed25519" };
const SCHNORR = { scheme: "Schnorr", curve: "secp256k1" };

function isActive({ state }: KeyStateResponse): boolean {
  return state === State.ACTIVE;
}

/** All that makes a key this key. */
function facts(key: KeyStateResponse["key"]): string {
  assert.ok(key !== undefined);
  return [key.keyId, key.suite, ...[...key.commitments, key.chainCodeHash, key.tau].map(hex)].join();
}

/** Ids are derived from C (architecture 6), so that the id is known before the key is there. */
function keyIdOf(network: RealNetwork, evidence: Evidence): string {
  const { deploymentId } = network.descriptor;
  const c = actionDigest({ ...evidence, deploymentId });
  const digest = sha256(concatBytes(lengthPrefixed("countersign/id/v1", "key", c), u32be(0)));
  const bits = [...digest].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const text = [...(bits.match(/.{5}/g) ?? [])].map((five) => BASE32[Number.parseInt(five, 2)]).join("");
  return `key-${text.slice(0, 5)}-${text.slice(5, 10)}-${text.slice(10, 26)}`;
}

const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";
