// Signers that die or freeze in the middle of sessions. The tests share one network of 2-of-3 and each leaves it whole.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import type { SignResponse } from "@countersign/proto/orchestrator";
import type { Key } from "@countersign/sdk";
import { evidenceToWire } from "@countersign/wire";
import { askSigners, combine, newSession, publicKeyOf } from "./direct-session.ts";
import { verifiesEd25519 } from "./foreign-verifiers.ts";
import { RealNetwork } from "./real-network.ts";
import { freshBody, newKey, sign } from "./signing-requests.ts";
import { until } from "./until.ts";

/** Enough that every pair of nodes has some. */
const REQUESTS = 8;
/** A session ends by itself 1.5 s after it began; a busy machine may be too slow to strike within that. */
const STRIKES_MAX = 10;
/** What a request is given (architecture 8). */
const DEADLINE_MS = 10_000;
const PARTIES = [1, 2, 3];

describe("faulty signers", { timeout: 180_000 }, () => {
  let network: RealNetwork;
  let key: Key;

  before(async () => {
    network = await RealNetwork.start();
    key = await newKey(network);
  });
  afterEach(async () => {
    await network.mend();
    await allPresent(network);
  });
  after(() => network.close());

  test("a signer killed in the middle of sessions costs their requests an attempt, and signs again after up", async () => {
    const fall = (name: string) => network.kill(name);

    const struck = await strike(network, key, { fall, heal: () => network.up() });
    await sign(network, key);
    await network.up();

    assertWentOn(struck);
    await assertTakesPart(network, key, struck.victim);
  });

  test("a signer stopped in the middle of sessions costs their requests an attempt, and signs again after SIGCONT", async () => {
    const fall = (name: string) => network.pause(name);

    const struck = await strike(network, key, { fall, heal: (name) => network.resume(name) });
    await sign(network, key);
    network.resume(nodeName(struck.victim));

    assertWentOn(struck);
    await assertTakesPart(network, key, struck.victim);
  });

  test("with t-1 nodes left a request ends in quorum_unavailable, and works again once they are back", async () => {
    await network.pause("node-1");
    await network.pause("node-3");

    // Begins while the orchestrator still believes that all are there, so that an attempt fails first.
    const refused = network.client.sign(key.id, freshBody());
    await assert.rejects(refused, { code: "quorum_unavailable", http: 503 });
    const { sessions } = await own(network, 2);
    resumeAll(network);
    await allPresent(network);

    assert.equal(sessions, 0, "nothing is left behind at the node that remains");
    await sign(network, key);
  });

  test("without all n nodes a key is not begun: nodes_missing names their regions, and the others go on signing", async () => {
    const { region } = network.node(3);
    const { items: keysBefore } = await network.client.keys();
    await network.pause("node-3");
    await until("the orchestrator misses the node", async () => (await present(network)).length === 2);

    const creation = newKey(network);

    await assert.rejects(creation, { code: "nodes_missing", http: 503, details: { regions: [region] } });
    await sign(network, key);
    resumeAll(network);
    await allPresent(network);
    assert.deepEqual((await network.client.keys()).items, keysBefore);
    await sign(network, await newKey(network));
  });
});

/** How a node is struck, and how it is brought back. */
interface Blow {
  readonly fall: (name: string) => Promise<void>;
  readonly heal: (name: string) => Promise<void> | void;
}

interface Struck {
  readonly victim: number;
  /** How the requests ended that were in flight. */
  readonly answers: readonly SignResponse[];
}

/**
 * Strikes a node that is in the middle of sessions for certain: a node that quorums prefer is paused, so that sessions with it
 * cannot get past the first round; another one is seen to wait in some; that one is struck, and the paused one goes on. Repeats
 * until a request needed another attempt because of it; the struck node is then still down.
 */
async function strike(network: RealNetwork, key: Key, { fall, heal }: Blow): Promise<Struck> {
  for (let tries = 1; tries <= STRIKES_MAX; tries++) {
    const [, paused = 0] = (await ask(network, key)).parties;
    const others = PARTIES.filter((party) => party !== paused);
    const lengths = await Promise.all(others.map(async (party) => (await own(network, party)).auditLength));
    await network.pause(nodeName(paused));
    const requests = new Requests(network, key);
    try {
      const victim = await waitsInSession(network, requests, new Map(others.map((party, at) => [party, lengths[at]])));
      if (victim !== undefined) await fall(nodeName(victim));
      network.resume(nodeName(paused));
      const answers = await requests.answers;
      if (victim !== undefined && answers.some(({ attempts }) => attempts > 1)) return { victim, answers };
      // Too slow: the sessions had ended by themselves.
      if (victim !== undefined) await heal(nodeName(victim));
    } finally {
      network.resume(nodeName(paused));
    }
    await allPresent(network);
  }
  return assert.fail(`no session was hit in ${STRIKES_MAX} tries`);
}

