import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { Evidence } from "@countersign/authority";
import { actionDigest } from "@countersign/authority";
import { deriveId } from "@countersign/intent";
import { keyFromWire, keyToWire } from "@countersign/wire";
import { createKey } from "./create-key.ts";
import { KeyDirectory } from "./key-directory.ts";
import type { SignerClient } from "./network.ts";
import { type Held, remote, TestSigners } from "./testing/test-signers.ts";

let signers: TestSigners;
let keys: KeyDirectory;
let evidence: Evidence;
let keyId: string;
beforeEach(async () => {
  signers = await TestSigners.start();
  keys = new KeyDirectory(signers.network);
  evidence = signers.approveKey();
  keyId = deriveId("key", actionDigest({ ...evidence, deploymentId: signers.descriptor.deploymentId }), 0);
});

function create(approved = evidence, deadlineMs = 60_000, network = signers.network) {
  const signal = new AbortController().signal;
  return signers.settle(createKey(network, keys, approved, { signal, deadlineMs }));
}

function asked(method: string): string[] {
  return signers.calls.filter((call) => call.startsWith(method)).toSorted();
}

/** Leaves an earlier session's result at the nodes: staged, active, or nothing. */
async function leave(states: readonly (Held["state"] | "absent")[]) {
  const key = await signers.makeKey(keyId, "staged");
  for (const [place, state] of states.entries()) {
    const own = signers.held.get(place + 1);
    const held = own?.get(keyId);
    if (state === "absent") own?.delete(keyId);
    else if (state === "active" && held !== undefined) {
      held.state = "active";
      held.certificate = key.certificate;
    }
  }
  return key;
}

function statesOf(): (string | undefined)[] {
  return [1, 2, 3].map((party) => signers.held.get(party)?.get(keyId)?.state);
}

test("a key is made by all nodes and comes with a certificate that verifies", async () => {
  const key = await create();

  assert.equal(key.package.keyId, keyId);
  assert.equal(key.certificate.length, 3);
  assert.deepEqual(statesOf(), ["active", "active", "active"]);
  assert.deepEqual(asked("generate"), ["generate 1", "generate 2", "generate 3"]);
});

test("when a node is away nothing is started and its region is named", async () => {
  signers.away.add(2);

  await assert.rejects(create(), { code: "nodes_missing", details: { regions: ["region-2"] } });

  assert.deepEqual(signers.calls, []);
});

test("evidence that does not hold, or asks for something else, reaches no node", async () => {
  const signature = signers.approveSignature("key-aaaaa-aaaaa-aaaaaaaaaaaaaaaa");

  await assert.rejects(create(signature), { code: "key_not_active" });
  await assert.rejects(create({ ...evidence, payload: '{"scheme":"EdDSA","curve":"ed25519","name":"x"}' }), {
    code: "challenge_mismatch",
  });

  assert.deepEqual(signers.calls, []);
});

test("a key that every node staged is activated with the acknowledgements at hand, and none is made anew", async () => {
  const { certificate } = await leave(["staged", "staged", "staged"]);

  const key = await create();

  assert.deepEqual(key.certificate, certificate);
  assert.deepEqual(statesOf(), ["active", "active", "active"]);
  assert.deepEqual(asked("generate"), []);
  assert.deepEqual(asked("renounce"), []);
});

test("a key that is active somewhere is handed to the nodes that still hold it staged", async () => {
  const { certificate } = await leave(["staged", "active", "staged"]);

  const key = await create();

  assert.deepEqual(key.certificate, certificate);
  assert.deepEqual(statesOf(), ["active", "active", "active"]);
  assert.deepEqual(asked("settle"), ["settle 1", "settle 3"]);
  assert.deepEqual(asked("generate"), []);
});

test("a key that is active everywhere is answered again without moving anything", async () => {
  await leave(["active", "active", "active"]);

  await create();

  assert.deepEqual(asked("settle"), []);
  assert.deepEqual(asked("generate"), []);
});

test("a key that one node staged is given up by the promises of the others and made anew", async () => {
  const { package: abandoned } = await leave(["absent", "staged", "absent"]);

  const key = await create();

  assert.deepEqual(asked("renounce"), ["renounce 1", "renounce 3"]);
  assert.deepEqual(asked("settle"), ["settle 2"]);
  assert.deepEqual(asked("generate"), ["generate 1", "generate 2", "generate 3"]);
  assert.notDeepEqual(key.package.commitments, abandoned.commitments);
  assert.deepEqual(statesOf(), ["active", "active", "active"]);
});