/** Requests that were sent to the orchestrator together. */
class Requests {
  readonly answers: Promise<readonly SignResponse[]>;
  isOver = false;

  constructor(network: RealNetwork, key: Key) {
    this.answers = Promise.all(Array.from({ length: REQUESTS }, () => ask(network, key)));
    const end = () => {
      this.isOver = true;
    };
    // Raised where somebody awaits the answers; something else may fail before.
    this.answers.then(end, end);
  }
}

/**
 * The first node that is twice seen to run the same sessions: it waits for somebody in the middle of them. `lengths` are those of
 * the nodes' audit chains before; a session begins with an entry, written before its first message. Undefined when all requests
 * ended without.
 */
async function waitsInSession(
  network: RealNetwork,
  requests: Requests,
  lengths: ReadonlyMap<number, bigint | undefined>,
): Promise<number | undefined> {
  const seen = new Map<number, string>();
  const { party } = await until("a node waits in the middle of a session", async () => {
    for (const [party, length = 0n] of lengths) {
      const { sessions, auditLength } = await own(network, party);
      const state = `${sessions} ${auditLength}`;
      if (sessions > 0 && auditLength > length && seen.get(party) === state) return { party };
      seen.set(party, state);
    }
    return requests.isOver ? { party: undefined } : undefined;
  });
  return party;
}

/** Asks the orchestrator for a signature of a fresh message, as the API does, and verifies what it answers. */
async function ask(network: RealNetwork, key: Key): Promise<SignResponse> {
  const body = freshBody();
  const evidence = await network.approve("POST", `/keys/${key.id}/signatures`, body);
  const answer = await network
    .orchestratorClient()
    .sign({ evidence: evidenceToWire(evidence) }, { deadlineMs: DEADLINE_MS });
  const [signature] = answer.signatures;
  assert.ok(signature !== undefined && answer.signatures.length === 1);
  assertVerifies(key, messageOf(body), Buffer.concat([signature.r, signature.s]));
  return answer;
}

/** Those that were hit went on without the victim. */
function assertWentOn({ victim, answers }: Struck): void {
  for (const { attempts, parties } of answers)
    if (attempts > 1) assert.ok(!parties.includes(victim), `node ${victim} is down, and among ${parties}`);
}

/** The node signs with each of the others, asked directly. */
async function assertTakesPart(network: RealNetwork, { id, publicKey }: Key, party: number): Promise<void> {
  await allPresent(network);
  const key = await publicKeyOf(network, id, party);
  for (const other of PARTIES.filter((one) => one !== party)) {
    const body = freshBody();
    const message = messageOf(body);
    const evidence = await network.approve("POST", `/keys/${id}/signatures`, body);
    const session = newSession(
      network,
      [party, other].toSorted((a, b) => a - b),
    );
    const answers = await askSigners(network, session, evidence);
    const signature = combine(network, { session, evidence, key, item: { message }, answers });
    assertVerifies({ publicKey }, message, signature);
  }
}

function messageOf({ message }: { readonly message: string }): Uint8Array {
  return Buffer.from(message.slice(2), "hex");
}

function assertVerifies({ publicKey }: Pick<Key, "publicKey">, message: Uint8Array, signature: Uint8Array): void {
  assert.ok(verifiesEd25519(Buffer.from(publicKey, "hex"), message, signature), "OpenSSL accepts the signature");
}

async function allPresent(network: RealNetwork): Promise<void> {
  await until("the orchestrator sees every node", async () => (await present(network)).length === PARTIES.length);
}

function resumeAll(network: RealNetwork): void {
  for (const party of PARTIES) network.resume(nodeName(party));
}

/** Party indexes of the nodes that the orchestrator sees. */
async function present(network: RealNetwork): Promise<number[]> {
  const { nodes } = await network.orchestratorClient("operators").status({});
  return nodes.filter((node) => node.present).map(({ party }) => party);
}

function own(network: RealNetwork, party: number) {
  return network.signerClient(party, "operators").status({});
}

function nodeName(party: number): string {
  return `node-${party}`;
}