test("promises go to the staged node ascending, of the staged session, and no more than it takes", async () => {
  signers = await TestSigners.start(4, 2);
  keys = new KeyDirectory(signers.network);
  evidence = signers.approveKey();
  keyId = deriveId("key", actionDigest({ ...evidence, deploymentId: signers.descriptor.deploymentId }), 0);
  await leave(["absent", "staged", "absent", "absent"]);
  const sessionId = signers.held.get(2)?.get(keyId)?.sessionId;
  const right = signers.network.signers.get(2);
  assert.ok(right !== undefined && sessionId !== undefined);
  const proofs: unknown[] = [];
  const settle: SignerClient["settle"] = async (request, options) => {
    proofs.push(request.proof);
    signers.behaviour.delete(2);
    return right.settle(request, options);
  };
  signers.behaviour.set(2, { settle });

  await create();

  const [proof] = proofs as { case: string; value: { renunciations: { party: number; sessionId: Uint8Array }[] } }[];
  assert.equal(proof?.case, "renunciations");
  assert.deepEqual(
    proof?.value.renunciations.map(({ party }) => party),
    [1, 3],
  );
  for (const promise of proof?.value.renunciations ?? []) assert.deepEqual(promise.sessionId, sessionId);
});

test("when too few nodes can promise, the approval makes no key any more, and the answer says so", async () => {
  await leave(["staged", "staged", "absent"]);

  await assert.rejects(create(), { code: "key_half_made", details: { keyId } });

  assert.equal(asked("keyState").length, 3, "nothing that a node holds can change it");
  assert.deepEqual(asked("generate"), []);
  assert.deepEqual(asked("settle"), []);
  assert.deepEqual(statesOf(), ["staged", "staged", undefined]);
});

test("a node that cannot be asked leaves a half-made key as it is, to be taken up later", async () => {
  await leave(["staged", "absent", "absent"]);
  signers.behaviour.set(2, {
    renounce: async () => {
      throw remote("rpc_unavailable");
    },
  });

  await assert.rejects(create(), { code: "rpc_unavailable" });
  assert.deepEqual(statesOf(), ["staged", undefined, undefined]);
  signers.behaviour.clear();
  await create();

  assert.deepEqual(statesOf(), ["active", "active", "active"]);
});

test("a session that fails is followed by another, three in all, and the caller hears the cause, not its echo", async () => {
  let sessions = 0;
  signers.behaviour.set(1, {
    generate: (_request, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(remote("rpc_cancelled")), { once: true });
      }),
  });
  signers.behaviour.set(2, {
    generate: async () => {
      sessions++;
      throw remote("store_failed");
    },
  });

  const start = signers.now();
  await assert.rejects(create(), { code: "store_failed" });

  assert.equal(sessions, 3);
  assert.ok(signers.now() - start < 6_000, "no session waited for its deadline");
});

test("each session has an id of its own and names all nodes", async () => {
  const seen: { parties: readonly number[]; sessionId: string }[] = [];
  signers.behaviour.set(1, {
    generate: async ({ session }) => {
      seen.push({
        parties: session?.parties ?? [],
        sessionId: Buffer.from(session?.sessionId ?? []).toString("hex"),
      });
      throw remote("store_failed");
    },
  });

  await assert.rejects(create());

  for (const { parties } of seen) assert.deepEqual(parties, [1, 2, 3]);
  assert.equal(new Set(seen.map(({ sessionId }) => sessionId)).size, 3);
});

test("one node's word that the key is made is enough, though the others' answers were lost", async () => {
  const { network } = signers;
  const losing = [2, 3].map((party) => {
    const right = network.signers.get(party);
    assert.ok(right !== undefined);
    const generate: SignerClient["generate"] = async (request, options) => {
      await right.generate(request, options);
      throw remote("rpc_unavailable");
    };
    return [party, { ...right, generate }] as const;
  });

  const key = await create(evidence, 60_000, { ...network, signers: new Map([...network.signers, ...losing]) });

  assert.equal(key.package.keyId, keyId);
  assert.deepEqual(asked("generate"), ["generate 1", "generate 2", "generate 3"]);
});

test("a node that still winds down an earlier session is waited for, without costing one of the tries", async () => {
  let refusals = 4;
  const right = signers.network.signers.get(1);
  assert.ok(right !== undefined);
  signers.behaviour.set(1, {
    generate: async (request, options) => {
      if (refusals-- > 0) throw remote("generation_running", "refusal");
      signers.behaviour.delete(1);
      return right.generate(request, options);
    },
  });

  const key = await create();

  assert.equal(key.package.keyId, keyId);
});

test("no session begins when the deadline leaves no time for it", async () => {
  let sessions = 0;
  signers.behaviour.set(1, {
    generate: async () => {
      sessions++;
      throw remote("store_failed");
    },
  });

  await assert.rejects(create(evidence, 200), { code: "store_failed" });

  assert.equal(sessions, 1);
});

test("a public key whose certificate does not verify is not answered", async () => {
  const other = await signers.makeKey("key-bbbbb-bbbbb-bbbbbbbbbbbbbbbb");
  await leave(["active", "active", "active"]);
  for (const held of signers.held.values()) {
    const own = held.get(keyId);
    if (own !== undefined) own.certificate = other.certificate;
  }

  await assert.rejects(create(), { code: "certificate_differs" });
});

/** Lets node 1 present another key than the one it made or holds, in every answer. */
async function node1Lies() {
  const other = await signers.makeKey("key-bbbbb-bbbbb-bbbbbbbbbbbbbbbb");
  const right = signers.network.signers.get(1);
  assert.ok(right !== undefined);
  const lie = { ...other, package: { ...other.package, keyId } };
  const { network } = signers;
  const lying: SignerClient = {
    ...right,
    generate: async (request, options) => ({ ...(await right.generate(request, options)), key: keyToWire(lie) }),
    keyState: async (request, options) => {
      const answer = await right.keyState(request, options);
      if (answer.key === undefined) return answer;
      // Its acknowledgement is the right one: without it there would be no key.
      const { certificate } = keyFromWire(answer.key, 3);
      return { ...answer, key: keyToWire({ ...lie, certificate }) };
    },
  };
  return { ...network, signers: new Map([...network.signers, [1, lying] as const]) };
}

test("a node that presents another key, or none that can be read, hides neither a new nor a held one", async () => {
  const lying = await node1Lies();
  const made = await create(evidence, 60_000, lying);
  const held = signers.held.get(2)?.get(keyId)?.share.public;
  const askedForStates = asked("keyState").length;
  const again = await create(evidence, 60_000, lying);
  for (const own of signers.held.values()) own.delete(keyId);
  const { package: staged } = await leave(["staged", "staged", "staged"]);
  const settled = await create(evidence, 60_000, lying);
  const right = signers.network.signers.get(1);
  assert.ok(right !== undefined);
  const empty: SignerClient["keyState"] = async (request, options) => {
    const { key: _, ...answer } = await right.keyState(request, options);
    return answer;
  };
  const unreadable = { ...right, keyState: empty };
  const read = await create(evidence, 60_000, {
    ...lying,
    signers: new Map([...lying.signers, [1, unreadable] as const]),
  });

  assert.deepEqual(made.package, held);
  assert.equal(askedForStates, 3, "the session's own answers were enough");
  assert.deepEqual(again.package, made.package);
  assert.deepEqual(settled.package, staged);
  assert.deepEqual(read.package, staged);
  assert.deepEqual(statesOf(), ["active", "active", "active"]);
});

test("an approval runs once at a time; its lease is given back however the call ends", async () => {
  const both = await Promise.allSettled([create(), create()]);
  signers.away.add(1);
  await assert.rejects(create(), { code: "nodes_missing" });
  signers.away.clear();
  signers.behaviour.set(1, {
    keyState: async () => {
      throw remote("rpc_unavailable");
    },
  });
  await assert.rejects(create(), { code: "rpc_unavailable" });
  signers.behaviour.clear();
  const again = await create();

  assert.deepEqual(
    both.map((result) => (result.status === "rejected" ? result.reason.code : "made")),
    ["made", "request_busy"],
  );
  assert.equal(again.package.keyId, keyId);
});
